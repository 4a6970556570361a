"""Loads a project from its file or a preset."""

from __future__ import annotations

import importlib.resources
import pathlib
from collections.abc import Hashable
from typing import Any

import pydantic
import yaml

from thawline.components.shared.errors import ConfigError, NotFound, from_os_error
from thawline.pipeline.config import errors
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.project import Project

PROJECT_FILE = 'thawline.yaml'
DEFAULT_PRESET = 'solar_cells'


# A few hundred bytes of nested aliases stand for billions of values.
_MOST_VALUES = 10_000


def _expanded_size(node: yaml.Node, known: dict[int, int]) -> int:
    """Values below a node, each alias counted as often as it is used."""
    if id(node) not in known:
        known[id(node)] = 1  # of an alias to what it is in
        below = node.value if isinstance(node, yaml.CollectionNode) else []
        nodes = (
            part for entry in below for part in (entry if isinstance(entry, tuple) else (entry,))
        )
        known[id(node)] = 1 + sum(_expanded_size(part, known) for part in nodes)
    return known[id(node)]


class UniqueKeyLoader(yaml.SafeLoader):
    """A safe loader that refuses duplicate keys; YAML's own silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As the base class, and raises `yaml.constructor.ConstructorError` on a duplicate key."""
        seen = set()
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f'duplicate key {key_node.value!r}', key_node.start_mark
                )
            seen.add(key_node.value)
        return super().construct_mapping(node, deep)


def parse(text: str, name: str) -> Config:
    """Parses a configuration; errors call it `name`.

    Raises:
        ConfigError: not YAML, an unknown key, a wrong type or an impossible combination.
    """
    try:
        loader = UniqueKeyLoader(text)
        node = loader.get_single_node()
        if node is not None and _expanded_size(node, {}) > _MOST_VALUES:
            raise ConfigError(
                f'{name} has more than {_MOST_VALUES:,} values once its aliases (*) are expanded'
            )
        raw = None if node is None else loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigError(f'{name} is not valid YAML: {error}') from error
    except RecursionError as error:
        raise ConfigError(f'{name} is nested too deeply for a configuration') from error
    if not isinstance(raw, dict):
        raise ConfigError(
            f'{name} contains {errors.echo(raw)}; it must have keys such as name: and data:'
        )
    try:
        return Config.model_validate(raw)
    except pydantic.ValidationError as error:
        raise ConfigError(errors.explain(error, Config, name)) from error


def preset_names() -> list[str]:
    """Presets in the package."""
    folder = importlib.resources.files('thawline.pipeline') / 'presets'
    return sorted(p.name.removesuffix('.yaml') for p in folder.iterdir() if p.name[-5:] == '.yaml')


def read_preset(name: str) -> str:
    """The text of a preset.

    Raises:
        NotFound: there is no preset of that name.
    """
    if name not in preset_names():
        raise NotFound(f'no preset {name!r}; presets: {", ".join(preset_names())}')
    return (importlib.resources.files('thawline.pipeline') / 'presets' / f'{name}.yaml').read_text(
        'utf-8'
    )


def read_file(path: pathlib.Path) -> str:
    """The text of a project file.

    Raises:
        NotFound: it does not exist.
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_text('utf-8-sig')
    except FileNotFoundError as error:
        raise NotFound(
            f'no project file {path}; write one with: thawline init {path.parent} --data FOLDER'
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(f'{path} is not UTF-8 text (byte {error.start})') from error
    except OSError as error:
        raise from_os_error(error, f'cannot read {path}') from error


def load_demo() -> Project:
    """The default preset, the solar cells, as a project in the current folder."""
    config = parse(read_preset(DEFAULT_PRESET), f'preset {DEFAULT_PRESET}')
    return Project.of(config, pathlib.Path.cwd(), is_preset=True)


def load_project(path: pathlib.Path | None, demo: bool = False) -> Project:
    """The project at `path`, a file or its folder, else ./thawline.yaml.

    Args:
        path: None where none was named.
        demo: take the demo where there is none; it is also taken where it has run before.

    Raises:
        NotFound: there is no project.
        UserError: its configuration cannot be read or is not valid.
    """
    if path is None:
        path = pathlib.Path.cwd() / PROJECT_FILE
        if not path.is_file():
            project = load_demo()
            if demo or project.output.is_dir():
                return project
            raise NotFound(
                f'no {PROJECT_FILE} in {path.parent}; name a project, write one for your images '
                'with: thawline init . --data FOLDER, or try the demo on solar cells with: '
                'thawline run --demo'
            )
    if path.is_dir():
        path = path / PROJECT_FILE
    return Project.of(parse(read_file(path), str(path)), path.parent)

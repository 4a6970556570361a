"""The compiled pipeline as a file: TFX's intermediate representation in an envelope.

The envelope is plain JSON, so that a scheduler's own environment reads the nodes and their order
with `json.load` alone. It needs neither TFX nor this package; this module reads it for
whatever runs its nodes, and checks that the file is intact and of this version.

    {"format": 1,
     "thawline": "0.1.0",              version that compiled it
     "code": "5f0c...",                digest of the code that nodes run
     "libraries": {"keras": "3.15.1", ...},      versions of the libraries that decide results
     "name": "solar_cells",            of the project and the pipeline
     "digest": "sha256:9b1d...",       over everything else in here
     "home": "/...", "output": "/...", "schema": "/...",      folders and file of the project
     "files": {"weights": "", "schema": ""},                  digests of files that it names
     "config": {...},                  the whole checked configuration
     "nodes": [{"id": "Transform", "upstream": ["DataGate", ...], "beam": true}, ...],
     "pipeline": {...}}                tfx.orchestration.Pipeline as JSON

`nodes` are in an order in which they can run.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pydantic

import thawline
from thawline.components.shared import code_digest, files, records
from thawline.components.shared.errors import ConfigError, NotFound, from_os_error
from thawline.components.shared.settings import Section
from thawline.pipeline.config import errors
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.project import Project
from thawline.pipeline.system.paths_in_text import replace_folders

FORMAT: Literal[1] = 1
FILE = 'pipeline.json'
_AGAIN = 'compile it again: thawline compile'
# These say when and how a node runs, not what it does.
_NO_DEFINITION = ('executionOptions', 'upstreamNodes', 'downstreamNodes')


class CompiledNode(Section):
    """One node, for schedulers.

    Attributes:
        id: its name.
        upstream: nodes that have to be complete before.
        beam: whether Beam runs it, on the configured engine.
    """

    id: str
    upstream: tuple[str, ...]
    beam: bool


class FileDigests(Section):
    """Digests of the files that the compiled pipeline depends on; empty for none."""

    weights: str
    schema_file: str = pydantic.Field(alias='schema')


class Envelope(Section):
    """The content of the file; see the module."""

    format: Literal[1]
    thawline: str
    code: str
    libraries: dict[str, str]
    name: str
    digest: str
    home: pathlib.Path
    output: pathlib.Path
    schema_path: pathlib.Path = pydantic.Field(alias='schema')
    files: FileDigests
    config: Config
    nodes: tuple[CompiledNode, ...]
    pipeline: dict[str, Any]

    @property
    def values(self) -> dict[str, Any]:
        """As JSON values."""
        return self.model_dump(mode='json', by_alias=True)

    @property
    def project(self) -> Project:
        """The project as it was compiled."""
        return Project(self.config, self.home, self.output, self.schema_path)

    @property
    def upstream(self) -> dict[str, tuple[str, ...]]:
        """Nodes before each node, in an order in which they can run."""
        return {node.id: node.upstream for node in self.nodes}

    def in_order(self, names: Sequence[str]) -> list[str]:
        """Nodes in the order in which they can run, each once.

        Raises:
            NotFound: one of them does not exist.
        """
        known = [node.id for node in self.nodes]
        for name in names:
            if name not in known:
                raise NotFound(f'no node {name!r}; there are: {", ".join(known)}')
        return [node for node in known if node in names]


def file_digests(project: Project) -> FileDigests:
    """Digests of the files that a configuration names, as they are now."""
    schema = project.schema.read_bytes() if project.schema.is_file() else b''
    digest = hashlib.sha256(schema).hexdigest()[:16] if schema else ''
    return FileDigests(weights=project.weights_digest(), schema=digest)


def envelope(project: Project, nodes: Sequence[CompiledNode], compiled: dict[str, Any]) -> Envelope:
    """The content of the file.

    Args:
        project: that was compiled.
        nodes: in an order in which they can run.
        compiled: the pipeline as TFX compiles it, as JSON.
    """
    draft = Envelope(
        format=FORMAT,
        thawline=thawline.__version__,
        code=code_digest.of_all_code(),
        libraries=code_digest.all_library_versions(),
        name=project.name,
        digest='',
        home=project.home,
        output=project.output,
        schema=project.schema,
        files=file_digests(project),
        config=project.config,
        nodes=tuple(nodes),
        pipeline=compiled,
    )
    return draft.model_copy(update={'digest': content_digest(draft.values)})


def content_digest(content: Mapping[str, Any]) -> str:
    """A digest that depends on every value but `digest`, not on order or spaces."""
    rest = {key: value for key, value in content.items() if key != 'digest'}
    return f'sha256:{_digest(rest, {})}'


def node_digests(
    compiled: Mapping[str, Any], placeholders: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A digest for each node of all that its result depends on, apart from its inputs.

    Args:
        compiled: the pipeline as TFX compiles it, as JSON, not bound to a run.
        placeholders: for folders of the project, which may be moved.
    """
    nodes = (node['pipelineNode'] for node in compiled['nodes'])
    return {
        node['nodeInfo']['id']: _digest(
            {key: value for key, value in node.items() if key not in _NO_DEFINITION},
            placeholders or {},
        )[:16]
        for node in nodes
    }


def _digest(content: Mapping[str, Any], placeholders: Mapping[str, str]) -> str:
    text = json.dumps(content, sort_keys=True, separators=(',', ':'))
    return hashlib.sha256(replace_folders(text, placeholders).encode('ascii')).hexdigest()


def write(path: pathlib.Path, content: Envelope) -> None:
    """Writes the file atomically: a scheduler may be reading it.

    Raises:
        UserError: it cannot be written.
    """
    # Sorted: TFX's order varies.
    files.write_text(path, json.dumps(content.values, indent=1, sort_keys=True) + '\n')


def read(path: pathlib.Path) -> Envelope:
    """Reads the file and checks it.

    Raises:
        NotFound: there is none.
        ConfigError: it was not written by `thawline compile`, was edited, or is of another version.
    """
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise NotFound(f'no file {path}; create it with: thawline compile') from error
    except OSError as error:
        raise from_os_error(error, f'{path} cannot be read') from error
    except (ValueError, RecursionError) as error:
        raise ConfigError(f'{path} cannot be read as JSON: {error}') from error
    if not isinstance(content, dict) or not {'format', 'thawline', 'digest'} <= content.keys():
        raise ConfigError(
            f'{path} was not written by thawline compile: it contains {errors.echo(content)}'
        )
    if content['format'] != FORMAT or isinstance(content['format'], bool):
        raise ConfigError(
            f'{path} has format {errors.echo(content["format"])}; this version reads '
            f'{FORMAT}; {_AGAIN}'
        )
    if content['thawline'] != thawline.__version__:
        raise ConfigError(
            f'{path} was compiled by thawline {errors.echo(content["thawline"])}, this is '
            f'{thawline.__version__}; {_AGAIN}'
        )
    return _checked(path, content)


def _checked(path: pathlib.Path, content: Mapping[str, Any]) -> Envelope:
    try:
        digest = content_digest(content)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f'{path} was not written by thawline compile: {error}') from error
    if content['digest'] != digest:
        raise ConfigError(
            f'{path} was changed after it was compiled: its digest is {digest}, but it says '
            f'{errors.echo(content["digest"])}; {_AGAIN}'
        )
    if content.get('code') != code_digest.of_all_code():
        raise ConfigError(
            f'{path} was compiled with other code than is installed here, so the cache could '
            f'return outdated results; {_AGAIN}'
        )
    if other := _library_changes(content.get('libraries')):
        raise ConfigError(
            f'{path} was compiled with other libraries than are installed here, so the cache could '
            f'return outdated results: {other}; {_AGAIN}'
        )
    try:
        return Envelope.model_validate(content)
    except pydantic.ValidationError as error:
        raise ConfigError(
            f'{path} was not written by thawline compile: {records.reason(error)}'
        ) from error


def _library_changes(compiled: Any) -> str:
    """The libraries that are of other versions here: 'pillow 11.0 (here 12.3.0)'."""
    if not isinstance(compiled, dict):
        return ''
    return ', '.join(
        f'{name} {errors.echo(compiled.get(name))} (here {version})'
        for name, version in code_digest.all_library_versions().items()
        if compiled.get(name) != version
    )


def check_home(pipeline: Envelope) -> None:
    """Refuses a pipeline that was compiled for a folder that does not exist on this machine.

    Raises:
        NotFound: the folder does not exist.
    """
    if not pipeline.home.is_dir():
        raise NotFound(
            f'the pipeline was compiled for the project in {pipeline.home}, which does not exist '
            'on this machine; copy the project there, or compile it here: thawline compile'
        )


def check_files(pipeline: Envelope) -> None:
    """Refuses a pipeline if the weights or the reviewed schema have changed since it was compiled.

    Raises:
        ConfigError: one of them has.
    """
    now = file_digests(pipeline.project)
    before = pipeline.files
    for is_same, what in (
        (now.weights == before.weights, pipeline.project.weights()),
        (now.schema_file == before.schema_file, str(pipeline.project.schema)),
    ):
        if not is_same:
            raise ConfigError(f'{what} has changed since the pipeline was compiled; {_AGAIN}')

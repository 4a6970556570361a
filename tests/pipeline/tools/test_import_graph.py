"""The layout's rules, on the code as it is and on small trees that break each of them."""

from __future__ import annotations

import pathlib
import re

import pytest

from thawline import ROOT
from thawline.pipeline.tools import import_graph

SOUND = {
    'thawline/pipeline/graph.py': 'from thawline.components.node.component import Node\n',
    'thawline/pipeline/commands/run.py': 'from thawline.pipeline.terminal import console\n',
    'thawline/pipeline/terminal/console.py': '',
    'thawline/components/node/component.py': (
        "from thawline.components.shared import errors\nCODE = 'thawline.components.user.code'\n"
    ),
    'thawline/components/shared/errors.py': '',
    'thawline/components/user/code.py': '',
}


def tree(home: pathlib.Path, **changes: str) -> pathlib.Path:
    for name, text in {
        **SOUND,
        **{k.replace('__', '/') + '.py': v for k, v in changes.items()},
    }.items():
        file = home / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        for folder in file.relative_to(home).parents:
            if folder.parts[1:]:
                (home / folder / '__init__.py').touch()
    return home


def test_the_code_keeps_to_the_layout():
    assert list(import_graph.problems()) == []


def test_a_sound_tree(tmp_path):
    assert list(import_graph.problems(tree(tmp_path))) == []


@pytest.mark.parametrize(
    ('changes', 'problem'),
    [
        (
            {'thawline__components__shared__errors': 'import thawline.pipeline.graph\n'},
            'components must not know the pipeline',
        ),
        (
            {'thawline__components__shared__errors': (
                'def late():\n    from thawline.components.node import component\n'
            )},
            'modules import each other',
        ),
        (
            {
                'thawline__pipeline__terminal__wide': 'from thawline.pipeline.commands import a\n',
                'thawline__pipeline__commands__a': '',
            },
            'folders import each other',
        ),
        (
            {'thawline__pipeline__graph': (
                'from thawline.components.node import component\n'
                'from thawline.pipeline.commands import run\n'
            )},
            'only commands import commands',
        ),
        ({'thawline__components__lonely__part': ''}, 'lonely.part is not reached from any node'),
        *(
            ({'thawline__components__user__code': code}, 'commands and terminal print')
            for code in (
                'def work():\n    print("done")\n',
                'import rich.console\n',
                'from rich import table\n',
                'import click\nclick.echo("done")\n',
                'from click import secho\n',
                'def work(console):\n    console.print("done")\n',
            )
        ),
        (
            {
                'thawline__pipeline__terminal__console': '',
                'thawline__pipeline__graph': (
                    'from thawline.components.node.component import Node\n'
                    'from thawline.pipeline.terminal.console import say\n'
                ),
            },
            'commands and terminal print',
        ),
        (
            {f'thawline__components__f{i}__a': f'from thawline.components.f{i + 1} import a\n'
             for i in range(7)} | {'thawline__components__f7__a': '',
             'thawline__components__user__code': 'from thawline.components.f0 import a\n'},
            'has 9 floors, at most 6',
        ),
    ],
)  # fmt: skip
def test_what_breaks_a_rule_is_named(tmp_path, changes, problem):
    found = list(import_graph.problems(tree(tmp_path, **changes)))
    assert any(problem in line for line in found), found


def test_the_map_in_the_docs_lists_every_folder_above_what_it_imports():
    page = (ROOT / 'docs/architecture.md').read_text('utf-8')
    named = re.findall(r'^\| `([\w/]+?)(?:/|\.py)?` \|', page, re.MULTILINE)
    listed = [f'thawline.{name.replace("/", ".")}' for name in named]
    files = import_graph.modules()
    folders = import_graph.folders(import_graph.imports(files), files)
    assert sorted(listed) == sorted(set(folders) - set(import_graph.PACKAGES))
    for name in listed:
        above = set(listed[: listed.index(name)])
        assert not folders[name] & above, name

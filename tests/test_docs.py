"""Commands that README and docs show are commands that there are, with options that there are.

`tests/e2e/test_documented_commands.py` runs them.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import click
import pytest

from thawline import ROOT
from thawline.pipeline import cli

PAGES = sorted([ROOT / 'README.md', *(ROOT / 'docs').glob('*.md')])
# The beginning of a line of code, or of code within a sentence.
IN_BLOCK = re.compile(r'^(?: {4}|\$ )\s*(?:\w+=\S+ )*(thawline .*)$', re.MULTILINE)
IN_LINE = re.compile(r'`(thawline [^`]+)`')


def commands(*patterns: re.Pattern[str]) -> Iterator[tuple[str, str]]:
    """Page and command, of all that the patterns find."""
    for page in PAGES:
        text = page.read_text('utf-8').replace('\\\n', ' ')
        for pattern in patterns:
            for command in pattern.findall(text):
                yield page.name, ' '.join(command.split())


def plain(line: str) -> str:
    """Without remarks, and without what may be left out."""
    line = re.split(r'\s#|;| \| | > |, then', line)[0]
    return re.sub(r'\[[^\]]*\]|\.\.\.|…', '', line)


def parse(line: str) -> None:
    """As the command line does, up to the point where values are looked at."""
    command: click.Command = cli.main
    arguments = shlex.split(plain(line))[1:]
    context = click.Context(command, info_name='thawline')
    while isinstance(command, click.Group) and arguments and arguments[0][0] != '-':
        name = arguments.pop(0)
        inner = command.get_command(context, name)
        if inner is None:
            raise click.UsageError(f'no command {name!r}')
        context = click.Context(inner, info_name=name, parent=context)
        command = inner
    command.make_parser(context).parse_args(arguments)


@pytest.mark.parametrize('page', [page.name for page in PAGES])
def test_commands_of_a_page_exist_with_their_options(page: str) -> None:
    wrong = []
    for name, line in commands(IN_BLOCK, IN_LINE):
        if name != page:
            continue
        try:
            parse(line)
        except (click.UsageError, ValueError) as error:
            wrong.append(f'{line}: {error}')
    assert wrong == []


def test_there_are_commands_and_wrong_ones_are_noticed() -> None:
    lines = list(commands(IN_BLOCK, IN_LINE))
    assert len(lines) > 100 and ('README.md', 'thawline run my_project') in lines
    for line in ('thawline runn', 'thawline run --no-such-option', 'thawline schedule no-such'):
        with pytest.raises(click.UsageError):
            parse(line)

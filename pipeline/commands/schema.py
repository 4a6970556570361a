"""`thawline schema`: proposes a schema, says how the data differ from it, and takes that over."""

from __future__ import annotations

import contextlib
import pathlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click
import rich.console
import rich.text

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.text import abbreviate
from thawline.pipeline.commands.arguments import is_project, load, project_argument
from thawline.pipeline.system import log_redirect
from thawline.pipeline.terminal.console import say, say_after, spinner, wide_console
from thawline.pipeline.terminal.exit_codes import Outcome

if TYPE_CHECKING:
    from thawline.components.data_gate.schema_change import SchemaChange
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.schema_review.comparison import SchemaComparison
    from thawline.pipeline.schema_review.evidence import Evidence

_EXAMPLES = 3  # images named for a difference
_NAME_WIDTH = 22  # columns for names of differences; longer ones push their line to the right
_HEADER = """\
# Schema of {name}'s images and labels, inferred in run {run}.
# Review it like code and keep it beside thawline.yaml: every run then checks the data against it.
# What a run does about each kind of difference: data_gate in thawline.yaml (docs/schema.md).
# - string_domain: the classes, formats and values that there may be.
# - presence.min_fraction: share of images that must have the feature.
# - min, max: the range of a number; that of the images with a margin.
# - tags and drift_comparator of source_format: the shares of the formats, and the largest shift.

"""


class _Group(click.Group):
    """Takes `thawline schema [CONFIG] [--force]` for `thawline schema infer`, which it was."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if is_project(arguments[0]) or arguments[0] == '--force':
            arguments = [infer.name or '', *arguments]
        return super().resolve_command(context, arguments)


@click.group(cls=_Group, context_settings={'ignore_unknown_options': True})
def command() -> None:
    """Write and review the schema that runs check the data against.

    `infer` writes a proposal. Once you have reviewed it, `diff` and `review` show how the images
    of the latest run differ from it, and `accept` takes differences into it.
    """


@command.command()
@project_argument
@click.option('--force', is_flag=True, help='Replace the reviewed schema.')
def infer(project: Project, force: bool) -> None:
    """Write a schema for review, inferred from the latest run.

    Beside a reviewed schema the proposal is a file of its own; without --force nothing is
    overwritten.
    """
    from thawline.pipeline.config import curated_schema
    from thawline.pipeline.schema_review import latest_data

    data = latest_data.find(project)
    with _tensorflow(project):
        from thawline.components.data_gate.split_statistics import SplitStatistics
        from thawline.pipeline.schema_review import proposal

        statistics = data.read_statistics()
        proposed = proposal.propose(
            curated_schema.read_rules(),
            proposal.infer(statistics.values()),
            SplitStatistics(statistics),
        )
    target = project.schema
    if target.exists() and not force:
        target = target.with_suffix(f'.proposed{target.suffix}')
    files.write_text(target, _HEADER.format(name=project.name, run=data.run.id) + proposed)
    console = wide_console(sys.stdout)
    if target == project.schema:
        say(console, f'wrote {target}; review it, put it under version control, and run again')
        return
    say(console, f'wrote {target}; {project.schema} stays as it is')
    following = project.command_line('thawline schema diff')
    say(console, f'  next    {following}      how the images differ from the reviewed one')


@command.command()
@project_argument
def diff(project: Project) -> None:
    """Say how the images of the latest run differ from the reviewed schema.

    Exit code: 0 without a difference, 4 with one or more; as of a run, 2 for a damaged schema.
    """
    console = wide_console(sys.stdout)
    comparison = _compare(project)
    lines = comparison.lines
    width = min(max((len(line.name) for line in lines), default=0), _NAME_WIDTH)
    for line in lines:
        head = f'  {comparison.action(line.kind)}  {line.name:<{width}}  '
        say_after(console, rich.text.Text(head), rich.text.Text(line.message))
    if comparison.unusable:
        say(console, f'  {comparison.action("quarantined")}  {comparison.unusable.message}')
    _print_count(console, project, comparison)
    if lines:
        look = project.command_line('thawline schema review')
        take = project.command_line('thawline schema accept --all')
        say(console, f'  next    {look:<{len(take)}}    with the images behind each')
        say(console, f'  next    {take}    or NAME, where that is right')
    if lines or comparison.unusable:
        sys.exit(Outcome.STOPPED_BY_DATA)


@command.command()
@project_argument
def review(project: Project) -> None:
    """Show each difference with its images; on a terminal, ask whether to accept it."""
    console = wide_console(sys.stdout)
    comparison = _compare(project)
    lines = comparison.lines
    with _tensorflow(project):
        from thawline.pipeline.schema_review import evidence

        images = evidence.gather(lines, comparison.schema, comparison.example_files, _EXAMPLES)
    asks = console.is_terminal and sys.stdin.isatty()
    accepted: list[SchemaChange] = []
    for line, of_line in zip(lines, images, strict=True):
        say(console, (line.name, 'bold'), f'  ({comparison.action(line.kind)})')
        say(console, f'  {line.message}')
        _print_images(console, of_line)
        if not asks:
            say(console, f'  accept  {project.command_line(line.accept)}')
        elif click.confirm('  accept it?', default=False):
            accepted += line.changes
    if comparison.unusable:
        say(console, ('quarantined', 'bold'), f'  ({comparison.action("quarantined")})')
        say(console, f'  {comparison.unusable.message}')
        paths = comparison.unusable_paths()
        say(console, f'  files   {abbreviate(paths, _EXAMPLES)}')
    _print_count(console, project, comparison)
    if accepted:
        _accept(console, project, comparison, accepted)


def _print_images(console: rich.console.Console, of_line: Evidence) -> None:
    if of_line.images:
        more = of_line.images - len(of_line.paths)
        rest = f' and {more:,} more' if more else ''
        paths = f'{", ".join(of_line.paths)}{rest}'
        say_after(console, rich.text.Text('  images  '), rich.text.Text(paths))


@command.command()
@click.argument('names', nargs=-1, metavar='[NAME]... [CONFIG]')
@click.option('--all', 'everything', is_flag=True, help='Accept all differences.')
def accept(names: Sequence[str], everything: bool) -> None:
    """Take differences into the reviewed schema, by the names that `diff` prints.

    NAME is a difference such as class:bees, all values of a column such as value:meta_site, or a
    kind such as new_class. Comments and order of the file stay.
    """
    from thawline.components.data_gate import schema_change

    config = None
    if names and is_project(names[-1]):
        *names, last = names
        config = pathlib.Path(last)
    if bool(names) == everything:
        raise ConfigError(
            'name the differences to accept, or give --all; see: thawline schema diff'
        )
    project = load(config)
    comparison = _compare(project)
    if everything:
        chosen = comparison.shown
    else:
        chosen, unknown = schema_change.select(comparison.changes, names)
        if unknown:
            there = abbreviate((line.name for line in comparison.lines), 10) or 'none'
            raise ConfigError(f'no difference is named {", ".join(unknown)}; there are: {there}')
    console = wide_console(sys.stdout)
    if not chosen:
        _print_count(console, project, comparison)
        return
    _accept(console, project, comparison, chosen)


def _accept(
    console: rich.console.Console,
    project: Project,
    comparison: SchemaComparison,
    changes: Sequence[SchemaChange],
) -> None:
    from thawline.components.data_gate import schema_change
    from thawline.pipeline.schema_review import acceptance, reviewed_schema, schema_text

    with _tensorflow(project):
        accepted, by_hand = acceptance.accept(comparison.schema, changes, comparison.statistics)
    changes = [change for change in changes if change.name not in {of.name for of in by_hand}]
    for change in by_hand:
        say(console, f'  left      {change.name}  {change.message}; change this rule by hand')
    if not changes:
        raise ConfigError(f'{project.schema} stays as it is')
    text = schema_text.edit(comparison.text, comparison.schema, accepted)
    reviewed_schema.replace(project, comparison.text, text)
    for line in schema_change.lines(changes):
        head = rich.text.Text(f'  accepted  {line.name}  ')
        say_after(console, head, rich.text.Text(line.message))
    left = len(comparison.shown) - len(changes)
    rest = f', {left:,} left' if left > 0 else ''
    say(console, f'wrote {project.schema}: {len(changes):,} accepted{rest}')
    say(console, f'  next    {project.command_line("thawline run")}')


def _compare(project: Project) -> SchemaComparison:
    from thawline.pipeline.schema_review import comparison

    inputs = comparison.inputs(project)
    with _tensorflow(project):
        return comparison.compare(*inputs, project.config.data_gate)


def _print_count(
    console: rich.console.Console, project: Project, comparison: SchemaComparison
) -> None:
    count = len(comparison.shown) + bool(comparison.unusable)
    number = {0: 'no difference', 1: '1 difference'}.get(count, f'{count:,} differences')
    say(
        console,
        f'{number} between {project.schema} and the {comparison.images:,} images of run '
        f'{comparison.data.run.id}',
    )


@contextlib.contextmanager
def _tensorflow(project: Project) -> Iterator[Any]:
    """Where TensorFlow is imported and used: its messages go to a log."""
    with (
        log_redirect.redirect_output(project.logs / 'schema.log') as terminal,
        spinner(rich.console.Console(file=terminal), 'starting TensorFlow'),
    ):
        yield

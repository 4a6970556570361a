"""Commands for schedulers: compile the pipeline, run its nodes. Imports are light, as in `cli`."""

from __future__ import annotations

import pathlib

import click

from thawline.pipeline.commands.arguments import config_argument, engine_option

_RUN_NODE = """Runs one or more nodes of a compiled pipeline as part of a run.

Nodes that are complete in this run already are left as they are. Processes with the same run id
work on the same run, one after the other or at the same time.

\b
Exit codes:
  0    all nodes complete
  1    a node failed
  2    bad configuration
  3    the model was not pushed, with the Pusher among the nodes
  4    stopped by data
  5    not run: inputs are missing
  130  interrupted
"""


@click.command('compile')
@config_argument
@click.option(
    '--out',
    type=click.Path(path_type=pathlib.Path),
    metavar='FILE',
    help="Write it there; by default pipeline.json in the project's output folder.",
)
def compile_(config: pathlib.Path | None, out: pathlib.Path | None) -> None:
    """Compiles the pipeline to a file that schedulers and `thawline run-node` read."""
    from thawline.pipeline.commands import compile
    from thawline.pipeline.config import loading
    from thawline.pipeline.terminal import exit_codes

    compile.execute(loading.load_project(config), out)
    exit_codes.leave(exit_codes.Outcome.BLESSED)


@click.command('run-node', help=_RUN_NODE)
@click.option(
    '--ir',
    'path',
    required=True,
    type=click.Path(path_type=pathlib.Path),
    metavar='FILE',
    help='What `thawline compile` wrote.',
)
@click.option(
    '--node', 'nodes', required=True, multiple=True, metavar='NODE', help='May be repeated.'
)
@click.option('--run-id', required=True, metavar='ID', help='The run that the nodes belong to.')
@click.option('--force', is_flag=True, help='Run nodes again that are complete, without the cache.')
@engine_option
def run_node(
    path: pathlib.Path, nodes: tuple[str, ...], run_id: str, force: bool, engine: str | None
) -> None:
    """See `_RUN_NODE`: click's mark for text that keeps its lines is no docstring's."""
    from thawline.pipeline.runners import run_nodes
    from thawline.pipeline.terminal import exit_codes

    exit_codes.leave(run_nodes.execute(path, nodes, run_id, force, engine))


COMMANDS = (compile_, run_node)

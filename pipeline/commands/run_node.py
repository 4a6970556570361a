"""`thawline run-node`: what a scheduler's task calls."""

from __future__ import annotations

import pathlib

import click

from thawline.pipeline.commands.arguments import PATH, engine_option

_HELP = """Run one or more nodes of a compiled pipeline.

Nodes that have completed in this run are skipped. Processes with the same run id work on the same
run, one after another or in parallel.

\b
Exit codes:
  0    all nodes complete
  1    a node failed
  2    bad configuration, or a file or node does not exist
  3    the Pusher was among the nodes and did not push the model
  4    stopped by data
  5    not run: inputs are missing
  6    not run: another process is at work; try again later
  7    a server or disk is unavailable; try again later
  130  interrupted
"""


@click.command(help=_HELP)
@click.option(
    '--ir', 'path', required=True, type=PATH, metavar='FILE',
    help='The file that `thawline compile` wrote.',
)  # fmt: skip
@click.option(
    '--node', 'nodes', required=True, multiple=True, metavar='NODE', help='May be repeated.'
)
@click.option('--run-id', required=True, metavar='ID', help='The run the nodes belong to.')
@click.option('--force', is_flag=True, help='Rerun completed nodes, without the cache.')
@engine_option
def command(
    path: pathlib.Path, nodes: tuple[str, ...], run_id: str, force: bool, engine: str | None
) -> None:
    from thawline.pipeline.runners import run_nodes
    from thawline.pipeline.terminal import exit_codes

    exit_codes.leave(run_nodes.execute(path, nodes, run_id, force, engine))

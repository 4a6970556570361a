"""What several commands of `thawline` take."""

from __future__ import annotations

import pathlib
import typing

import click

from thawline.pipeline.config.task_grouping import Policy

config_argument = click.argument(
    'config', required=False, type=click.Path(path_type=pathlib.Path), metavar='[CONFIG]'
)
engine_option = click.option(
    '--engine',
    metavar='ENGINE',
    help="Beam's engine in place of beam.engine: local, multiprocess, portable, flink, spark, "
    'dataflow.',
)
group_option = click.option(
    '--group',
    type=click.Choice(typing.get_args(Policy)),
    help='Nodes that share a task: none, cheap ones with the one before, those of a phase, or all '
    'but the push.',
)

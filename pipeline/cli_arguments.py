"""What several commands of `thawline` take."""

from __future__ import annotations

import pathlib

import click

config_argument = click.argument(
    'config', required=False, type=click.Path(path_type=pathlib.Path), metavar='[CONFIG]'
)
engine_option = click.option(
    '--engine',
    metavar='ENGINE',
    help="Beam's engine in place of beam.engine: local, multiprocess, portable, flink, spark, "
    'dataflow.',
)

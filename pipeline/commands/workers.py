"""`thawline workers`: Beam's workers beside a cluster's own."""

from __future__ import annotations

import logging
import os

import click

from thawline.pipeline.terminal.console import echo


@click.command()
@click.option(
    '--port', metavar='PORT', default=50000, show_default=True, type=click.IntRange(1, 65_535)
)
@click.option(
    '--processes',
    metavar='N',
    default=os.cpu_count() or 1,
    type=click.IntRange(1, 256),
    help='Default: one per core; each needs about 1 GB.',
)
def command(port: int, processes: int) -> None:
    """Serve Beam workers to a Flink or Spark worker on this machine.

    Start one beside each TaskManager, with the Thawline version that starts the runs. It executes
    any code it receives, so it listens on loopback only. It runs until Ctrl-C.
    """
    from thawline.components.shared.errors import ConfigError
    from thawline.pipeline.engines import worker_pool

    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s')
    echo(f'starting {processes} processes; each imports TensorFlow and TFX first')
    try:
        worker_pool.run(port, processes)
    except RuntimeError as error:
        raise ConfigError(f'cannot serve workers on port {port}: {error}') from error
    except KeyboardInterrupt:
        echo('stopped')

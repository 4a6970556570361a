"""Commands for Beam's engines. Imports are light, as in `cli`."""

from __future__ import annotations

import logging
import os

import click


@click.command()
@click.option('--port', default=50000, show_default=True, type=click.IntRange(1, 65_535))
@click.option(
    '--processes',
    default=os.cpu_count() or 1,
    type=click.IntRange(1, 256),
    help='By default one a core; each needs about 1 GB.',
)
def workers(port: int, processes: int) -> None:
    """Serves Beam's workers to a Flink or Spark worker on the same machine, until Ctrl-C.

    It runs whatever code it is sent, so it listens on the loopback interface alone. Run one beside
    each TaskManager, with the same version of Thawline as where runs are started.
    """
    from thawline.components.shared.errors import ConfigError
    from thawline.pipeline.engines import worker_pool

    logging.basicConfig(level=logging.INFO, format='%(asctime)s %(levelname)s %(message)s')
    click.echo(f'starting {processes} processes; each imports TensorFlow and TFX first')
    try:
        worker_pool.run(port, processes)
    except RuntimeError as error:
        raise ConfigError(f'workers cannot be served at port {port}: {error}') from error
    except KeyboardInterrupt:
        click.echo('stopped')


COMMANDS = (workers,)

"""The engine of a run: which Beam options each node gets, with whatever has to run around it.

Nothing is started before a node is about to run: what comes from the cache costs nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Self

from thawline.components.shared import progress
from thawline.pipeline.config.beam import Beam
from thawline.pipeline.engines import (
    beam_options,
    job_cancellation,
    spark_wait,
    worker_count,
    worker_errors,
)
from thawline.pipeline.engines.services import Services

_WITH_SERVICES = ('portable', 'flink', 'spark')


@dataclasses.dataclass(frozen=True)
class Placed:
    """Where a node runs.

    Attributes:
        options: of Beam.
        workers: 0 for this process.
        words: for people: `flink, 2 workers`.
        job: its name at the job server.
    """

    options: tuple[str, ...]
    workers: int
    words: str
    job: str


class Engine:
    """Runs nodes where the configuration says; a context that ends what it started."""

    def __init__(self, beam: Beam, pipeline: str, home: pathlib.Path, folder: pathlib.Path) -> None:
        """Starts nothing.

        Args:
            beam: the settings.
            pipeline: its name.
            home: what paths in the settings are relative to.
            folder: for the logs of what is started.
        """
        self._beam, self._pipeline = beam, pipeline
        self._services = Services(beam, home, folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._services.close()

    @property
    def sizes(self) -> bool:
        """Whether a node's workers depend on how much it reads."""
        return self._beam.engine != 'local' and self._beam.workers == 'auto'

    def place(self, node: str, megabytes: float, number: str) -> Placed:
        """Decides where a node runs, and has ready what that takes.

        Args:
            node: its id.
            megabytes: that it reads; without meaning where not `sizes`.
            number: tells its jobs from those of all others.

        Raises:
            ConfigError: the engine is not there.
        """
        beam, workers = self._beam, 0
        if beam.engine != 'local':
            workers = (
                beam.workers
                if beam.workers != 'auto'
                else worker_count.workers(beam.engine, node, megabytes, beam.most_workers)
            )
        if workers == 0:
            words = 'this process'
            if beam.engine != 'local':
                words += f': {megabytes:,.0f} MB are too few for {beam.engine}'
            return Placed(tuple(beam_options.in_process(beam)), 0, words, '')
        workers = worker_count.within(
            workers, self._services.slots(), is_given=beam.workers != 'auto'
        )
        endpoints = self._services.endpoints() if beam.engine in _WITH_SERVICES else None
        job = beam_options.job_name(self._pipeline, node, number)
        words = f'{beam.engine}, {workers} worker{"" if workers == 1 else "s"}'
        return Placed(tuple(beam_options.of(beam, workers, endpoints, job)), workers, words, job)

    @contextlib.contextmanager
    def running(self, placed: Placed) -> Iterator[None]:
        """For the time of the block a node runs there; its job ends with the block.

        Beam waits for a job but does not cancel it when the waiting ends: on a cluster it would go
        on, and write where the next attempt writes.

        Raises:
            UserError: a worker raised it; as what arrives, it would look like a crash.
        """
        on_spark = self._beam.engine == 'spark' and placed.workers
        log = self._services.job_log if on_spark else None
        with (
            progress.elsewhere(placed.words if placed.workers else ''),
            spark_wait.told(log, placed.words),
        ):
            if placed.workers:
                progress.start('')  # TFX's own nodes say nothing of what they do
            try:
                yield
            except BaseException as error:
                self._cancel(placed)
                mended = worker_errors.user_error(error)
                if mended is not None:
                    raise mended from error
                raise

    def _cancel(self, placed: Placed) -> None:
        """Jobs of our own services end with them, but for Flink's."""
        beam = self._beam
        if not placed.job or beam.engine not in _WITH_SERVICES:
            return
        if beam.job_endpoint is not None:
            job_cancellation.cancel(beam.job_endpoint, placed.job)
        elif beam.engine == 'flink':
            job_cancellation.cancel_on_flink(beam.flink.master, placed.job)

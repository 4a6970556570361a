"""The engine of a run: where each node runs, and the services that this takes.

Services start when the first node needs them: a run served from the cache costs nothing.
"""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib
from collections.abc import Iterator
from typing import Self

from thawline.components.shared import progress
from thawline.components.shared.content_store import Store
from thawline.pipeline.config.beam import LOCAL_ENGINES, Beam
from thawline.pipeline.config.project import Project
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
class Placement:
    """Where a node runs: in this process with 0 workers, else as a job of this name."""

    options: tuple[str, ...]
    workers: int
    description: str  # `flink, 2 workers`
    job: str


class Engine:
    """Decides where nodes run; a context that ends the services it started."""

    def __init__(
        self,
        beam: Beam,
        pipeline: str,
        home: pathlib.Path,
        folder: pathlib.Path,
        store: Store | None = None,
    ) -> None:
        """Starts nothing.

        Args:
            beam: settings; paths in them are relative to `home`.
            pipeline: its name.
            home: folder of the project file.
            folder: for logs.
            store: of the project, on a disk of this machine; None: nodes use none.
        """
        self._beam, self._pipeline, self._store = beam, pipeline, store
        self._services = Services(beam, home, folder)

    @classmethod
    def of(cls, project: Project) -> Self:
        """The engine of a project's runs, with its store unless that is switched off."""
        store = project.content_store if project.config.data.store.enabled else None
        beam = project.config.beam
        return cls(beam, project.name, project.home, project.engine_logs, store)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._services.close()

    @property
    def needs_input_size(self) -> bool:
        """Whether a node's workers depend on how much it reads."""
        return self._beam.engine != 'local' and self._beam.workers == 'auto'

    def place(self, node: str, megabytes: float, number: str) -> Placement:
        """Decides where a node runs and makes the services ready.

        Args:
            node: its id.
            megabytes: that it reads; ignored unless `needs_input_size`.
            number: makes the name of its job unique.
        """
        beam, workers = self._beam, 0
        if beam.engine != 'local':
            workers = (
                beam.workers
                if beam.workers != 'auto'
                else worker_count.workers(beam.engine, node, megabytes, beam.worker_limit)
            )
        if workers == 0:
            description = 'this process'
            if beam.engine != 'local':
                description += f': {megabytes:,.0f} MB are too few for {beam.engine}'
            return Placement(tuple(beam_options.in_process(beam)), 0, description, '')
        workers = worker_count.limit_to_slots(
            workers, self._services.slots(), is_explicit=beam.workers != 'auto'
        )
        endpoints = self._services.endpoints() if beam.engine in _WITH_SERVICES else None
        job = beam_options.job_name(self._pipeline, node, number)
        description = f'{beam.engine}, {workers} worker{"" if workers == 1 else "s"}'
        options = beam_options.of_node(beam, workers, endpoints, job)
        return Placement(tuple(options), workers, description, job)

    def store_for(self, placement: Placement) -> Store | None:
        """The project's store, where all workers of a node are on this machine."""
        here = self._beam.engine in LOCAL_ENGINES and self._beam.job_endpoint is None
        return self._store if here or not placement.workers else None

    @contextlib.contextmanager
    def supervise(self, placement: Placement) -> Iterator[None]:
        """Runs a node in the block; its job ends with the block.

        Beam does not cancel a job when it stops waiting for it: on a cluster it would go on, and
        write where the next attempt writes.

        Raises:
            UserError: a worker raised it; in the form in which it arrives it looks like a crash.
        """
        on_spark = self._beam.engine == 'spark' and placement.workers
        log = self._services.job_log if on_spark else None
        with (
            progress.elsewhere(placement.description if placement.workers else ''),
            spark_wait.report_waiting(log, placement.description),
        ):
            if placement.workers:
                progress.start('')  # TFX's own nodes report nothing
            try:
                yield
            except BaseException as error:
                self._cancel(placement)
                user_error = worker_errors.user_error(error)
                if user_error is not None:
                    raise user_error from error
                raise

    def _cancel(self, placement: Placement) -> None:
        """Cancels a job that would outlive our own services: at a given job server, or on Flink."""
        beam = self._beam
        if not placement.job or beam.engine not in _WITH_SERVICES:
            return
        if beam.job_endpoint is not None:
            job_cancellation.cancel(beam.job_endpoint, placement.job)
        elif beam.engine == 'flink':
            job_cancellation.cancel_on_flink(beam.flink.master, placement.job)

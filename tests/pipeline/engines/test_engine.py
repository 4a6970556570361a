"""Which nodes may use the store of the project."""

from __future__ import annotations

import pathlib

import pytest

from thawline.components.shared.content_store import Store
from thawline.pipeline.config.beam import Beam
from thawline.pipeline.engines.engine import Engine, Placement


@pytest.mark.parametrize(
    ('engine', 'workers', 'expected'),
    [
        ('local', 0, True),
        ('multiprocess', 2, True),
        ('portable', 2, True),
        ('flink', 0, True),  # few images: in this process after all
        ('flink', 2, False),
        ('spark', 2, False),
    ],
)
def test_only_workers_of_this_machine_use_the_store(
    tmp_path: pathlib.Path, engine: str, workers: int, expected: bool
) -> None:
    store = Store(tmp_path, 1)
    section = {engine: {'job_server': 'server.jar'}} if engine in ('flink', 'spark') else {}
    beam = Beam.model_validate({'engine': engine, **section})
    placed = Placement((), workers, '', '')
    assert Engine(beam, 'p', tmp_path, tmp_path, store).store_for(placed) == (
        store if expected else None
    )
    assert Engine(beam, 'p', tmp_path, tmp_path).store_for(placed) is None


def test_a_job_server_elsewhere_has_other_disks(tmp_path: pathlib.Path) -> None:
    beam = Beam.model_validate({'engine': 'portable', 'job_endpoint': 'somewhere:8099'})
    engine = Engine(beam, 'p', tmp_path, tmp_path, Store(tmp_path, 1))
    assert engine.store_for(Placement((), 2, '', '')) is None

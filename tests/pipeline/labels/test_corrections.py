"""Answers become rows of labels.csv."""

from __future__ import annotations

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from thawline.components.ingestion import label_overlay
from thawline.components.ingestion.label_overlay import Correction
from thawline.components.shared.errors import ConfigError, DataError, NotFound
from thawline.pipeline.labels import corrections
from thawline.pipeline.labels.corrections import Merge
from thawline.pipeline.labels.exchange import Answer

A, B, C, D = ('a' * 32, 'b' * 32, 'c' * 32, 'd' * 32)
LABELS = {A: frozenset({'ants'}), B: frozenset({'bees'}), C: frozenset({''})}


def answer(image_id: str, label: str, explicit: bool = True) -> Answer:
    return Answer(image_id, label, '', '', f'x.json, task {image_id[0]}', explicit)


def merge(*answers: Answer, earlier: tuple[Correction, ...] = ()) -> Merge:
    return corrections.merge(earlier, answers, LABELS, 'Ada', '2026-11-30', 'audit')


def test_answers_are_counted_and_kept_with_who_when_and_why() -> None:
    result = merge(answer(A, 'bees'), answer(B, 'bees'), answer(C, ''), answer(D, 'ants'))
    assert (result.corrected, result.confirmed, result.left_out) == (1, 2, 0)
    assert [a.image_id for a in result.unknown] == [D]
    first = result.rows[0]
    assert (first.image_id, first.label, first.who, first.why) == (A, 'bees', 'Ada', 'audit')


def test_present_labels_that_nobody_surely_looked_at_are_no_confirmations() -> None:
    result = merge(answer(A, 'ants', explicit=False), answer(B, 'ants', explicit=False))
    assert (result.unchanged, result.corrected) == (1, 1)
    assert [row.image_id for row in result.rows] == [B]


def test_export_from_before_a_correction_does_not_take_it_back() -> None:
    earlier = (Correction(A, 'bees', 'Bo'),)
    result = merge(answer(A, 'ants', explicit=False), earlier=earlier)
    assert (result.unchanged, result.rows[0].label) == (1, 'bees')
    assert merge(answer(A, 'ants'), earlier=earlier).rows[0].label == 'ants'
    left_out = (Correction(D, '', 'Bo'),)
    result = merge(answer(D, 'ants', explicit=False), earlier=left_out)
    assert (result.unchanged, result.rows[0].label) == (1, '')


def test_a_later_answer_replaces_an_earlier_one() -> None:
    earlier = (Correction(A, 'bees', 'Bo', '2026', 'x'), Correction(B, 'bees', 'Bo', '2026', 'x'))
    result = merge(answer(A, ''), answer(B, 'bees'), earlier=earlier)
    assert [(row.label, row.who) for row in result.rows] == [('', 'Ada'), ('bees', 'Bo')]
    assert (result.left_out, result.confirmed) == (1, 1)


def test_export_of_another_project_is_refused() -> None:
    with pytest.raises(DataError, match='another one'):
        merge(answer(D, 'ants'))


def test_class_that_looks_like_a_slip_is_refused_with_its_place() -> None:
    with pytest.raises(DataError, match="'bee'.* mean 'bees'.*task a"):
        merge(answer(A, 'bee'))


def test_file_is_read_as_it_was_written(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'labels.csv'
    rows = (
        Correction(A, '=1+1', '@ada', '2026', 'a "quoted", long\nreason', 2),
        Correction(B, '', line=4),
    )
    corrections.write(str(path), rows)
    assert "'=1+1" in path.read_text()
    again = label_overlay.read(str(path))
    assert [(r.image_id, r.label, r.who, r.why) for r in again] == [
        (r.image_id, r.label, r.who, r.why) for r in rows
    ]
    with pytest.raises(ConfigError, match='gs://'):
        corrections.write('gs://b/labels.csv', rows)


def test_killed_import_leaves_the_file_as_it_was(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'labels.csv'
    corrections.write(str(path), (Correction(A, 'ants'),))
    before = path.read_bytes()
    code = (
        'import os, signal, sys\n'
        'from thawline.components.ingestion.label_overlay import Correction\n'
        'from thawline.pipeline.labels import corrections\n'
        'os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n'
        'rows = [Correction(f"{i:032x}", "bees") for i in range(1000)]\n'
        'corrections.write(sys.argv[1], rows)\n'
    )
    ended = subprocess.run([sys.executable, '-c', code, str(path)], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL
    assert path.read_bytes() == before


def test_remove() -> None:
    rows = (Correction('a1' + A[2:], 'x'), Correction('a2' + A[2:], 'y'))
    assert corrections.remove(rows, 'A1') == rows[1:]
    with pytest.raises(ConfigError, match='2 images'):
        corrections.remove(rows, 'a')
    for missing in ('b', ''):
        with pytest.raises(NotFound):
            corrections.remove(rows, missing)

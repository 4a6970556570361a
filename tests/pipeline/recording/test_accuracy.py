"""Accuracy on recorded images that people labelled."""

from __future__ import annotations

import pathlib

import pytest

from tests.pipeline.recording import made_recording
from thawline.components.statistics import proportions
from thawline.pipeline.recording import accuracy, sample

IMAGES = [str(number).encode() for number in range(40)]


def label(folder: pathlib.Path, labels: dict[str, str]) -> None:
    rows = [f'{name},{text}' for name, text in labels.items()]
    accuracy.labels_file(folder).write_text('\n'.join(['image_id,label', *rows, '']))


def test_answers_beside_labels(tmp_path: pathlib.Path) -> None:
    ids = made_recording.record(tmp_path, IMAGES, ['ants'] * 40)
    made_recording.record(tmp_path, IMAGES[:5], ['bees'] * 5, model=13)  # of another model
    assert accuracy.measure(tmp_path, 12) is None  # nobody labelled any
    drawn = sample.random_order(ids, accuracy.SEED)
    truth = ['ants'] * 15 + ['bees'] * 3 + ['']
    label(tmp_path, dict(zip(drawn, truth, strict=False)))
    measured = accuracy.measure(tmp_path, 12)
    assert measured is not None
    interval = proportions.anytime_interval(15, 19)
    assert (measured.share, measured.lower) == (15 / 19, interval.lower)
    assert (measured.images, measured.of_no_class, measured.passed_over) == (19, 1, 0)
    assert accuracy.measure(tmp_path, 99) is None

    # Of images that were drawn, some got no label.
    label(tmp_path, {name: 'ants' for name in (*drawn[:10], *drawn[14:20])})
    measured = accuracy.measure(tmp_path, 12)
    assert measured is not None and (measured.images, measured.passed_over) == (16, 4)


def test_a_longer_queue_begins_with_the_shorter_one() -> None:
    names = [f'{number:032x}' for number in range(100)]
    some = sample.random_order(names[:50], accuracy.SEED)
    everything = sample.random_order(names, accuracy.SEED)
    assert [name for name in everything if name in set(some)] == some
    assert some != sorted(some) and set(everything[:50]) != set(names[:50])


@pytest.mark.parametrize('seed', ['a', 'b'])
def test_the_order_has_nothing_to_do_with_the_names(seed: str) -> None:
    names = [f'{number:032x}' for number in range(1000)]
    first = sample.random_order(names, seed)[:200]
    assert 60 <= sum(name < names[500] for name in first) <= 140

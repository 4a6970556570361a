"""Runs the probe in a process of its own and waits for it, whatever becomes of it."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from thawline.components.evaluation.predictions import NOT_ASKED, Predictions
from thawline.components.ingestion import examples
from thawline.components.serving_check import judgement
from thawline.components.serving_check.params import ServingCheckSettings
from thawline.components.serving_check.record import ServingCheckRecord
from thawline.components.shared import parent_death, progress
from thawline.components.shared.splits import VAL

# A program, not a module: it must be able to run where nothing of this project is installed.
PROGRAM = pathlib.Path(__file__).with_name('probe.py')
_TICK = 0.1
_START_SECONDS = 300.0  # for the import of TensorFlow, on a machine that is busy


@dataclasses.dataclass(frozen=True)
class Replay:
    """Val images as ingested, with what was evaluated.

    Attributes:
        serialized: tf.Examples.
        labels: that the model answered.
        probabilities: float32 [N, C].
    """

    serialized: tuple[bytes, ...]
    labels: tuple[str, ...]
    probabilities: np.ndarray


def replay(files: Sequence[str], table: Predictions, most: int) -> Replay:
    """The first `most` images of the val files that were evaluated."""
    rows = {
        str(name): row
        for row, (name, split) in enumerate(zip(table.ids, table.splits, strict=True))
        if split == VAL and table.served_answers[row] != NOT_ASKED
    }
    some: list[bytes] = []
    places: list[int] = []
    for record in tf.data.TFRecordDataset(list(files), compression_type='GZIP'):
        if len(some) == most:
            break
        serialized = record.numpy()
        name = examples.text(tf.train.Example.FromString(serialized), 'image_id')
        if name in rows:
            some.append(serialized)
            places.append(rows[name])
    labels = tuple(table.classes[table.served_answers[place]] for place in places)
    return Replay(tuple(some), labels, table.served_probabilities[places])


def check(model: pathlib.Path, replay: Replay, limits: ServingCheckSettings) -> ServingCheckRecord:
    """Has a fresh process load the model and asks it.

    Args:
        model: folder of the SavedModel.
        replay: at least one image.
        limits: what it must reach.
    """
    began = time.monotonic()
    progress.start('asking the exported model')
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        with tf.io.TFRecordWriter(str(folder / 'examples')) as writer:
            for serialized in replay.serialized:
                writer.write(serialized)
        questions = {
            'model': str(model),
            'examples': str(folder / 'examples'),
            'answers': str(folder / 'answers'),
            'timeout': limits.timeout_seconds,
            'started': time.time(),
            'huge_pixels': limits.huge_pixels,
        }
        (folder / 'questions.json').write_text(json.dumps(questions), 'utf-8')
        ending = _run(folder, limits.timeout_seconds)
        answers = folder / 'answers'
        messages = judgement.lines(answers.read_text('utf-8')) if answers.is_file() else []
    seconds = time.monotonic() - began
    return judgement.judge(messages, replay.labels, replay.probabilities, limits, ending, seconds)


def _environment() -> dict[str, str]:
    """Without accelerators: the memory of those is taken by the process that asks."""
    return {**os.environ, 'CUDA_VISIBLE_DEVICES': '-1', 'TF_CPP_MIN_LOG_LEVEL': '2'}


def _run(folder: pathlib.Path, timeout: float) -> str:
    """Runs the probe to its end; returns how it ended badly, in words, or nothing.

    The time limit is one a request: the probe says each before it asks it.
    """
    with open(folder / 'stderr', 'wb') as errors:
        process = subprocess.Popen(
            # -I: neither this folder nor PYTHONPATH can be imported from.
            parent_death.command(
                [sys.executable, '-I', str(PROGRAM), str(folder / 'questions.json')]
            ),
            cwd=folder, env=_environment(), stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=errors,
        )  # fmt: skip
        try:
            hanging = _wait(process, folder / 'answers', timeout)
        finally:
            if process.poll() is None:  # also where somebody stops the run
                process.kill()
                process.wait()
    if hanging:
        return f'nothing came within {timeout:g} s'
    if process.returncode < 0:
        return f'the process died of {signal.Signals(-process.returncode).name}'
    if process.returncode:
        text = (folder / 'stderr').read_text('utf-8', 'replace').strip()
        last = text.splitlines()[-1] if text else 'no message'
        return f'the process ended with code {process.returncode} ({last[:300]})'
    return ''


def _wait(process: subprocess.Popen[Any], answers: pathlib.Path, timeout: float) -> bool:
    """Waits for the end; True where nothing new came for `timeout` seconds and some more."""
    size, since = 0, time.monotonic()
    while True:
        try:
            process.wait(_TICK)
        except subprocess.TimeoutExpired:
            now = answers.stat().st_size if answers.is_file() else 0
            if now != size:
                size, since = now, time.monotonic()
            # TensorFlow's own limit of a request comes first, where it can.
            elif time.monotonic() - since > (1.5 * timeout if size else _START_SECONDS):
                return True
        else:
            return False

"""Keeps a share of a server's images and answers, in a thread that no answer waits for.

Recording stops for good, with one message, when the folder has reached its bounds or cannot be
written; the server goes on. What comes faster than the disk takes it is dropped and counted.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import math
import os
import pathlib
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from thawline.components.ingestion import image_identity
from thawline.components.saved_model.card import Card
from thawline.components.shared import files
from thawline.components.shared.errors import Busy, UserError, from_os_error
from thawline.pipeline.recording import recorded_folder
from thawline.pipeline.recording.recorded_folder import IMAGES, RecordedAnswer
from thawline.pipeline.system import file_locks

_LOCK = '.lock'
_MOST_WAITING = 64  # answers
_MOST_WAITING_BYTES = 64 * 2**20
_LAST_SECONDS = 5.0  # for what waits when the server stops
KEPT, DROPPED = 'kept', 'dropped'


@dataclasses.dataclass(frozen=True)
class RecordingSettings:
    """What is kept, and where.

    Attributes:
        folder: made where it is missing, for its owner alone.
        share: of the answers, drawn at random.
        most_answers, most_bytes: that the folder may hold.
    """

    folder: pathlib.Path
    share: float = 1.0
    most_answers: int = 10_000
    most_bytes: int = 1_000 * 2**20


@dataclasses.dataclass(frozen=True)
class ServedVersion:
    """The version that answers, and the id of its model; 0 where it does not say."""

    version: int
    model: int

    @classmethod
    def of(cls, version: int, card: Card) -> ServedVersion:
        """What a card says."""
        origin = card.lineage
        return cls(version, (origin.model_id if origin else None) or 0)


@dataclasses.dataclass(frozen=True)
class _Waiting:
    time: float
    served: ServedVersion
    image: bytes
    label: str
    score: float
    probabilities: Sequence[tuple[str, float]]


class Recorder:
    """Receives images and answers from any thread; made by `record`."""

    def __init__(
        self,
        settings: RecordingSettings,
        on_stop: Callable[[str], None],
        count: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._on_stop, self._count = on_stop, count
        self._waiting: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._bytes_waiting = self._answers_waiting = 0
        self._held, self._bytes = recorded_folder.size(settings.folder)
        self._is_on = True
        self._thread = threading.Thread(target=self._write_all, name='record', daemon=True)

    @property
    def is_on(self) -> bool:
        """Whether it still records."""
        return self._is_on

    def draws(self) -> bool:
        """Whether an answer is of the share that is kept; at random, whatever it is."""
        return self._is_on and random.random() < self._settings.share

    def offer(
        self,
        served: ServedVersion,
        image: bytes,
        label: str,
        score: float,
        probabilities: Sequence[tuple[str, float]],
    ) -> None:
        """Takes an answer that was drawn; returns at once and raises nothing.

        Args:
            served: what answered.
            image: as it was sent.
            label: the answer.
            score: its probability.
            probabilities: name and probability of classes.
        """
        with self._lock:
            full = self._answers_waiting >= _MOST_WAITING or (
                self._bytes_waiting + len(image) > _MOST_WAITING_BYTES
            )
            full |= not math.isfinite(score)  # the model overflows on it
            if not full:
                self._answers_waiting += 1
                self._bytes_waiting += len(image)
        if full:
            self._count(DROPPED)
            return
        self._waiting.put(_Waiting(time.time(), served, image, label, score, probabilities))

    def start(self) -> None:
        """Starts the thread, or stops at once where the folder is full already."""
        self._check_bounds(0)
        self._thread.start()

    def close(self) -> None:
        """Writes what waits, for a few seconds at most."""
        self._waiting.put(None)
        self._thread.join(_LAST_SECONDS)

    def _write_all(self) -> None:
        start = datetime.datetime.now(datetime.UTC).strftime('%Y%m%d-%H%M%S-%f')
        path = recorded_folder.answers_file(self._settings.folder, start)
        answers = None
        while (item := self._waiting.get()) is not None:
            with self._lock:
                self._answers_waiting -= 1
                self._bytes_waiting -= len(item.image)
            if not self._is_on:
                continue
            try:
                if answers is None:
                    answers = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
                self._write(item, answers)
            except (OSError, ValueError) as error:
                self._stop(str(getattr(error, 'strerror', None) or error))
        if answers is not None:
            os.close(answers)

    def _write(self, item: _Waiting, answers: int) -> None:
        name = image_identity.image_id(item.image)
        image = self._settings.folder / IMAGES / name
        when = datetime.datetime.fromtimestamp(item.time, datetime.UTC)
        line = RecordedAnswer(
            when.isoformat(timespec='milliseconds'),
            item.served.version,
            item.served.model,
            name,
            item.label,
            item.score,
            dict(item.probabilities),
        ).to_line()
        is_new = not image.exists()
        if not self._check_bounds(len(line) + is_new * len(item.image)):
            return
        if is_new:
            with files.replacement(image) as draft:
                draft.write_bytes(item.image)
        if os.write(answers, line) < len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._held += 1
        self._bytes += len(line) + is_new * len(item.image)
        self._count(KEPT)

    def _check_bounds(self, more: int) -> bool:
        """Whether so many bytes fit; stops where they do not."""
        most = self._settings
        if self._held >= most.most_answers:
            self._stop(f'it holds {self._held:,} answers (--record-answers)')
        elif self._bytes + more > most.most_bytes:
            self._stop(f'it holds {self._bytes / 2**20:,.1f} MB (--record-megabytes)')
        return self._is_on

    def _stop(self, why: str) -> None:
        if self._is_on:
            self._is_on = False
            self._on_stop(f'recording into {self._settings.folder} has stopped: {why}')


@contextlib.contextmanager
def record(
    settings: RecordingSettings, on_stop: Callable[[str], None], count: Callable[[str], None]
) -> Iterator[Recorder]:
    """Records for the time of the block.

    Args:
        settings: what and where.
        on_stop: receives the one message when recording stops early.
        count: receives what became of each answer that was drawn, 'kept' or 'dropped'.

    Raises:
        ConfigError: the folder cannot be written.
        Busy: another server records into it.
    """
    folder = settings.folder
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / IMAGES).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error

    def busy(note: str) -> UserError:
        return Busy(
            f'--record: another server ({note}) records into {folder}; give each its own folder'
        )

    with file_locks.lock(folder / _LOCK, f'process {os.getpid()}', busy=busy):
        try:
            for draft in (folder / IMAGES).glob('.*'):  # of a server that was killed
                draft.unlink()
            recorder = Recorder(settings, on_stop, count)
        except OSError as error:
            raise _unwritable(folder, error) from error
        recorder.start()
        try:
            yield recorder
        finally:
            recorder.close()


def _unwritable(folder: pathlib.Path, error: OSError) -> UserError:
    return from_os_error(
        error, f'--record: {folder} cannot be written', hint='; name another folder'
    )


def offer_batch(
    recorder: Recorder,
    version: int,
    card: Card,
    images: np.ndarray,
    outputs: Mapping[str, np.ndarray],
) -> None:
    """Offers each row of a batch: images bytes [N], outputs as the model's signatures have them."""
    for image, label, score, probabilities in zip(
        images.ravel(), outputs['label'], outputs['score'], outputs['probabilities'], strict=True
    ):
        if recorder.draws():
            pairs = [
                (name, float(str(p))) for name, p in zip(card.classes, probabilities, strict=True)
            ]
            text = label.decode('utf-8', 'replace')
            recorder.offer(ServedVersion.of(version, card), image, text, float(str(score)), pairs)

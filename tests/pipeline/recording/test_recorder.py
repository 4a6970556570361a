"""What is kept of images and answers: bounds, bad folders, kills, and two servers at once."""

from __future__ import annotations

import collections
import hashlib
import json
import pathlib
import threading
from collections.abc import Callable

import numpy as np
import pytest

from thawline.components.shared.errors import Busy, ConfigError, DataError
from thawline.pipeline.recording import recorded_folder, recorder
from thawline.pipeline.recording.recorder import Recorder, RecordingSettings, ServedVersion

SERVED = ServedVersion(7, 12)


class Notes:
    """What a recorder says."""

    def __init__(self) -> None:
        self.stopped: list[str] = []
        self.counts: collections.Counter[str] = collections.Counter()

    def count(self, outcome: str) -> None:
        self.counts[outcome] += 1


def record(folder: pathlib.Path, offer: Callable[[Recorder], None], **settings: float) -> Notes:
    notes = Notes()
    chosen = RecordingSettings(folder, **settings)  # type: ignore[arg-type]
    with recorder.record(chosen, notes.stopped.append, notes.count) as kept:
        offer(kept)
    return notes


def offer(kept: Recorder, image: bytes, label: str = 'ants') -> None:
    if kept.draws():
        kept.offer(SERVED, image, label, 0.9, [('ants', 0.9), ('bees', 0.1)])


def test_images_and_answers_are_read_again(tmp_path: pathlib.Path) -> None:
    folder = tmp_path / 'new' / 'recorded'

    def some(kept: Recorder) -> None:
        for image in (b'first', b'second', b'first'):
            offer(kept, image)
        kept.offer(SERVED, b'third', 'ants', float('nan'), [])

    notes = record(folder, some)
    assert notes.counts == {'kept': 3, 'dropped': 1} and not notes.stopped
    answers = list(recorded_folder.read_answers(folder))
    ids = [hashlib.sha256(image).hexdigest()[:32] for image in (b'first', b'second', b'first')]
    assert [answer.image_id for answer in answers] == ids
    assert answers[0].label == 'ants' and answers[0].probabilities == {'ants': 0.9, 'bees': 0.1}
    assert (answers[0].version, answers[0].model) == (7, 12) and answers[0].time.endswith('+00:00')
    images = sorted((folder / 'images').iterdir())
    assert [image.name for image in images] == sorted(set(ids))
    assert {image.read_bytes() for image in images} == {b'first', b'second'}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert recorded_folder.is_recorded(folder) and not recorded_folder.is_recorded(tmp_path)

    record(folder, lambda kept: offer(kept, b'fourth'))  # a second start adds a file
    assert len(list(recorded_folder.read_answers(folder))) == 4


@pytest.mark.parametrize(
    ('settings', 'words'),
    [({'most_answers': 3}, '3 answers (--record-answers)'), ({'most_bytes': 800}, 'megabytes')],
)
def test_a_full_folder_stops_recording_with_one_message(
    tmp_path: pathlib.Path, settings: dict[str, int], words: str
) -> None:
    def many(kept: Recorder) -> None:
        for number in range(20):
            offer(kept, str(number).encode() * 50)

    notes = record(tmp_path, many, **settings)
    assert len(notes.stopped) == 1 and words in notes.stopped[0]
    count, size = recorded_folder.size(tmp_path)
    assert 0 < count <= 3 and size <= 800 and notes.counts['kept'] == count
    notes = record(tmp_path, many, **settings)  # it is full already
    assert len(notes.stopped) == 1 and recorded_folder.size(tmp_path) == (count, size)


def test_a_share_is_drawn(tmp_path: pathlib.Path) -> None:
    drawn = []
    record(tmp_path, lambda kept: drawn.extend(kept.draws() for _ in range(4000)), share=0.25)
    assert 0.2 < np.mean(drawn) < 0.3


def test_a_folder_that_cannot_be_written(tmp_path: pathlib.Path) -> None:
    (tmp_path / 'file').write_text('x')
    for folder in (tmp_path / 'file', tmp_path / 'file' / 'below'):
        with pytest.raises(ConfigError, match='--record: .*file.* cannot be written: '):
            record(folder, lambda kept: None)


def test_two_servers_on_one_folder(tmp_path: pathlib.Path) -> None:
    def second(kept: Recorder) -> None:
        draft = tmp_path / recorded_folder.IMAGES / '.draft'
        draft.write_bytes(b'the first is writing it')
        with pytest.raises(Busy, match='another server .* give each its own folder'):
            record(tmp_path, lambda kept: None)
        assert draft.exists()
        offer(kept, b'still recorded')

    assert record(tmp_path, second).counts == {'kept': 1}
    assert record(tmp_path, lambda kept: offer(kept, b'x')).counts == {'kept': 1}
    assert not (tmp_path / recorded_folder.IMAGES / '.draft').exists()


def test_a_disk_that_fails_stops_recording_and_raises_nothing(tmp_path: pathlib.Path) -> None:
    def broken(kept: Recorder) -> None:
        (tmp_path / 'images').rmdir()
        for number in range(3):
            offer(kept, str(number).encode())

    notes = record(tmp_path, broken)
    assert len(notes.stopped) == 1 and 'No such file' in notes.stopped[0]
    assert not notes.counts['kept']


def test_what_comes_too_fast_is_dropped(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    write = Recorder._write
    monkeypatch.setattr(Recorder, '_write', lambda *given: release.wait(60) and write(*given))

    def flood(kept: Recorder) -> None:
        for number in range(200):
            offer(kept, str(number).encode())
        release.set()

    notes = record(tmp_path, flood)
    assert notes.counts.total() == 200 and 60 <= notes.counts['kept'] <= 70


def test_what_a_kill_leaves_is_readable(tmp_path: pathlib.Path) -> None:
    record(tmp_path, lambda kept: offer(kept, b'whole'))
    (file,) = tmp_path.glob('answers-*.jsonl')
    whole = file.read_bytes()
    file.write_bytes(whole + whole[:20])
    (tmp_path / 'images' / '.0a-draft').write_bytes(b'half')
    assert len(list(recorded_folder.read_answers(tmp_path))) == 1
    record(tmp_path, lambda kept: None)
    assert not list((tmp_path / 'images').glob('.*'))
    file.write_bytes(whole + json.dumps({'label': 1}).encode() + b'\n')
    with pytest.raises(DataError, match='line 2 is damaged .* delete the line'):
        list(recorded_folder.read_answers(tmp_path))

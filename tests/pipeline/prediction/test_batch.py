"""Batch prediction with a real model: the answers, the quarantine, the files."""

from __future__ import annotations

import os
import pathlib
import pickle
import signal
import subprocess
import sys
from collections.abc import Iterator
from unittest import mock

import numpy as np
import pytest

from tests.components.evaluation import evaluating
from tests.components.ingestion import images
from tests.components.transformed import CLASSES, Transformed
from tests.pipeline.prediction import prediction_setup
from thawline import ROOT
from thawline.components.bulk_prediction import listing
from thawline.components.ingestion.params import Columns
from thawline.components.saved_model import card
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.engines.beam_options import IN_PROCESS
from thawline.pipeline.prediction import batch, beam_pipeline, chunk_files, tables


@pytest.fixture(scope='module')
def model(
    transformed: Transformed, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[pathlib.Path]:
    """A model of hostile class names."""
    folder = tmp_path_factory.mktemp('model')
    yield evaluating.exported(folder, transformed, CLASSES) / 'Format-Serving'


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Good and bad images with hostile names."""
    root = tmp_path_factory.mktemp('images')
    prediction_setup.write(root, prediction_setup.good() | prediction_setup.bad())
    prediction_setup.write_not_utf8(root, prediction_setup.good()['plain.jpg'])
    return root


@pytest.fixture(scope='module')
def rows(
    model: pathlib.Path, folder: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> list[dict]:
    """The table of the folder."""
    target = tmp_path_factory.mktemp('table') / 'out.jsonl'
    prediction_setup.predict([folder], model, target)
    return prediction_setup.read(target)


def test_answers_are_those_of_the_chain(
    model: pathlib.Path, folder: pathlib.Path, rows: list[dict]
) -> None:
    good = prediction_setup.good()
    assert [row['path'] for row in rows] == sorted(f'{folder}/{name}' for name in good)
    assert len({row['label'] for row in rows}) > 1
    for row in rows:
        expected = prediction_setup.reference(model, good[row['path'].removeprefix(f'{folder}/')])
        assert row['label'] == expected['label'].decode()
        assert list(row['probabilities']) == list(CLASSES)
        found = np.array(list(row['probabilities'].values()), np.float32)
        np.testing.assert_allclose(found, expected['probabilities'], atol=2e-6)
        assert row['score'] == row['probabilities'][row['label']]


@pytest.mark.parametrize('kind', ['csv', 'parquet'])
def test_every_kind_of_table_says_the_same_and_nothing_is_lost(
    kind: str,
    model: pathlib.Path,
    folder: pathlib.Path,
    rows: list[dict],
    tmp_path: pathlib.Path,
) -> None:
    target = tmp_path / f'out.{kind}'
    result = prediction_setup.predict([folder], model, target, abstain_below=0.6)
    found = prediction_setup.read(target)
    abstained = [row.pop('abstained') for row in found]
    for one, other in zip(found, rows, strict=True):
        assert (one['path'], one['label']) == (other['path'], other['label'])
        for name, value in other['probabilities'].items():
            assert np.float32(one['probabilities'][name]) == pytest.approx(value, abs=2e-6)
    assert abstained == [row['score'] < 0.6 for row in rows]
    assert 0 < sum(abstained) < len(rows)
    assert (result.predicted, result.abstained) == (len(rows), sum(abstained))

    refused = prediction_setup.quarantined(target)
    bad = prediction_setup.bad()
    assert {path.removeprefix(f'{folder}/') for path in refused} == {*bad, 'sub/\\udcff.png'}
    assert {name: refused[f'{folder}/{name}'] for name in bad} == {
        'cut.jpg': 'truncated',
        'empty.png': 'empty file',
        'broken.png': 'broken image data',
        'text.jpg': 'not an image',
        'notes.txt': 'not an image',
        'bomb.png': 'too many pixels',
    }
    assert sorted(path.name for path in tmp_path.iterdir()) == [target.name, 'out.quarantine.csv']


def test_records_and_lists(
    model: pathlib.Path, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    good = list(prediction_setup.good().values())
    # More than one batch, so that bad ones are looked for in one of several.
    some = [*good[:3], None, b'no image', prediction_setup.bad()['cut.jpg'], *(good[:2] * 40)]
    records = prediction_setup.write_records(tmp_path / 'more.tfrecord.gz', some)
    sheet = tmp_path / 'list.csv'
    prediction_setup.write(tmp_path, {'pictures/one.png': good[1], 'pictures/two.png': good[1]})
    sheet.write_text(
        'path,note\npictures/one.png,x\npictures/gone.png,y\npictures/one.png,z\n', 'utf-8'
    )
    target = tmp_path / 'out.csv'
    result = prediction_setup.predict([records, sheet], model, target)
    found = prediction_setup.read(target)
    refused = prediction_setup.quarantined(target)
    assert result.predicted == len(found) == len(some) - 3 + 1
    assert refused == {
        f'{records}#000003': 'not an image',
        f'{records}#000004': 'not an image',
        f'{records}#000005': 'truncated',
        f'{tmp_path}/pictures/gone.png': 'missing file',
    }
    assert [row['path'] for row in found] == [
        f'{tmp_path}/pictures/one.png',
        *(f'{records}#{i:06d}' for i in range(len(some)) if i not in (3, 4, 5)),
    ]
    expected = prediction_setup.reference(model, good[1])
    same = [row for row in found if row['label'] == expected['label'].decode()]
    assert found[0] in same and found[2] in same


@pytest.mark.parametrize('most', [3, 20_000])
def test_several_workers_and_small_chunks(
    model: pathlib.Path,
    folder: pathlib.Path,
    rows: list[dict],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
) -> None:
    """Of a listing in files (more than `most` images) or in the pipeline itself."""
    monkeypatch.setattr(beam_pipeline, '_CHUNK', 3)
    monkeypatch.setattr(beam_pipeline, '_IN_PIPELINE', most)
    beam = ['--runner=FnApiRunner', '--direct_running_mode=multi_threading']
    beam.append('--direct_num_workers=2')
    target = tmp_path / 'out.jsonl'
    result = prediction_setup.predict([folder], model, target, beam=beam)
    found = prediction_setup.read(target)
    assert [(row['path'], row['label']) for row in found] == [
        (row['path'], row['label']) for row in rows
    ]
    assert len(result.rejected) == len(prediction_setup.bad()) + 1


def test_a_chunk_in_a_file_is_small_and_the_same(tmp_path: pathlib.Path) -> None:
    names = ('a.jpg', 'é\udcff\n"b.png', '日本.gif')
    chunk = beam_pipeline.Chunk(7, tuple(listing.Item(one, f'/data/{one}') for one in names))
    light = chunk.move_items_to_file(tmp_path)
    assert light.items == () and len(pickle.dumps(light)) < 500
    assert pickle.loads(pickle.dumps(light)).load_items() == chunk.items
    records = beam_pipeline.Chunk(8, records=listing.Item('a', 'a.tfrecord'))
    assert records.move_items_to_file(tmp_path) is records and records.load_items() == ()


def test_nothing_that_can_be_used(model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    root = prediction_setup.write(tmp_path / 'images', {'a.jpg': b'', 'b.png': b'text'})
    target = tmp_path / 'out.csv'
    result = prediction_setup.predict([root], model, target)
    assert result.predicted == 0 and len(result.rejected) == 2
    assert not target.exists()
    assert set(prediction_setup.quarantined(target)) == {f'{root}/a.jpg', f'{root}/b.png'}


def test_failure_leaves_the_old_table_and_nothing_else(
    model: pathlib.Path, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    target = tmp_path / 'out.csv'
    target.write_text('old', 'utf-8')
    # A worker that loses what it wrote, as a full disk may.
    with (
        mock.patch.object(chunk_files, 'read_rows', lambda *_: iter(())),
        pytest.raises(RuntimeError, match='images listed, '),
    ):
        prediction_setup.predict([folder], model, target)
    assert target.read_text('utf-8') == 'old'
    assert [path.name for path in tmp_path.iterdir()] == ['out.csv']


_OWNER = """
import pathlib, sys, time
from thawline.pipeline.system import temporary_files
print(temporary_files.make_folder('.old.csv.parts-', pathlib.Path(sys.argv[1])), flush=True)
time.sleep(600)
"""


def test_what_a_killed_prediction_left_is_removed_by_the_next(
    model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    command = [sys.executable, '-c', _OWNER, str(tmp_path)]
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    left, theirs = (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(2)
    )
    try:
        folders = [pathlib.Path(p.stdout.readline().strip()) for p in (left, theirs) if p.stdout]
        (folders[0] / 'part-000000.arrow').write_bytes(b'half')
        foreign = tmp_path / '.mine.csv.parts-x'
        foreign.mkdir()
        left.send_signal(signal.SIGKILL)
        left.wait()
        some = {'a.png': prediction_setup.good()['grey.png']}
        root = prediction_setup.write(tmp_path / 'images', some)
        prediction_setup.predict([root], model, tmp_path / 'new.csv')
        assert not folders[0].exists()
        # That of a process at work stays, and what nothing is known of.
        assert folders[1].is_dir() and foreign.is_dir()
        assert {p.name for p in tmp_path.glob('.*')} == {folders[1].name, foreign.name}
    finally:
        for process in (left, theirs):
            process.kill()
            process.communicate()


def test_quarantine_of_an_earlier_table_goes(model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    target = tmp_path / 'out.csv'
    root = prediction_setup.write(
        tmp_path / 'images', {'a.png': prediction_setup.good()['grey.png']}
    )
    tables.quarantine_path(target).write_text('path,reason,detail\n', 'utf-8')
    assert prediction_setup.predict([root], model, target).rejected == ()
    assert not tables.quarantine_path(target).exists()


def test_model_without_a_card_or_no_model(
    model: pathlib.Path, folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    listed = listing.of_sources([str(folder)], Columns())

    def predict(from_model: pathlib.Path) -> None:
        batch.predict(
            listed, str(from_model), tmp_path / 'out.csv', Columns(), prediction_setup.BOUNDS,
            IN_PROCESS,
        )  # fmt: skip

    with pytest.raises(ConfigError, match='has no assets.extra/thawline.json'):
        predict(tmp_path)
    (tmp_path / 'other').mkdir()
    card.write(card.read(model), tmp_path / 'other')
    with pytest.raises(ConfigError, match='cannot be loaded'):
        predict(tmp_path / 'other')
    assert [path.name for path in tmp_path.iterdir()] == ['other']


def test_images_read_ahead_are_few(monkeypatch: pytest.MonkeyPatch) -> None:
    began: list[int] = []
    taken = beam_pipeline._parallel_map(lambda i: began.append(i) or i, range(10_000), 8, 128)
    assert [next(taken) for _ in range(5)] == list(range(5))
    assert len(began) <= 128 + 6
    taken.close()


def test_picture_with_pixels_that_only_one_decoder_takes(
    model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """A batch of which the graph refuses one image answers to all that ingestion would take."""
    sound = images.encoded(images.picture(3, (40, 30)), 'JPEG')
    forgiven = sound[:-20] + sound[-2:]  # its last pixels are missing, its end marker is not
    root = prediction_setup.write(tmp_path / 'images', {'a.jpg': sound, 'b.jpg': forgiven})
    target = tmp_path / 'out.jsonl'
    result = prediction_setup.predict([root], model, target)
    found = {row['path'] for row in prediction_setup.read(target)}
    assert f'{root}/a.jpg' in found
    assert found | {one.path for one in result.rejected} == {f'{root}/a.jpg', f'{root}/b.jpg'}

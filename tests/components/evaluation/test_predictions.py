"""The table of predictions: what is written is what is read, and what cannot be read is refused."""

from __future__ import annotations

import json
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thawline.components.evaluation import predictions
from thawline.components.shared.errors import DataError

CLASSES = ('<b>', 'קטן', '🐈')
EDGES = {'brightness_bucket': (0.25, 0.5)}


def write(uri: pathlib.Path, compared: bool, part: int = 0) -> None:
    """Three images: of a known class, unlabelled, of an unknown class."""
    probabilities = np.array([[0.5, 0.3, 0.2], [0.1, 0.8, 0.1], [0.0, 0.0, 1.0]], np.float32)
    rows = {
        'image_id': [f'{part}-{n}' for n in range(3)],
        'path': ['c/"x".png', 'b.png', 'a\n.png'],
        'split': ['val', 'test', 'val'],
        'cluster': ['kitchen', None, 'kitchen'],
        'label': ['קטן', None, 'never seen'],
        'answer': ['<b>', 'קטן', '🐈'],
        'score': [0.5, 0.8, 1.0],
        'probabilities': predictions.vectors(probabilities),
        'brightness': [0.1, 0.3, 0.9],
        'meta_site': ['s', None, 't'],
        'brightness_bucket': ['dark', 'medium', 'bright'],
    }
    if compared:
        rows['baseline_answer'] = ['קטן', '<b>', None]
    schema = predictions.schema(CLASSES, ['meta_site'], EDGES)
    (uri / 'predictions').mkdir(parents=True, exist_ok=True)
    pq.write_table(predictions.table(rows, schema), uri / 'predictions' / f'part-{part}.parquet')


@pytest.mark.parametrize('compared', [False, True])
def test_read_is_what_was_written_in_the_order_of_paths(
    compared: bool, tmp_path: pathlib.Path
) -> None:
    write(tmp_path, compared)
    table = predictions.read(str(tmp_path))
    assert table.classes == CLASSES and table.edges == EDGES and len(table) == 3
    assert table.paths.tolist() == ['b.png', 'a\n.png', 'c/"x".png']
    assert table.clusters.tolist() == ['0-1', 'kitchen', 'kitchen']
    assert table.labels.tolist() == [-1, -1, 1]
    assert table.labelled.tolist() == [False, True, True]
    assert table.answers.tolist() == [1, 2, 0]
    np.testing.assert_array_equal(table.probabilities.argmax(axis=1), table.answers)
    np.testing.assert_array_equal(table.scores, table.probabilities.max(axis=1))
    assert table.columns['meta_site'].tolist() == [None, 't', 's']
    assert table.columns['brightness_bucket'].tolist() == ['medium', 'bright', 'dark']
    assert table.columns['brightness'].dtype == np.float32 and 'cluster' not in table.columns
    if compared:
        assert table.baseline_answers is not None
        assert table.baseline_answers.tolist() == [0, predictions.NOT_ASKED, 1]
    else:
        assert table.baseline_answers is None


def test_baseline_of_the_first_format_is_not_read(tmp_path: pathlib.Path) -> None:
    """It was asked about all images, also about those that it was trained on."""
    write(tmp_path, compared=True)
    part = tmp_path / 'predictions' / 'part-0.parquet'
    table = pq.read_table(part)
    described = json.loads(table.schema.metadata[b'thawline']) | {'format': 1}
    older = table.append_column('baseline_probabilities', table['probabilities'])
    pq.write_table(older.replace_schema_metadata({'thawline': json.dumps(described)}), part)
    read = predictions.read(str(tmp_path))
    assert read.answers.tolist() == [1, 2, 0] and read.baseline_answers is None
    assert 'baseline_probabilities' not in read.columns


def test_without_clusters_each_image_is_one(tmp_path: pathlib.Path) -> None:
    write(tmp_path, compared=False)
    part = tmp_path / 'predictions' / 'part-0.parquet'
    older = pq.read_table(part)
    pq.write_table(older.drop_columns(['cluster']), part)
    table = predictions.read(str(tmp_path))
    assert table.clusters.tolist() == table.ids.tolist() == ['0-1', '0-2', '0-0']


def test_shards_are_one_table(tmp_path: pathlib.Path) -> None:
    for part in range(3):
        write(tmp_path, compared=True, part=part)
    assert len(predictions.read(str(tmp_path))) == 9


def test_what_cannot_be_read_is_refused_with_its_place(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match=f'{tmp_path}/predictions cannot be read'):
        predictions.read(str(tmp_path))
    write(tmp_path, compared=False)
    part = tmp_path / 'predictions' / 'part-0.parquet'
    whole = part.read_bytes()
    part.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match='thawline run --no-cache'):
        predictions.read(str(tmp_path))
    pq.write_table(pa.table({'image_id': ['x']}), part)
    with pytest.raises(DataError, match='format None, not 2'):
        predictions.read(str(tmp_path))

"""Near-duplicates through a whole ingestion: one split, named in its table, its notes and files."""

from __future__ import annotations

import csv
import pathlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from tests.components.ingestion import near_images
from tests.components.ingestion.ingesting import ingest, strings
from thawline.components.ingestion import clusters
from thawline.components.ingestion.params import NearDuplicates
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared import image_table


def write(path: pathlib.Path, image: Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)


@pytest.fixture(scope='module')
def folder(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Two classes of eight pictures, a copy of `a/0` with the same label and one with the other."""
    root = tmp_path_factory.mktemp('near') / 'images'
    for n in range(16):
        write(root / 'ab'[n % 2] / f'{n}.png', near_images.picture(n))
    copies = near_images.copies(near_images.picture(0))
    write(root / 'a' / 'half.png', copies['half'])
    write(root / 'b' / 'mirrored.png', copies['mirrored'])
    return root


def rows(uri: pathlib.Path) -> list[dict[str, str]]:
    table = image_table.read(str(uri))
    assert table is not None
    return table.to_pylist()


def test_a_cluster_is_in_one_split_and_named(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    examples, summary, _ = ingest(SourceSpec(str(folder)), tmp_path)
    near = {'a/0.png', 'a/half.png', 'b/mirrored.png'}
    images = rows(tmp_path / 'examples')
    together = [image for image in images if image['path'] in near]
    assert len({image['split'] for image in together}) == 1
    assert {image['cluster'] for image in together} == {min(image['group'] for image in together)}
    assert all(image['cluster'] == image['group'] for image in images if image not in together)
    in_examples = {
        path: cluster
        for of_split in examples.values()
        for path, cluster in zip(
            strings(of_split, 'path'), strings(of_split, 'cluster'), strict=True
        )
    }
    assert in_examples == {image['path']: image['cluster'] for image in images}
    report = tmp_path / 'quarantine'
    with (report / clusters.CLUSTERS_CSV).open(newline='') as file:
        assert {line['path'] for line in csv.DictReader(file)} == near
    with (report / clusters.FINDINGS_CSV).open(newline='') as file:
        assert [(line['kind'], line['first'], line['second']) for line in csv.DictReader(file)] == [
            (clusters.DIFFERENT_LABELS, 'a/0.png', 'b/mirrored.png')
        ]
    notes = summary['near_duplicates']
    assert notes[0].startswith('3 images are near-duplicates of others (1 cluster)')
    assert 'a/0.png and b/mirrored.png' in notes[1]


def test_policy_ignore(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    spec = SourceSpec(str(folder), near_duplicates=NearDuplicates(policy='ignore'))
    _, summary, _ = ingest(spec, tmp_path)
    assert all(image['cluster'] == image['group'] for image in rows(tmp_path / 'examples'))
    assert summary['near_duplicates'] == []
    assert not (tmp_path / 'quarantine' / clusters.CLUSTERS_CSV).exists()


def test_given_splits_are_kept(folder: pathlib.Path, tmp_path: pathlib.Path) -> None:
    lines = ['path,label,split']
    lines += [f'{"ab"[n % 2]}/{n}.png,{"ab"[n % 2]},{("train", "val")[n // 8]}' for n in range(16)]
    lines += ['a/half.png,a,val']
    (folder / 'labels.csv').write_text('\n'.join(lines))
    _, summary, _ = ingest(SourceSpec(str(folder / 'labels.csv'), 'csv'), tmp_path)
    split = {image['path']: image['split'] for image in rows(tmp_path / 'examples')}
    assert (split['a/0.png'], split['a/half.png']) == ('train', 'val')
    assert 'a/0.png and a/half.png' in summary['near_duplicates'][0]


def test_images_of_more_than_8_bits(tmp_path: pathlib.Path) -> None:
    root = tmp_path / 'images'
    for n in range(8):
        deep = np.asarray(near_images.picture(n)).astype(np.uint16) * 4  # 10 of 16 bits
        write(root / 'ab'[n % 2] / f'{n}.png', Image.fromarray(deep))
        if n == 0:
            write(root / 'a' / 'mirrored.png', Image.fromarray(deep[:, ::-1].copy()))
    _, summary, _ = ingest(SourceSpec(str(root)), tmp_path / 'out')
    assert summary['near_duplicates'][0].startswith('2 images are near-duplicates')


def test_a_table_from_before_clusters_is_read(tmp_path: pathlib.Path) -> None:
    row = {'image_id': 'i', 'path': 'p', 'group': 'g', 'split': 'train', 'label': 'x'}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / 'images.parquet')
    assert rows(tmp_path) == [{**row, 'cluster': None, 'source_label': None, 'fold': None}]

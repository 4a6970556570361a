"""What is too long to be a part of the pipeline itself travels in files: listing and plan."""

from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import PIL.Image

from tests.components.ingestion.ingesting import ingest, strings
from thawline.components.ingestion import listing_pieces, split_pipeline
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.image_reading import Settings
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.partition import Partition
from thawline.components.ingestion.source_types import SourceItem, SourceSpec
from thawline.components.ingestion.split_plan import SplitPlan


def test_a_long_listing_gives_the_same_examples(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    for label in ('coral', 'moss'):
        (tmp_path / 'images' / label).mkdir(parents=True)
        for number in range(12):
            pixels = rng.integers(0, 255, (32, 40, 3), np.uint8)
            PIL.Image.fromarray(pixels).save(tmp_path / 'images' / label / f'{number}.png')
    spec = SourceSpec(str(tmp_path / 'images'))
    short, summary, _ = ingest(spec, tmp_path / 'short')
    monkeypatch.setattr(listing_pieces, '_IN_PIPELINE', 10)
    monkeypatch.setattr(listing_pieces, '_PIECE', 5)
    monkeypatch.setattr(split_pipeline, '_PLAN_IN_PIPELINE', 10)
    long, again, _ = ingest(spec, tmp_path / 'long')
    assert summary == again and summary['total'] == 24
    for split in short:
        assert sorted(strings(short[split], 'path')) == sorted(strings(long[split], 'path'))
        records = [
            sorted(one.SerializeToString(deterministic=True) for one in found[split])
            for found in (short, long)
        ]
        assert records[0] == records[1]


PARTITION = Partition.plain(Split(folds=0))


def test_only_a_long_plan_leaves_the_pipeline(tmp_path):
    few = SplitPlan({'group': 'val'}, {}, (), PARTITION)
    many = SplitPlan({f'{number:032}': 'val' for number in range(50_000)}, {}, (), PARTITION)
    assert isinstance(split_pipeline._portable(few, str(tmp_path)), bytes)
    path = split_pipeline._portable(many, str(tmp_path))
    assert path == str(tmp_path / 'plan')
    images = Settings(64, 10**6)
    reader = pickle.loads(pickle.dumps(split_pipeline._Split(path, images, None)))
    reader.setup()
    assert reader._plan == many


def test_pieces_hold_every_item_whatever_its_name(tmp_path):
    odd = SourceItem(
        '/a\nb\udcff.png', 'b "c"\n\u00e9', None, 'val', 'g', {'meta': 'x,\u4e2d'}, 0.5
    )
    items = [odd, *(dataclasses.replace(odd, path=f'/{number}') for number in range(4_500))]
    paths = listing_pieces.write(items, str(tmp_path))
    assert len(paths) == 3
    found = [one for path in paths for (one,) in listing_pieces.ReadPieces().process(path)]
    assert found == items


def test_pieces_keep_the_boxes_of_a_picture_together(tmp_path):
    sizes = [(1, 1), None, (640, 480)]
    items = [
        SourceItem(f'/{n // 3}.png', f'{n // 3}.png#{n}', 'a', box=Box(0, 0.5, 1, 2, sizes[n % 3]))
        for n in range(9)
    ]
    (path,) = listing_pieces.write(items, str(tmp_path))
    found = list(listing_pieces.ReadPieces().process(path))
    assert found == [items[:3], items[3:6], items[6:]]

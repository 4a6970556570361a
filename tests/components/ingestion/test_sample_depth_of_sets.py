"""Images of more than 8 bits: one range over the set, whatever is added and however it is read."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.components.ingestion import formats
from tests.components.ingestion.images import decoded, encoded, picture
from tests.components.ingestion.ingesting import ingest, strings
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared import sample_depth
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth

PER_CLASS = 12


def noise(high: float, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, high, (*formats.SIZE[::-1], 1)).astype(np.uint16)


def kinds(samples: np.ndarray) -> dict[str, bytes]:
    """The same samples in files of 16 bits."""
    grey = Image.fromarray(samples[..., 0])
    colour = np.repeat(samples, 3, 2)
    return {
        'grey.png': encoded(grey, 'PNG'),
        'grey.tif': encoded(grey, 'TIFF', compression='tiff_lzw'),
        'rgb.png': formats.deep_png(colour, 2),
        'rgb.tif': formats.deep_tiff(colour, '>'),
    }


def write(root: pathlib.Path, per_class: int = PER_CLASS) -> pathlib.Path:
    """Two classes of 12 bits that differ in their exposure alone; each has an image of 8 bits."""
    for name, high in (('dim', 1000), ('lit', 4000)):
        (root / name).mkdir(parents=True)
        for seed in range(per_class):
            files = list(kinds(noise(high, seed)).items())
            suffix, data = files[seed % len(files)]
            (root / name / f'{seed:03d} {suffix}').write_bytes(data)
        (root / name / 'plain.png').write_bytes(encoded(picture(len(name) + high), 'PNG'))
    return root


@dataclasses.dataclass(frozen=True)
class Ingested:
    """Images by path, the summary's remarks and what is kept beside the examples."""

    images: dict[str, bytes]
    features: dict[str, set[str]]
    brightness: dict[str, float]
    remarks: list[str]
    depth: SampleDepth


def ingested(
    source: pathlib.Path, out: pathlib.Path, *args: str, depth: int | None = None
) -> Ingested:
    spec = SourceSpec(str(source), depth=depth)
    splits, summary, _ = ingest(spec, out, *args, split=Split(folds=0))
    examples: list[tf.train.Example] = [e for split in splits.values() for e in split]
    paths = strings(examples, 'path')
    features = [e.features.feature for e in examples]
    return Ingested(
        {p: f['image'].bytes_list.value[0] for p, f in zip(paths, features, strict=True)},
        {p: set(f) for p, f in zip(paths, features, strict=True)},
        {p: f['brightness'].float_list.value[0] for p, f in zip(paths, features, strict=True)},
        summary['samples'],
        sample_depth.read(str(out / 'examples')),
    )


@pytest.fixture(scope='module')
def source(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    return write(tmp_path_factory.mktemp('deep') / 'images')


@pytest.fixture(scope='module')
def first(source: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Ingested:
    return ingested(source, tmp_path_factory.mktemp('first'))


def test_exposure_differs_between_classes_as_in_the_files(first: Ingested) -> None:
    assert first.depth == SampleDepth(12)
    for path, image in first.images.items():
        if 'plain' in path:
            continue
        high, seed = (1000 if path.startswith('dim') else 4000), int(path[4:7])
        expected = np.rint(noise(high, seed) / 4095 * 255)
        np.testing.assert_array_equal(decoded(image), np.repeat(expected, 3, 2))
        assert first.brightness[path] == pytest.approx(expected.mean() / 255, abs=0.01)
    assert len(first.images) == 2 * (PER_CLASS + 1)


def test_it_is_said_and_no_source_stays_in_the_examples(first: Ingested) -> None:
    (remark,) = first.remarks
    assert (
        '12 bits' in remark and f'{2 * PER_CLASS} images' in remark and 'data.depth: 12' in remark
    )
    assert len({frozenset(names) for names in first.features.values()}) == 1
    assert 'source_bytes' not in set().union(*first.features.values())


def test_shards_and_threads_do_not_matter(
    first: Ingested, source: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    threads = '--direct_running_mode=multi_threading', '--direct_num_workers=3'
    assert ingested(source, tmp_path, *threads) == first


def test_more_images_and_a_bright_one_do_not_change_the_others(
    first: Ingested, tmp_path: pathlib.Path
) -> None:
    root = write(tmp_path / 'images', PER_CLASS + 2)
    (root / 'lit' / 'outlier.png').write_bytes(
        encoded(Image.fromarray(noise(2**16, 9)[..., 0]), 'PNG')
    )
    hot = noise(4000, 99)
    hot[3, 3] = 65535
    (root / 'dim' / 'hot.png').write_bytes(encoded(Image.fromarray(hot[..., 0]), 'PNG'))
    more = ingested(root, tmp_path / 'out')
    assert more.images.items() >= first.images.items() and len(more.images) == len(first.images) + 6
    assert more.depth == first.depth
    assert len(more.remarks) == 2 and 'lit/outlier.png' in more.remarks[1]


def test_configured_bits_are_used(source: pathlib.Path, tmp_path: pathlib.Path) -> None:
    full = ingested(source, tmp_path, depth=16)
    assert full.depth == FULL_DEPTH and len(full.remarks) == 1
    assert max(v for path, v in full.brightness.items() if 'plain' not in path) < 0.05


def test_floating_point_images_share_a_range(tmp_path: pathlib.Path) -> None:
    for name, high in (('dim', 50.0), ('lit', 200.0)):
        (tmp_path / 'images' / name).mkdir(parents=True)
        for seed in range(6):
            values = np.linspace(-5, high, 1200, dtype=np.float32).reshape(30, 40)
            np.random.default_rng(seed).shuffle(values)
            path = tmp_path / 'images' / name / f'{seed}.tif'
            path.write_bytes(encoded(Image.fromarray(values), 'TIFF'))
    result = ingested(tmp_path / 'images', tmp_path / 'out')
    assert result.depth.low == pytest.approx(-5, abs=1) and result.depth.high == pytest.approx(
        200, abs=1
    )
    means = {path: decoded(image).mean() for path, image in result.images.items()}
    assert means['lit/0.tif'] > 3 * means['dim/0.tif']
    assert '32-bit' in result.remarks[0]


def test_a_set_of_8_bits_has_nothing_to_say(tmp_path: pathlib.Path) -> None:
    for name in 'ab':
        (tmp_path / 'images' / name).mkdir(parents=True)
        for seed in range(4):
            image = encoded(picture(seed + ord(name)), 'PNG')
            (tmp_path / 'images' / name / f'{seed}.png').write_bytes(image)
    result = ingested(tmp_path / 'images', tmp_path / 'out')
    assert result.depth == FULL_DEPTH and not result.remarks

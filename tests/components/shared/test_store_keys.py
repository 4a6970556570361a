"""What pixels and features in the content store are named by: all that decides them, a test a row.

For images and pairs see `tests/components/ingestion/test_stored_ingestion.py`.
"""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

import pytest

from tests import code_copy
from thawline.components.embedding import beam_pipeline
from thawline.components.embedding import executor as embedder
from thawline.components.embedding.embeddings import EmbeddingSettings
from thawline.components.shared import code_digest, feature_key
from thawline.components.shared.content_store import Store
from thawline.components.shared.store_shards import key_of
from thawline.components.transform import executor as transform

STORE = Store(pathlib.Path('store'), 1)
CONFIG: dict[str, Any] = {
    'image_size': 128,
    'resize': 'stretch',
    'depth': {'bits': 16, 'low': 0.0, 'high': 1.0},
}
SETTINGS = EmbeddingSettings('tiny', '/here/weights.h5', 128, 'top', 'light', 2, 0)


def pixels(**changes: object) -> str:
    return STORE.namespace('pixels', transform.for_store({**CONFIG, **changes})).folder.name


def features(digest: str = 'abc', resize: str = 'stretch', **changes: Any) -> str:
    settings = dataclasses.replace(SETTINGS, **changes)
    key = feature_key.current(digest, settings.features, settings.image_size, resize)
    return STORE.namespace('embeddings', embedder.for_store(settings, key)).folder.name


@pytest.mark.parametrize(
    'changes',
    [
        {'image_size': 160},
        {'resize': 'crop'},
        {'depth': {'bits': 12, 'low': 0.0, 'high': 1.0}},  # of the set
        {'depth': {'bits': 16, 'low': 0.0, 'high': 2.0}},
    ],
)
def test_settings_of_pixels(changes: dict[str, object]) -> None:
    assert pixels() == pixels() != pixels(**changes)


@pytest.mark.parametrize(
    'changes',
    [
        {'digest': 'abd'},  # other content of the weights
        {'backbone': 'other'},
        {'image_size': 160},
        {'features': 'blocks'},
        {'augmentation': 'standard'},
        {'views': 3},
        {'seed': 1},
    ],
)
def test_settings_of_features(changes: dict[str, Any]) -> None:
    assert features() == features() != features(**changes)


def test_a_moved_file_of_weights_is_the_same() -> None:
    assert features(weights='/there/weights.h5') == features()


@pytest.mark.parametrize(
    ('file', 'of_pixels'),
    [
        ('transform/preprocessing.py', True),
        ('shared/image_decoder.py', True),
        ('shared/exif_orientation.py', True),
        ('embedding/feature_extractor.py', False),
        ('backbones/features.py', False),
        ('augmentation/augment.py', False),
    ],
)
def test_code(
    file: str, of_pixels: bool, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout = code_copy.copy_code(tmp_path)
    monkeypatch.setattr(code_digest, '_ROOT', checkout)
    before = pixels(), features()
    path = checkout / 'components' / file
    path.write_bytes(path.read_bytes() + b'\n')
    assert features() != before[1]
    assert (pixels() != before[0]) == of_pixels


@pytest.mark.parametrize(
    ('library', 'of_pixels'), [('tensorflow', True), ('numpy', True), ('keras', False)]
)
def test_libraries(library: str, of_pixels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pixels(), features()
    versions = code_digest._versions
    monkeypatch.setattr(
        code_digest,
        '_versions',
        lambda names: {name: '0' if name == library else v for name, v in versions(names).items()},
    )
    assert features() != before[1]
    assert (pixels() != before[0]) == of_pixels


def test_views_depend_on_the_id_and_plain_features_do_not() -> None:
    image, other = key_of(b'pixels'), key_of(b'other pixels')
    key = beam_pipeline._key
    assert key(image, b'a', 1) == key(image, b'b', 1) != key(other, b'a', 1)
    assert len({key(image, b'a', 3), key(image, b'b', 3), key(image, b'a', 1)}) == 3

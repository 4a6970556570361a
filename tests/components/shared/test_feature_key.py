"""The key of features names all that they depend on, in this code and these libraries."""

from __future__ import annotations

import dataclasses
import pathlib

import pytest

from tests.pipeline.cache_keys import with_library
from thawline.components.shared import code_digest, feature_key


def test_the_key_is_of_this_code_and_these_libraries(monkeypatch: pytest.MonkeyPatch) -> None:
    key = feature_key.current('abc', 'top', 96, 'crop')
    assert (key.weights_digest, key.features, key.image_size, key.resize) == (
        'abc', 'top', 96, 'crop',
    )  # fmt: skip
    assert feature_key.from_json(dataclasses.asdict(key)) == key
    for library in ('tensorflow', 'keras'):
        with monkeypatch.context() as patch:
            with_library(patch, library)
            changed = feature_key.current('abc', 'top', 96, 'crop')
        assert changed == dataclasses.replace(key, libraries=changed.libraries) != key


@pytest.mark.parametrize(
    'file',
    ['transform/preprocessing.py', 'backbones/efficientnet_lite0.py', 'backbones/features.py'],
)
def test_an_edit_between_bytes_and_features_changes_the_key(
    file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = feature_key.current('abc', 'top', 96, 'crop')
    read = pathlib.Path.read_bytes
    monkeypatch.setattr(
        pathlib.Path, 'read_bytes',
        lambda path: read(path) + (b'#' if str(path).endswith(f'components/{file}') else b''),
    )  # fmt: skip
    code_digest._imports.cache_clear()
    after = feature_key.current('abc', 'top', 96, 'crop')
    assert after == dataclasses.replace(before, code=after.code) != before


@pytest.mark.parametrize(
    'missing', [field.name for field in dataclasses.fields(feature_key.FeatureKey)]
)
def test_what_lacks_a_part_is_no_key(missing: str) -> None:
    values = dataclasses.asdict(feature_key.current('abc', 'top', 96, 'crop'))
    del values[missing]
    assert feature_key.from_json(values) is None
    assert feature_key.from_json(None) is None

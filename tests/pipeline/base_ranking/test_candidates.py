"""Where weights are looked for, in a Keras cache and folders of the test's own."""

from __future__ import annotations

import pathlib

import pytest

from thawline.components import backbones
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.base_ranking import candidates

V2_224 = 'mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5'
V2_128 = 'mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_128_no_top.h5'


@pytest.fixture
def cache(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    monkeypatch.setenv('KERAS_HOME', str(tmp_path / 'keras'))
    models = tmp_path / 'keras' / 'models'
    models.mkdir(parents=True)
    return models


def test_absent_weights_are_left_out_with_their_file(cache):
    found, missing = candidates.find([('mobilenet_v2', 128), ('resnet50', 224)], {}, [], False)
    assert not found
    assert [(m.backbone, m.file) for m in missing] == [
        ('mobilenet_v2', V2_128),
        ('resnet50', 'resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5'),
    ]
    assert '94 MB' in missing[1].reason


def test_only_on_request_is_anything_to_be_downloaded(cache):
    found, missing = candidates.find([('resnet50', 224)], {}, [], True)
    assert [c.load for c in found] == ['imagenet'] and not missing


def test_keras_cache_is_used_by_path_and_written_by_name(cache):
    (cache / V2_128).touch()
    found, missing = candidates.find([('mobilenet_v2', 128), ('mobilenet_v2', 224)], {}, [], True)
    # With --download a damaged cached file still is not fetched anew behind one's back.
    assert [(c.load, c.weights) for c in found] == [
        (str(cache / V2_128), 'imagenet'), ('imagenet', 'imagenet'),
    ]  # fmt: skip
    assert not missing


def test_folders_hold_files_of_kerass_names_of_any_size(cache, tmp_path):
    (tmp_path / V2_224).touch()
    (found,), _ = candidates.find([('mobilenet_v2', 128)], {}, [tmp_path], False)
    assert found.load == found.weights == str(tmp_path / V2_224)
    assert found.image_size == 128


def test_the_projects_own_file_comes_first(cache, tmp_path):
    (cache / V2_224).touch()
    own = tmp_path / 'mine.h5'
    files = {'mobilenet_v2': (own, 'weights/mine.h5')}
    found, missing = candidates.find([('mobilenet_v2', 224)], files, [], False)
    assert not found and str(own) in missing[0].reason
    own.touch()
    (found,), _ = candidates.find([('mobilenet_v2', 224)], files, [], False)
    assert (found.load, found.weights) == (str(own), 'weights/mine.h5')


def test_order_is_by_size_then_by_work(cache):
    wanted = [(n, s) for s in (224, 128) for n in ('resnet50', 'mobilenet_v2')] * 2
    found, _ = candidates.find(wanted, {}, [], True)
    assert [c.label for c in found] == [
        'mobilenet_v2 128', 'resnet50 128', 'mobilenet_v2 224', 'resnet50 224',
    ]  # fmt: skip


def test_too_small_and_unknown(cache):
    _, missing = candidates.find([('resnet50', 16)], {}, [], True)
    assert 'at least 32' in missing[0].reason and '16' in missing[0].reason
    with pytest.raises(ConfigError, match='did you mean resnet50'):
        candidates.find([('resnet5', 224)], {}, [], False)


def test_smallest_has_the_fewest_megabytes():
    assert all(
        backbones.entry(candidates.smallest_base()).megabytes <= backbones.entry(n).megabytes
        for n in backbones.names()
    )


def test_every_base_has_its_multiply_adds():
    assert set(candidates.MEGA_MULTIPLY_ADDS) == set(backbones.names())

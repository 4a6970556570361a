"""Local weights files: every layout that loads, and everything that must be refused by name."""

from __future__ import annotations

import functools
import hashlib
import math
import os
import pathlib
import re
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.shared import SHARED, needs_shared
from thawline.components import backbones
from thawline.components.backbones import weights_file
from thawline.components.shared.errors import ConfigError

NAME = 'mobilenet_v2_035'
SIZE = 32


@functools.cache
def source(include_top: bool = False, alpha: float = 0.35) -> keras.Model:
    """What a person would save weights from: the plain network of keras.applications."""
    return keras.applications.MobileNetV2(
        input_shape=(SIZE, SIZE, 3), alpha=alpha, weights=None, include_top=include_top, classes=5
    )


@functools.cache
def target() -> backbones.Backbone:
    return backbones.build(NAME, SIZE, None)


@functools.cache
def another() -> keras.Model:
    return backbones.build('efficientnet_lite0', SIZE, None).model


def save(model: keras.Model, path: pathlib.Path) -> pathlib.Path:
    """Saves in the layout that the suffix stands for."""
    if path.name.endswith('.weights.h5'):
        model.save_weights(path)
    else:
        model.save(path)
    return path


def refused(path: pathlib.Path) -> str:
    """The message with which loading `path` is refused; the model must stay as it was."""
    with pytest.raises(ConfigError, match=re.escape(str(path))) as caught:
        weights_file.load(target().model, path, NAME)
    message = str(caught.value)
    assert len(message) < 1000
    return message


def same_weights(backbone: backbones.Backbone, model: keras.Model) -> bool:
    """Whether the backbone holds the model's weights, but for a head on top of the model."""
    originals = {f'{layer.name}/{w.name}': w for layer in model.layers for w in layer.weights}
    return all(
        np.array_equal(w, originals[f'{layer.name}/{w.name}'])
        for layer in backbone.model.layers
        for w in layer.weights
    )


@pytest.mark.parametrize('suffix', ['.weights.h5', '.h5', '.keras'])
@pytest.mark.parametrize('include_top', [False, True])
def test_loads_each_layout_with_and_without_head(
    tmp_path: pathlib.Path, suffix: str, include_top: bool
) -> None:
    path = save(source(include_top), tmp_path / f'base{suffix}')
    backbone = backbones.build(NAME, SIZE, str(path))
    assert same_weights(backbone, source(include_top))
    assert backbone.weights_digest == hashlib.sha256(path.read_bytes()).hexdigest()
    assert backbone.weights_source.startswith(str(path))
    assert ('without its head' in backbone.weights_source) == include_top


def test_layout_is_told_by_content_not_by_name(tmp_path: pathlib.Path) -> None:
    saved = save(source(), tmp_path / 'base.weights.h5')
    renamed = tmp_path / 'base.bin'
    shutil.copy(saved, renamed)
    assert same_weights(backbones.build(NAME, SIZE, str(renamed)), source())


def test_own_backbone_saves_and_loads_again(tmp_path: pathlib.Path) -> None:
    path = save(target().model, tmp_path / 'own.weights.h5')
    assert same_weights(backbones.build(NAME, 64, str(path)), target().model)


def test_layer_names_may_differ_where_the_order_agrees(tmp_path: pathlib.Path) -> None:
    path = save(source(), tmp_path / 'base.h5')
    with h5py.File(path, 'r+') as file:
        group = file['model_weights']
        names = [n.decode() if isinstance(n, bytes) else n for n in group.attrs['layer_names']]
        for name in names:
            group.move(name, f'{name}_7')
        group.attrs['layer_names'] = [f'{name}_7' for name in names]
    assert same_weights(backbones.build(NAME, SIZE, str(path)), source())


def test_efficientnet_file_brings_its_normalization(tmp_path: pathlib.Path) -> None:
    """The step that Keras adds for its own download is there for a file too, and takes effect."""
    mean, stddev = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    plain = keras.applications.EfficientNetB0(
        input_shape=(SIZE, SIZE, 3), weights=None, include_top=False
    )
    normalization = next(x for x in plain.layers if isinstance(x, keras.layers.Normalization))
    # Keras's file has the standard deviation where a variance belongs.
    normalization.set_weights([mean, stddev, np.array(0)])
    for suffix in ('.h5', '.weights.h5'):
        path = save(plain, tmp_path / f'b0{suffix}')
        model = backbones.build('efficientnet_b0', SIZE, str(path)).model
        scaled = keras.Model(model.inputs[0], model.get_layer('divide_by_root_stddev').output)
        images = np.random.default_rng(0).integers(0, 256, (1, SIZE, SIZE, 3)).astype(np.float32)
        np.testing.assert_allclose(scaled(images), (images / 255 - mean) / stddev, atol=1e-4)


def test_missing_file_and_folder_are_refused(tmp_path: pathlib.Path) -> None:
    assert 'does not exist' in refused(tmp_path / 'none.h5')
    assert 'is a folder' in refused(tmp_path)


@pytest.mark.parametrize(
    'content', [b'', b'not weights at all', bytes(5000), b'\x89HDF\r\n\x1a\n' + bytes(500)]
)
@pytest.mark.parametrize('suffix', ['.h5', '.weights.h5', '.keras'])
def test_other_content_is_refused(tmp_path: pathlib.Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f'file{suffix}'
    path.write_bytes(content)
    assert 'cannot be read as HDF5' in refused(path)


@functools.cache
def saved_bytes(suffix: str) -> bytes:
    folder = pathlib.Path(os.environ.get('TMPDIR', '/tmp')) / f'thawline_test_{os.getpid()}'
    folder.mkdir(exist_ok=True)
    try:
        return save(source(), folder / f'base{suffix}').read_bytes()
    finally:
        shutil.rmtree(folder)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(share=st.floats(0, 1, exclude_max=True), suffix=st.sampled_from(['.h5', '.keras']))
def test_any_truncation_is_refused(tmp_path: pathlib.Path, share: float, suffix: str) -> None:
    data = saved_bytes(suffix)
    path = tmp_path / f'cut{suffix}'
    path.write_bytes(data[: int(len(data) * share)])
    assert re.search('cannot be read as HDF5|damaged .keras archive', refused(path))


def test_damaged_archive_is_refused(tmp_path: pathlib.Path) -> None:
    data = bytearray(saved_bytes('.keras'))
    data[len(data) // 2] ^= 0xFF
    path = tmp_path / 'flipped.keras'
    path.write_bytes(data)
    assert 'damaged .keras archive' in refused(path)


def test_archive_that_is_no_keras_file_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'other.keras'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('readme.txt', 'hello')
    assert 'without model.weights.h5' in refused(path)


def test_archive_that_unpacks_to_too_much_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'bomb.keras'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('model.weights.h5', bytes(100 * 2**20))
    assert 'unpack to 104857600 bytes' in refused(path)


def test_hdf5_without_keras_weights_is_refused(tmp_path: pathlib.Path) -> None:
    path = tmp_path / 'table.h5'
    with h5py.File(path, 'w') as file:
        file['measurements'] = np.zeros(3)
    assert 'contains measurements' in refused(path)


@pytest.mark.parametrize('suffix', ['.weights.h5', '.h5', '.keras'])
def test_another_width_is_refused_with_the_first_shape(tmp_path: pathlib.Path, suffix: str) -> None:
    message = refused(save(source(alpha=0.5), tmp_path / f'wide{suffix}'))
    assert f'does not hold weights of {NAME}' in message
    # the stems of widths 0.35 and 0.5 are equal
    assert re.search(r'(block_\d+|expanded_conv)_(project|expand)', message)
    assert re.search(r'1, 1, \d+, \d+.*1, 1, \d+, \d+', message)


@pytest.mark.parametrize('suffix', ['.weights.h5', '.h5', '.keras'])
def test_another_architecture_is_refused(tmp_path: pathlib.Path, suffix: str) -> None:
    message = refused(save(another(), tmp_path / f'lite0{suffix}'))
    assert re.search(r'has (104|260) (layers with weights|tensors), the file has \d+', message)


@pytest.mark.parametrize('suffix', ['.weights.h5', '.h5', '.keras'])
def test_more_than_a_head_on_top_is_refused(tmp_path: pathlib.Path, suffix: str) -> None:
    """A deeper network with the same names and shapes below must not pass for this one."""
    x = source().output
    for i in range(3):
        x = keras.layers.Conv2D(1280, 1, name=f'deeper_{i}')(x)
    deeper = keras.Model(source().input, x)
    assert 'the file has' in refused(save(deeper, tmp_path / f'deeper{suffix}'))


@pytest.mark.parametrize('suffix', ['.weights.h5', '.h5', '.keras'])
def test_a_base_nested_in_a_classifier_is_explained(tmp_path: pathlib.Path, suffix: str) -> None:
    pixels = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(source()(pixels))
    nested = keras.Model(pixels, keras.layers.Dense(2)(pooled))
    message = refused(save(nested, tmp_path / f'own{suffix}'))
    assert f'does not hold weights of {NAME}' in message
    assert 'Save the base alone' in message


@pytest.mark.parametrize('suffix', ['.weights.h5', '.h5'])
def test_values_that_are_no_numbers_are_refused(tmp_path: pathlib.Path, suffix: str) -> None:
    model = keras.models.clone_model(source())
    kernel = model.get_layer('Conv_1').weights[0]
    kernel.assign(np.full(kernel.shape, math.nan))
    path = save(model, tmp_path / f'nan{suffix}')
    with pytest.raises(ConfigError, match='not finite'):
        weights_file.load(keras.models.clone_model(target().model), path, NAME)


@needs_shared
def test_real_weights_of_another_width_are_refused() -> None:
    file = backbones.entry('mobilenet_v2').cached_imagenet_file(SIZE)
    message = refused(SHARED / 'weights' / file.name)
    assert 'Conv1/kernel has shape [3, 3, 3, 16]' in message and '[3, 3, 3, 32]' in message

"""Loads a local HDF5 or .keras weights file into a backbone, after checking that it fits.

Three layouts, distinguished by content, not by name:
- legacy HDF5 (`layer_names` attribute; what keras.applications publishes), alone or inside a
  whole saved model (`model_weights`);
- Keras 3 weights (`.weights.h5`, a group `layers`);
- `.keras`, a zip archive with the second inside. Only its weights are read, never its
  configuration, so no code in it can run.

A classification head on top is left out. Nothing else may be missing, left over or of another
shape.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import h5py
import keras
import numpy as np

from thawline.components.shared.errors import ConfigError

SUFFIXES = ('.weights.h5', '.h5', '.hdf5', '.keras')

# Of a classification head (MobileNetV3: two convolutions).
_MAX_HEAD_LAYERS = 2
# A compiled .keras archive holds each weight and two optimizer slots; beyond this it is a bomb.
_ARCHIVE_FACTOR = 10
# What h5py and zipfile raise on damaged files.
_DAMAGE = (OSError, KeyError, ValueError, RuntimeError, TypeError, EOFError, zlib.error)
_NESTED = ' (a whole classifier with the base inside? Save the base alone).'


class _SavedLayer(NamedTuple):
    name: str
    tensors: tuple[h5py.Dataset, ...]


def load(model: keras.Model, path: pathlib.Path, expected: str) -> str:
    """Loads the file into `model`, all or nothing.

    Args:
        model: the base, without top; its weights are replaced.
        path: the file.
        expected: name of the backbone, for messages.

    Returns:
        A remark for people: that the head was left out, or ''.

    Raises:
        ConfigError: no such file, not readable, damaged, weights of another architecture (with
            the first difference), or values that are not finite.
    """
    if not path.is_file():
        kind = 'is a folder' if path.is_dir() else 'does not exist'
        raise ConfigError(f'The weights file {path} {kind}; {expected} needs {_accepted_files()}.')
    with _as_hdf5(path, model) as hdf5_path, _open(hdf5_path, path) as file:
        group = file.get('model_weights', file)
        if _names(group, 'layer_names'):
            return _load_legacy(model, group, path, expected)
        if 'layers' in file or '_layer_checkpoint_dependencies' in file:
            return _load_keras3(model, file, hdf5_path, path, expected)
        contents = ', '.join(list(file)[:5]) or 'nothing'
    raise ConfigError(
        f'{path} is HDF5 but not a Keras weights file (it contains {contents}); '
        f'{expected} needs {_accepted_files()}.'
    )


def _accepted_files() -> str:
    return f'a Keras weights file ({", ".join(SUFFIXES)})'


@contextlib.contextmanager
def _as_hdf5(path: pathlib.Path, model: keras.Model) -> Iterator[pathlib.Path]:
    """The file, or the weights inside a .keras archive, under a name that Keras accepts."""
    with tempfile.TemporaryDirectory() as folder:
        # Keras decides the layout by the suffix; we look inside instead.
        target = pathlib.Path(folder) / 'model.weights.h5'
        if zipfile.is_zipfile(path):
            limit = 64 * 2**20 + _ARCHIVE_FACTOR * sum(value.nbytes for value in _tensors(model))
            try:
                _extract(path, target, limit)
            except (*_DAMAGE, zipfile.BadZipFile) as error:
                raise ConfigError(f'{path} is a damaged .keras archive: {error}.') from error
        else:
            os.symlink(path.resolve(), target)
        yield target


def _tensors(model: keras.Model) -> list[np.ndarray]:
    return [keras.ops.convert_to_numpy(weight) for weight in model.weights]


def _extract(archive_path: pathlib.Path, target: pathlib.Path, limit: int) -> None:
    with zipfile.ZipFile(archive_path) as archive:
        if 'model.weights.h5' not in archive.namelist():
            raise ConfigError(
                f'{archive_path} is a zip archive without model.weights.h5, so not a .keras file.'
            )
        size = archive.getinfo('model.weights.h5').file_size
        if size > limit:
            raise ConfigError(
                f'The weights in {archive_path} unpack to {size} bytes, more than {limit}.'
            )
        with archive.open('model.weights.h5') as packed, target.open('wb') as unpacked:
            shutil.copyfileobj(packed, unpacked)


@contextlib.contextmanager
def _open(hdf5_path: pathlib.Path, path: pathlib.Path) -> Iterator[h5py.File]:
    """The open file; damage that h5py finds in it becomes a ConfigError."""
    try:
        with h5py.File(hdf5_path, 'r') as file:
            yield file
    except _DAMAGE as error:
        raise ConfigError(
            f'{path} cannot be read as HDF5: truncated, damaged or another format ({error}).'
        ) from error


def _names(group: h5py.Group, attribute: str) -> list[str]:
    """A list attribute, which Keras splits into numbered parts when it is long."""
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        parts = []
        while f'{attribute}{len(parts)}' in group.attrs:
            parts.append(group.attrs[f'{attribute}{len(parts)}'])
    return [n.decode() if isinstance(n, bytes) else str(n) for part in parts for n in part]


def _mismatch(path: pathlib.Path, expected: str, difference: str) -> ConfigError:
    return ConfigError(f'{path} does not hold weights of {expected}: {difference}')


def _load_legacy(model: keras.Model, group: h5py.Group, path: pathlib.Path, expected: str) -> str:
    saved = []
    for name in _names(group, 'layer_names'):
        tensors = tuple(group[name][weight] for weight in _names(group[name], 'weight_names'))
        if tensors:
            saved.append(_SavedLayer(name, tensors))
    layers = [layer for layer in model.layers if layer.weights]
    pairs, remark = _pair(layers, saved, path, expected)
    values: list[tuple[keras.Variable, np.ndarray]] = []
    for layer, source in pairs:
        # Legacy files keep trainable weights first.
        variables = layer.trainable_weights + layer.non_trainable_weights
        if len(variables) != len(source.tensors):
            raise _mismatch(
                path,
                expected,
                f'layer {layer.name} has {len(variables)} tensors, layer {source.name} in the '
                f'file has {len(source.tensors)}.',
            )
        for variable, tensor in zip(variables, source.tensors, strict=True):
            if tuple(tensor.shape) != tuple(variable.shape):
                raise _mismatch(
                    path,
                    expected,
                    f'{layer.name}/{variable.name} has shape {list(variable.shape)}, '
                    f'{tensor.name.lstrip("/")} in the file has {list(tensor.shape)}.',
                )
            values.append((variable, np.asarray(tensor)))
    _check_finite([value for _, value in values], path)
    for variable, value in values:
        variable.assign(value)
    for layer in layers:
        # Normalization uses copies of its mean and variance, made here.
        if isinstance(layer, keras.layers.Normalization):
            layer.finalize_state()
    return remark


def _pair(
    layers: list[keras.layers.Layer], saved: list[_SavedLayer], path: pathlib.Path, expected: str
) -> tuple[list[tuple[keras.layers.Layer, _SavedLayer]], str]:
    """Pairs layers with saved ones: by name where all names agree, otherwise by position."""
    surplus = len(saved) - len(layers)
    if not 0 <= surplus <= _MAX_HEAD_LAYERS:
        raise _mismatch(
            path,
            expected,
            f'{expected} has {len(layers)} layers with weights, the file has {len(saved)}'
            + (_NESTED if 0 < len(saved) < 10 else '.'),
        )
    by_name = {source.name: source for source in saved}
    if all(layer.name in by_name for layer in layers):
        pairs = [(layer, by_name[layer.name]) for layer in layers]
    else:
        # Keras numbers unnamed layers per process, so names may differ.
        pairs = list(zip(layers, saved[: len(layers)], strict=True))
    if not surplus:
        return pairs, ''
    used = {source.name for _, source in pairs}
    left_out = [source.name for source in saved if source.name not in used]
    return pairs, f'without its head ({", ".join(left_out)})'


def _load_keras3(
    model: keras.Model, file: h5py.File, hdf5_path: pathlib.Path, path: pathlib.Path, expected: str
) -> str:
    """Keras matches its own layout; tensors left over, which it does not report, are counted."""
    saved = 0

    def count(name: str, item: h5py.Group | h5py.Dataset) -> None:
        nonlocal saved
        parts = name.split('/')
        # The optimizer and random seeds are state of training, not weights.
        if isinstance(item, h5py.Dataset) and not {'optimizer', 'seed_generator'} & set(parts):
            saved += 1

    file.visititems(count)
    needed = len(model.weights)
    # A layer of the head has at most two tensors: kernel and bias.
    if not 0 <= saved - needed <= 2 * _MAX_HEAD_LAYERS:
        raise _mismatch(path, expected, f'{expected} has {needed} tensors, the file has {saved}.')
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter('always')
        try:
            model.load_weights(hdf5_path)
        except ValueError as error:
            nested = _NESTED if any('functional' in name for name in file['layers']) else ''
            difference = _first_difference(str(error)) + nested
            raise _mismatch(path, expected, difference) from error
    # Keras only warns about skipped layers, which would keep their random values.
    skipped = [str(warning.message) for warning in caught if 'Skipping' in str(warning.message)]
    if skipped:
        raise _mismatch(path, expected, skipped[0])
    _check_finite(_tensors(model), path)
    return 'without its head' if saved > needed else ''


def _first_difference(message: str) -> str:
    """The part of Keras's message that names the first object that does not fit, without values."""
    paragraphs = [' '.join(paragraph.split()) for paragraph in message.split('\n\n')]
    return ' '.join(paragraphs[:2]).split(', value=')[0][:600]


def _check_finite(values: list[np.ndarray], path: pathlib.Path) -> None:
    if not all(np.isfinite(value).all() for value in values):
        raise ConfigError(f'{path} holds values that are not finite numbers: it is damaged.')

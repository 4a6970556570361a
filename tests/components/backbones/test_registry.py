"""The registry answers without Keras: names, unknown names, what is present offline."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import subprocess
import sys

import pytest

from thawline import ROOT
from thawline.components import backbones
from thawline.components.backbones import package_weights, registry
from thawline.components.shared.errors import ConfigError

REQUIRED = {
    'mobilenet_v2',
    'resnet50',
    'resnet50_v2',
    'efficientnet_v2_b0',
    'efficientnet_b0',
    'mobilenet_v3_large',
    'convnext_tiny',
    'efficientnet_lite0',
}


def test_every_required_backbone_is_registered_once() -> None:
    assert set(backbones.names()) >= REQUIRED
    assert len(set(backbones.names())) == len(backbones.names())


@pytest.mark.parametrize('name', backbones.names())
def test_entry_is_consistent(name: str) -> None:
    item = backbones.entry(name)
    assert item.name == name
    assert item.default_size >= item.min_size
    assert set(item.weights) <= {'imagenet', 'package'} and item.weights
    assert ('imagenet' in item.weights) == (item.imagenet_file is not None)
    assert re.compile(item.block_pattern).groups == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        item.name = 'other'  # type: ignore[misc]


@pytest.mark.parametrize(
    ('wrong', 'hint'),
    [
        ('mobilenetv2', 'did you mean mobilenet_v2'),
        ('ResNet50', 'did you mean resnet50'),
        ('efficientnet-lite0', 'did you mean efficientnet_lite0'),
        ('zzz', 'use one of mobilenet_v2,'),
        ('', 'use one of mobilenet_v2,'),
    ],
)
def test_unknown_name_says_what_is_close(wrong: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(repr(wrong))) as caught:
        backbones.entry(wrong)
    assert hint in str(caught.value)


def test_importing_the_registry_imports_no_keras() -> None:
    code = (
        'import sys; from thawline.components import backbones as b; '
        'b.availability("mobilenet_v2"); '
        'b.availability("efficientnet_lite0"); '
        'print(sorted({"keras", "tensorflow", "h5py", "numpy"} & set(sys.modules)))'
    )
    out = subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == '[]'


def test_package_has_no_attribute_by_accident() -> None:
    with pytest.raises(AttributeError, match='no attribute .nonsense'):
        _ = backbones.nonsense  # type: ignore[attr-defined]


def test_availability_looks_where_keras_keeps_files(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('KERAS_HOME', str(tmp_path))
    absent = backbones.availability('resnet50')['imagenet']
    assert absent.startswith('absent: ') and str(tmp_path) in absent
    file = tmp_path / 'models' / str(backbones.entry('resnet50').imagenet_file)
    file.parent.mkdir()
    file.write_bytes(b'')
    assert backbones.availability('resnet50') == {'imagenet': f'present: {file}'}


def test_availability_finds_any_size_of_mobilenet(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('KERAS_HOME', str(tmp_path))
    item = backbones.entry('mobilenet_v2')
    path_128, path_300 = item.cached_imagenet_file(128), item.cached_imagenet_file(300)
    assert path_128 is not None and path_300 is not None
    assert '_128_' in path_128.name and '_224_' in path_300.name
    path_128.parent.mkdir()
    path_128.write_bytes(b'')
    assert path_128.name in backbones.availability('mobilenet_v2')['imagenet']


def test_availability_of_the_package() -> None:
    answer = backbones.availability('efficientnet_lite0')
    assert set(answer) == {'package'}
    state = 'absent' if package_weights.locate() is None else 'present'
    assert answer['package'].startswith(f'{state}: ')


def test_availability_of_an_unknown_name_is_refused() -> None:
    with pytest.raises(ConfigError, match='no backbone'):
        backbones.availability('vgg_11')


def test_keras_home_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv('KERAS_HOME', raising=False)
    assert registry.keras_home().name == '.keras'
    monkeypatch.setenv('KERAS_HOME', '/somewhere/else')
    assert registry.keras_home() == pathlib.Path('/somewhere/else')

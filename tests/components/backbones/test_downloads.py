"""ImageNet weights from Keras: downloads that fail, and those that were made before."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

from tests.shared import SHARED, needs_shared
from thawline import ROOT
from thawline.components import backbones

DOWNLOADS = """
from thawline.components import backbones
from thawline.components.shared.errors import Unavailable
for name in ('resnet50', 'mobilenet_v2'):
    try:
        backbone = backbones.build(name, 224, 'imagenet')
        print(name, backbone.weights_digest, backbone.weights_source)
    except Unavailable as error:
        print('Unavailable', error)
"""


@pytest.fixture(scope='module')
def offline(tmp_path_factory: pytest.TempPathFactory) -> tuple[pathlib.Path, str]:
    """Keras's folder, which holds MobileNetV2 at most, and what 'imagenet' gives off the network.

    A process of its own, as Keras and urllib read these settings once.
    """
    folder = tmp_path_factory.mktemp('keras')
    cached = folder / 'models' / 'mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5'
    cached.parent.mkdir()
    if (SHARED / 'weights' / cached.name).is_file():
        shutil.copy(SHARED / 'weights' / cached.name, cached)
    nowhere = 'http://127.0.0.1:9'
    environment = {**os.environ, 'KERAS_HOME': str(folder), 'TF_CPP_MIN_LOG_LEVEL': '3'}
    environment |= {'https_proxy': nowhere, 'http_proxy': nowhere, 'no_proxy': ''}
    done = subprocess.run(
        [sys.executable, '-c', DOWNLOADS],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return cached, done.stdout


@pytest.mark.slow
def test_failed_download_says_how_to_supply_a_file(offline: tuple[pathlib.Path, str]) -> None:
    cached, answer = offline
    assert "Unavailable The weights 'imagenet' of resnet50 could not be downloaded" in answer
    path = cached.parent / str(backbones.entry('resnet50').imagenet_file)
    assert f'put it at {path}, or set the weights to the path of a file' in answer
    assert 'model.backbone: efficientnet_lite0 with model.weights: package' in answer


@pytest.mark.slow
@needs_shared
def test_what_keras_downloaded_before_is_used(offline: tuple[pathlib.Path, str]) -> None:
    cached, answer = offline
    digest = hashlib.sha256(cached.read_bytes()).hexdigest()
    assert f'mobilenet_v2 {digest} ImageNet, from Keras' in answer

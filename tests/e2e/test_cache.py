"""What runs again where the content of the weights changed under the same name, size and time."""

from __future__ import annotations

import os
import pathlib
import re

import keras
import pytest

from tests.e2e.conftest import Project
from thawline.components import backbones

pytestmark = pytest.mark.e2e


def write_weights(path: pathlib.Path, seed: int) -> None:
    keras.utils.set_random_seed(seed)
    backbones.build('mobilenet_v2_035', 32, 'random').model.save_weights(path)
    os.utime(path, (10**9, 10**9))


def ran(project: Project) -> set[str]:
    """The nodes that no cache served."""
    done = project.thawline('run', '--to', 'Trainer')
    assert done.returncode == 0, done.stdout + done.stderr
    lines = re.findall(r'^✓ (\w+)\s+(\S+)', done.stdout, re.MULTILINE)
    assert len(lines) == 8
    return {node for node, state in lines if state != 'cached'}


def test_weights_count_by_content_and_images_not_by_time(make_project) -> None:
    project = make_project(
        images=12,
        model='{backbone: mobilenet_v2_035, weights: base.weights.h5}',
        training='{mode: probe, augmentation: none}',
    )
    weights = project.home / 'base.weights.h5'
    write_weights(weights, 0)
    size = weights.stat().st_size
    assert len(ran(project)) == 8
    write_weights(weights, 1)
    assert weights.stat().st_size == size
    (project.home / 'images' / 'moss' / '002.png').touch()  # the same image
    assert ran(project) == {'Embedder', 'Trainer'}

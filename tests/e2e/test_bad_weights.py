"""Weights that cannot be used end a run before any image is prepared."""

from __future__ import annotations

import pickle

import keras
import pytest

from tests.e2e.conftest import Project

pytestmark = pytest.mark.e2e


class _Malice:
    def __init__(self, witness: str) -> None:
        self._witness = witness

    def __reduce__(self):
        return open, (self._witness, 'w')


@pytest.fixture(scope='module')
def project(make_project) -> Project:
    return make_project(images=12)


def refused(project: Project, backbone: str, weights: str) -> str:
    project.write(model=f'{{backbone: {backbone}, weights: {weights}}}')
    done = project.thawline('run')
    output = done.stdout + done.stderr
    assert done.returncode == 2, output
    assert 'ImageExampleGen' not in output and 'Traceback' not in output
    return output


def test_weights_of_another_architecture(project):
    other = keras.applications.MobileNetV2((32, 32, 3), alpha=0.5, weights=None, include_top=False)
    other.save_weights(project.home / 'other.weights.h5')
    output = refused(project, 'mobilenet_v2_035', 'other.weights.h5')
    assert 'other.weights.h5' in output and 'mobilenet_v2_035' in output


def test_pickle_that_tries_to_run_code(project):
    witness = project.home / 'ran'
    (project.home / 'weights.pth').write_bytes(pickle.dumps(_Malice(str(witness)), protocol=2))
    output = refused(project, 'efficientnet_lite0', 'weights.pth')
    assert 'weights.pth' in output
    assert not witness.exists()

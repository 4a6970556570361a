"""Brightness, contrast, sharpness."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tests.components.ingestion.images import picture
from thawline.components.ingestion.image_facts import measure


def test_flat_image() -> None:
    facts = measure(np.full((10, 10), 51, np.uint8))
    assert facts.brightness == pytest.approx(0.2)
    assert facts.contrast == pytest.approx(0, abs=1e-6)
    assert facts.sharpness == pytest.approx(0, abs=1e-9)


def test_checkerboard_has_the_largest_contrast() -> None:
    board = (np.indices((8, 8)).sum(0) % 2 * 255).astype(np.uint8)
    facts = measure(board)
    assert facts.brightness == pytest.approx(0.5)
    assert facts.contrast == pytest.approx(0.5)
    assert facts.sharpness == pytest.approx(16)  # The Laplacian is 4 or -4 everywhere.


def test_blur_lowers_sharpness() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), dtype=np.uint8)
    blurred = Image.fromarray(noise).filter(ImageFilter.GaussianBlur(2))
    assert measure(np.asarray(blurred)).sharpness < measure(noise).sharpness / 10


@pytest.mark.parametrize('shape', [(1, 1), (2, 300), (3, 3)])
def test_tiny_images(shape: tuple[int, int]) -> None:
    assert np.isfinite(list(vars(measure(np.ones(shape, np.uint8))).values())).all()


def test_is_fast() -> None:
    luma = np.asarray(picture(size=(256, 256), mode='L'))
    best = min(_timed(luma) for _ in range(20))
    assert best < 0.003


def _timed(luma: np.ndarray) -> float:
    start = time.perf_counter()
    measure(luma)
    return time.perf_counter() - start

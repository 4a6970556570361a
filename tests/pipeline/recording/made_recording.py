"""A folder as a server leaves it."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

import pytest

from thawline.components.ingestion import image_identity
from thawline.pipeline.recording import recorder
from thawline.pipeline.recording.recorder import RecordingSettings, ServedVersion


def record(
    folder: pathlib.Path, images: Sequence[bytes], labels: Sequence[str], model: int = 12
) -> list[str]:
    """Records an answer to each image; returns their ids."""
    served = ServedVersion(1, model)
    with recorder.record(RecordingSettings(folder), pytest.fail, lambda outcome: None) as kept:
        for image, label in zip(images, labels, strict=True):
            kept.offer(served, image, label, 0.9, [(label, 0.9)])
    return [image_identity.image_id(image) for image in images]

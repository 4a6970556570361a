"""Points around a centre a class, as the images of an earlier run and as new ones."""

from __future__ import annotations

import numpy as np

from tests.components.data_audit import audited
from thawline.components.data_audit.images import AuditedImages
from thawline.pipeline.drift.judgement import AnsweredImages

CLASSES = audited.CLASSES


def earlier(each: int = 40, seed: int = 0) -> AuditedImages:
    """Images with a brightness around 0.5 and one format, all of them for training."""
    rng = np.random.default_rng(100 + seed)
    facts = {
        'brightness': rng.normal(0.5, 0.1, 3 * each),
        'height': np.full(3 * each, 256.0),
        'source_format': np.full(3 * each, 'JPEG'),
    }
    images = audited.images(each, seed=seed, facts=facts)
    return images.take(np.arange(len(images)))


def new(
    count: int, seed: int, move: float = 0.0, darker: float = 0.0, only: int | None = None
) -> AnsweredImages:
    """Images of the same kind, or moved in the space of features, darker, or of one class."""
    drawn = audited.images(count, seed=seed)
    rows = np.random.default_rng(seed).choice(
        np.flatnonzero(drawn.labels == only) if only is not None else len(drawn), count, False
    )
    rng = np.random.default_rng(200 + seed)
    features = drawn.features[rows].copy()
    features[:, 10:] += move
    names = np.array([f'new{row}' for row in range(count)], str)
    return AnsweredImages(
        ids=names,
        names=np.array([f'{name}.jpg' for name in names], str),
        groups=names,
        features=features,
        facts={
            'brightness': rng.normal(0.5 - darker, 0.1, count),
            'height': np.full(count, 256.0),
            'source_format': np.full(count, 'JPEG'),
        },
        answers=np.array(CLASSES)[drawn.labels[rows]],
        scores=np.full(count, 0.9, np.float32),
    )

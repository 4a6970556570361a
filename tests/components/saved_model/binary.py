"""Models of two classes as they are served, answering by any rule."""

from __future__ import annotations

import pathlib

import numpy as np
import tensorflow as tf

from tests.components.training import tiny
from tests.components.transformed import CLASSES, RESIZE, SIZE, Row, Transformed
from thawline.components.backbones import classifier as model
from thawline.components.saved_model import signatures
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.transform import preprocessing

TWO = CLASSES[:2]


def rows(transformed: Transformed) -> tuple[Row, ...]:
    """The images of the two classes."""
    return tuple(row for row in transformed.rows if row.label in TWO)


def classifier(some: tuple[Row, ...]) -> model.Classifier:
    """Half of the images are more probably of either class; their margins are all different."""
    made = model.build(tiny.backbone(side=SIZE), 'top', 2, 0.2, seed=0)
    kernel = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)
    made.set_head(kernel, np.zeros(2, np.float32))
    margins = np.diff(logits(made, some), axis=1)
    scale = 2.0 / margins.std()
    bias = scale * np.array([float(np.median(margins)), 0.0], np.float32)
    made.set_head(kernel * scale, bias.astype(np.float32))
    return made


def logits(made: model.Classifier, some: tuple[Row, ...]) -> np.ndarray:
    """float32 [N, 2] of raw images."""
    encoded = tf.constant([row.image for row in some])
    return made.predict(preprocessing.pixels_from_bytes(encoded, SIZE, RESIZE).numpy())


def exported(
    made: model.Classifier,
    transformed: Transformed,
    folder: pathlib.Path,
    rule: Rule | None,
    classes: tuple[str, ...] = TWO,
) -> pathlib.Path:
    """Writes the model and returns its folder."""
    signatures.export(made, classes, transformed.output, SIZE, RESIZE, folder, rule)
    return folder

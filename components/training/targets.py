"""Training targets: for each image of a batch a distribution over the classes.

Confidence, smoothing, blends of images and class weights all act on one tensor, float32 [n, C], so
that the loss is one line. The weights of classes multiply its rows.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

_MIXUP_ALPHA = 0.2  # Zhang et al. 2018 use 0.1 to 0.4 on ImageNet


@dataclasses.dataclass(frozen=True)
class Targets:
    """How labels become targets.

    Attributes:
        smoothing: share of each label that is spread over all classes (Szegedy et al. 2016).
        mix: 'none'; 'mixup': weighted means of two images (Zhang et al., ICLR 2018); 'cutmix': a
            rectangle of another image (Yun et al., ICCV 2019).
        weights: float32 [C], of the images of each class in the loss.
        soft: whether labels count by their confidence, or fully.
    """

    smoothing: float
    mix: str
    weights: np.ndarray
    soft: bool

    def batch(
        self, images: tf.Tensor, labels: tf.Tensor, confidence: tf.Tensor, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Images and targets of a batch.

        Args:
            images: float32 [n, H, W, 3].
            labels: int64 [n] in [0, C).
            confidence: float32 [n] in (0, 1]; probability that the label is right. The rest is
                spread evenly over the other classes.
            seed: int64 [2], of this batch alone.

        Returns:
            float32 [n, H, W, 3] and float32 [n, C].
        """
        targets = self.distributions(labels, confidence)
        if self.mix == 'none':
            return images, targets
        seed = tf.random.fold_in(seed, 1)  # other numbers than those of the augmentation
        # Each image meets the next of its (shuffled) batch.
        other_images, other_targets = tf.roll(images, 1, axis=0), tf.roll(targets, 1, axis=0)
        if self.mix == 'mixup':
            # Beta(a, a) as a ratio of gammas, the larger part of the image itself.
            gammas = tf.random.stateless_gamma([2], seed, alpha=_MIXUP_ALPHA)
            own = tf.reduce_max(gammas) / tf.maximum(tf.reduce_sum(gammas), 1e-12)
            images = own * images + (1.0 - own) * other_images
        else:
            inside = _rectangle(tf.shape(images)[1:3], tf.random.stateless_uniform([3], seed))
            images = tf.where(inside[None, :, :, None], other_images, images)
            own = 1.0 - tf.reduce_mean(tf.cast(inside, tf.float32))
        return images, own * targets + (1.0 - own) * other_targets

    def distributions(self, labels: tf.Tensor, confidence: tf.Tensor) -> tf.Tensor:
        """Targets before images are blended, float32 [n, C]; the arguments are those of `batch`."""
        classes = len(self.weights)
        rows = targets = tf.one_hot(labels, classes)
        if self.soft:
            other = ((1.0 - confidence) / (classes - 1))[:, None]
            targets = other + (confidence[:, None] - other) * rows
        targets = targets * (1.0 - self.smoothing) + self.smoothing / classes
        return targets * tf.reduce_sum(rows * self.weights, axis=1, keepdims=True)


def _rectangle(size: tf.Tensor, draws: tf.Tensor) -> tf.Tensor:
    """A box of the image's own aspect, anywhere in it: float32 [3] in [0, 1) -> bool [H, W].

    Its area is uniform in [0, 1] before it is cut off at the edges, as in the paper's alpha = 1.
    """
    side = tf.sqrt(draws[0]) / 2
    rows = (tf.range(size[0], dtype=tf.float32) + 0.5) / tf.cast(size[0], tf.float32)
    columns = (tf.range(size[1], dtype=tf.float32) + 0.5) / tf.cast(size[1], tf.float32)
    return (tf.abs(rows - draws[1]) < side)[:, None] & (tf.abs(columns - draws[2]) < side)[None, :]


def class_weights(labels: np.ndarray, classes: int, mode: str) -> np.ndarray:
    """Weight of each class in the loss: int [N] -> float32 [C], its mean over the images 1.

    Args:
        labels: in [0, C).
        classes: C.
        mode: 'none', or 'balanced': in inverse proportion to how many images a class has.
    """
    if mode == 'none':
        return np.ones(classes, np.float32)
    counts = np.maximum(np.bincount(labels, minlength=classes), 1)  # an absent one weighs nothing
    return (len(labels) / (classes * counts)).astype(np.float32)

"""Activations of the frozen blocks, computed once.

Nothing below the deepest thawed block changes in training, so what crosses its lower edge is the
same in every epoch.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from thawline.components import augmentation
from thawline.components.backbones import classifier
from thawline.components.shared import progress
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import training_images
from thawline.components.training.targets import Targets

# Float32 activations at the edge and, as the head sees them, pooled ones of stages below it; see
# `components.backbones.features.split_features`. Each has one row an image.
Activations = list[np.ndarray]
_BATCH = 64


class SplitClassifier:
    """A classifier in two parts: frozen blocks, and what is trained.

    Attributes:
        upper: activations -> logits; shares layers and weights with the classifier.
    """

    def __init__(
        self, classifier: classifier.Classifier, thawed: int, policy: augmentation.Policy
    ) -> None:
        """Compiles nothing yet.

        Args:
            classifier: the whole.
            thawed: blocks that are trained, fewer than there are.
            policy: of the augmented views.
        """
        lower, self.upper = classifier.split(len(classifier.backbone.blocks) - thawed)

        def forward(images: tf.Tensor) -> list[tf.Tensor]:
            return tf.nest.flatten(lower(images, training=False))

        side = classifier.model.input_shape[1]
        self.plain, self.augmented = augmentation.compile_views(forward, side, policy)

        @tf.function(input_signature=[self.specs], autograph=False)
        def logits(activations: list[tf.Tensor]) -> tf.Tensor:
            return self.upper(activations, training=False)

        self._logits: Callable[[Activations], tf.Tensor] = logits

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """Of a batch of activations."""
        return [tf.TensorSpec(tensor.shape, tf.float32) for tensor in self.upper.inputs]

    def allocate(
        self,
        leading: tuple[int, ...],
        spool: pathlib.Path | None,
        in_memory_bytes: int = training_images.IN_MEMORY_BYTES,
    ) -> Activations:
        """Arrays to fill, [*leading, ...] each; large ones in files in the folder `spool`."""
        arrays = []
        for i, spec in enumerate(self.specs):
            file = spool and spool / f'activations{i}.npy'
            shape = (*leading, *spec.shape[1:])
            arrays.append(training_images.allocate(shape, file, in_memory_bytes, np.float32))
            if file and file.exists():
                # Its space is freed with the array, also when the training is killed.
                file.unlink()
        return arrays

    def size_in_bytes(self, n: int) -> int:
        """Of the activations of n images."""
        return sum(4 * n * spec.shape[1:].num_elements() for spec in self.specs)

    def predict(self, activations: Activations) -> np.ndarray:
        """Logits of every row, float32 [N, C]."""
        rows = range(0, len(activations[0]), _BATCH)
        return np.concatenate(
            [self._logits([array[i : i + _BATCH] for array in activations]).numpy() for i in rows]
        )


class ValPredictor:
    """Predicts val by the present weights; the frozen part is computed once."""

    def __init__(
        self,
        classifier: classifier.Classifier,
        pixels: np.ndarray,
        split: SplitClassifier | None,
    ) -> None:
        """Computes nothing yet; `pixels` are uint8 [N, H, W, 3]."""
        self._classifier, self._pixels = classifier, pixels
        fits = (
            split is not None
            and split.size_in_bytes(len(pixels)) <= training_images.IN_MEMORY_BYTES
        )
        # Reading activations from a file would cost as much as computing them.
        self._split = split if fits else None
        self._activations: Activations = []

    @property
    def is_split(self) -> bool:
        """Whether a call predicts the upper part alone."""
        return self._split is not None

    def __call__(self) -> np.ndarray:
        """float32 [N, C]."""
        if self._split is None:
            return self._classifier.predict(self._pixels)
        if not self._activations:
            self._activations = self._split.allocate((len(self._pixels),), None)
            for start in range(0, len(self._pixels), _BATCH):
                rows = slice(start, start + _BATCH)
                _write(self._activations, rows, self._split.plain(self._pixels[rows]))
        return self._split.predict(self._activations)


class CachedViews:
    """Activations of augmented copies of the train images, each for several epochs.

    A copy depends on seed, image and number of the view alone, and each view is always computed in
    the same batches: a resumed training sees the very same activations.
    """

    def __init__(
        self,
        split: SplitClassifier,
        train: LabelledSet,
        views: int,
        seed: int,
        spool: pathlib.Path | None,
    ) -> None:
        """Computes nothing yet; `spool` is a folder for activations too large for memory."""
        self._split, self._train, self._seed = split, train, seed
        split.augmented.get_concrete_function()  # now, because `fill` is timed
        self._arrays = split.allocate((views, len(train)), spool)
        self._filled: set[int] = set()
        self.count = views

    def fill(self, view: int) -> None:
        """Computes a view, 0 to count - 1, once."""
        if view in self._filled:
            return
        self._filled.add(view)
        progress.note(f'frozen blocks: view {view + 1}/{self.count}')
        for start in range(0, len(self._train), _BATCH):
            rows = slice(start, start + _BATCH)
            draws = augmentation.view_draws(self._seed, self._train.ids[rows], view + 1)
            activations = self._split.augmented(self._train.values[rows], draws)
            _write([array[view] for array in self._arrays], rows, activations)

    def epoch(
        self, view: int, epoch: int, batch_size: int, targets: Targets
    ) -> Iterator[tuple[Activations, np.ndarray]]:
        """Shuffled batches of a view, a pure function of (seed, view, epoch).

        Yields:
            (activations of n images, float32 [n, C]).
        """
        self.fill(view)
        distributions = targets.distributions(self._train.labels, self._train.confidence).numpy()
        order = training_images.epoch_order(len(self._train), self._seed, epoch)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield [array[view][rows] for array in self._arrays], distributions[rows]


def _write(arrays: Activations, rows: slice, values: list[tf.Tensor]) -> None:
    for array, value in zip(arrays, values, strict=True):
        array[rows] = value.numpy()

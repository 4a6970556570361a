"""What the frozen blocks make of images, computed once.

Below the deepest block that thaws nothing changes while the blocks above it are trained, so what
crosses its lower edge is the same in every epoch.
"""

from __future__ import annotations

import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import tensorflow as tf

from thawline.components import augmentation
from thawline.components.backbones import classifier
from thawline.components.shared import progress
from thawline.components.training import image_set
from thawline.components.training.targets import Targets

# Float32 activations at the edge and, as the head sees them, pooled ones of stages below it; see
# `components.backbones.features.split_features`. Each has one row an image.
Activations = list[np.ndarray]
_BATCH = 64


class SplitClassifier:
    """A classifier in two parts: what stays frozen, and what is trained.

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
        pixels = tf.TensorSpec(classifier.model.input_shape, tf.uint8)
        draws = tf.TensorSpec([None, augmentation.DRAWS], tf.float32)

        @tf.function(input_signature=[pixels])
        def plain(images: tf.Tensor) -> list[tf.Tensor]:
            return tf.nest.flatten(lower(tf.cast(images, tf.float32), training=False))

        @tf.function(input_signature=[pixels, draws])
        def augmented(images: tf.Tensor, draws: tf.Tensor) -> list[tf.Tensor]:
            changed = augmentation.augment(images, policy, draws)
            return tf.nest.flatten(lower(changed, training=False))

        @tf.function(input_signature=[self.specs])
        def logits(activations: list[tf.Tensor]) -> tf.Tensor:
            return self.upper(activations, training=False)

        self.plain, self.augmented = plain, augmented
        self._logits: Callable[[Activations], tf.Tensor] = logits

    @property
    def specs(self) -> list[tf.TensorSpec]:
        """Of a batch of activations."""
        return [tf.TensorSpec(tensor.shape, tf.float32) for tensor in self.upper.inputs]

    def empty(
        self,
        leading: tuple[int, ...],
        spool: pathlib.Path | None,
        in_memory_bytes: int = image_set.IN_MEMORY_BYTES,
    ) -> Activations:
        """Arrays to be filled, [*leading, ...] each; large ones in files in the folder `spool`."""
        arrays = []
        for i, spec in enumerate(self.specs):
            file = spool and spool / f'activations{i}.npy'
            shape = (*leading, *spec.shape[1:])
            arrays.append(image_set.empty(shape, file, in_memory_bytes, np.float32))
            if file and file.exists():
                # The space is given back with the array, also where the training is killed.
                file.unlink()
        return arrays

    def bytes_of(self, n: int) -> int:
        """What the activations of n images take."""
        return sum(4 * n * spec.shape[1:].num_elements() for spec in self.specs)

    def predict(self, activations: Activations) -> np.ndarray:
        """Logits of every row, float32 [N, C]."""
        rows = range(0, len(activations[0]), _BATCH)
        return np.concatenate(
            [self._logits([array[i : i + _BATCH] for array in activations]).numpy() for i in rows]
        )


class ValPredictor:
    """Logits of val by the weights of now, the frozen part of the way computed once."""

    def __init__(
        self,
        classifier: classifier.Classifier,
        pixels: np.ndarray,
        boundary: SplitClassifier | None,
    ) -> None:
        """Computes nothing yet; `pixels` are uint8 [N, H, W, 3]."""
        self._classifier, self._pixels = classifier, pixels
        fits = boundary is not None and boundary.bytes_of(len(pixels)) <= image_set.IN_MEMORY_BYTES
        # From a file, the lower blocks' work would be saved for the disk's.
        self._boundary = boundary if fits else None
        self._held: Activations = []

    def __call__(self) -> np.ndarray:
        """float32 [N, C]."""
        if self._boundary is None:
            return self._classifier.predict(self._pixels)
        if not self._held:
            self._held = self._boundary.empty((len(self._pixels),), None)
            for start in range(0, len(self._pixels), _BATCH):
                rows = slice(start, start + _BATCH)
                _put(self._held, rows, self._boundary.plain(self._pixels[rows]))
        return self._boundary.predict(self._held)


class CachedViews:
    """Augmented copies of the train images on the thawed side of the boundary, for many epochs.

    A copy depends on seed, image and number of the view alone, and each view is computed in the
    same batches whenever that is: a resumed training sees the very same activations.
    """

    def __init__(
        self,
        boundary: SplitClassifier,
        train: image_set.ImageSet,
        views: int,
        seed: int,
        spool: pathlib.Path | None,
    ) -> None:
        """Computes nothing yet; `spool` is a folder for activations too many for memory."""
        self._boundary, self._train, self._seed = boundary, train, seed
        boundary.augmented.get_concrete_function()  # now, for filling is timed
        self._arrays = boundary.empty((views, len(train)), spool)
        self._filled: set[int] = set()
        self.count = views

    def fill(self, view: int) -> None:
        """Computes a view, 0 to count - 1, if that was not done before."""
        if view in self._filled:
            return
        self._filled.add(view)
        progress.note(f'frozen blocks: view {view + 1}/{self.count}')
        for start in range(0, len(self._train), _BATCH):
            rows = slice(start, start + _BATCH)
            # Number 0 is the plain image, as in the embeddings.
            draws = [
                augmentation.view_draws(self._seed, i, view + 1) for i in self._train.ids[rows]
            ]
            found = self._boundary.augmented(self._train.pixels[rows], np.stack(draws))
            _put([array[view] for array in self._arrays], rows, found)

    def epoch(
        self, view: int, epoch: int, batch_size: int, targets: Targets
    ) -> Iterator[tuple[Activations, np.ndarray]]:
        """Shuffled batches of a view, a pure function of (seed, view, epoch).

        Yields:
            (activations of n images, float32 [n, C]).
        """
        self.fill(view)
        goals = targets.unmixed(self._train.labels, self._train.confidence).numpy()
        order = image_set.shuffled(len(self._train), self._seed, epoch)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            yield [array[view][rows] for array in self._arrays], goals[rows]


def _put(arrays: Activations, rows: slice, values: list[tf.Tensor]) -> None:
    for array, value in zip(arrays, values, strict=True):
        array[rows] = value.numpy()

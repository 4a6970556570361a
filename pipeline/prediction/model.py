"""The model that predicts: a SavedModel with its card, loaded once a process."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import tensorflow as tf
from apache_beam.utils import shared

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.prediction import chunk_files, model_card

_SIGNATURE = 'serving_bytes'


class Predictor:
    """An exported model that answers to encoded images.

    Attributes:
        classes: names in the order of the outputs.
    """

    def __init__(self, folder: str) -> None:
        """Loads it.

        Raises:
            ConfigError: it cannot be loaded, or has no signature for encoded images.
        """
        self.classes = model_card.read_card(pathlib.Path(folder)).classes
        try:
            self._loaded = tf.saved_model.load(folder)
        except (OSError, ValueError, tf.errors.OpError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise ConfigError(f'the model {folder} cannot be loaded: {why}') from error
        if _SIGNATURE not in self._loaded.signatures:
            has = ', '.join(sorted(self._loaded.signatures)) or 'none'
            raise ConfigError(
                f'the model {folder} has no signature {_SIGNATURE} for encoded images; '
                f'it has: {has}'
            )
        self._answer = self._loaded.signatures[_SIGNATURE]

    def answers(self, images: Sequence[bytes]) -> chunk_files.ModelAnswers:
        """Answers to encoded images; n may be 0.

        Raises:
            tf.errors.InvalidArgumentError: at least one of them cannot be decoded.
        """
        found = self._answer(image_bytes=tf.constant(list(images), tf.string))
        return chunk_files.ModelAnswers(
            [name.decode() for name in found['label'].numpy()],
            found['score'].numpy(),
            found['probabilities'].numpy(),
        )


_held: dict[str, Predictor] = {}


@contextlib.contextmanager
def held(folder: str) -> Iterator[Predictor]:
    """Loads the model for the time of the block; workers of this process use the same one.

    What cannot be loaded is then an error of the caller, and not one from inside a Beam worker,
    which arrives as a RuntimeError.

    Raises:
        ConfigError: it cannot be used.
    """
    if folder in _held:
        yield _held[folder]
        return
    predictor = Predictor(folder)
    _held[folder] = predictor
    try:
        yield predictor
    finally:
        del _held[folder]


def of(folder: str, handle: shared.Shared) -> Predictor:
    """The model that this process holds, or, in another worker, one that its threads share."""
    return _held.get(folder) or handle.acquire(lambda: Predictor(folder))

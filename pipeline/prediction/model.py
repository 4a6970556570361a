"""The model that predicts: a SavedModel with its card, loaded once in each process."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator, Sequence

import tensorflow as tf
from apache_beam.utils import shared

from thawline.components.saved_model.runner import SavedModelRunner
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.prediction import chunk_files, model_card

_SIGNATURE = 'serving_bytes'


class Predictor:
    """An exported model that classifies encoded images.

    Attributes:
        classes: names in the order of the outputs.
        depth: how samples of more than 8 bits are scaled.
    """

    def __init__(self, folder: str) -> None:
        """Loads the model.

        Raises:
            ConfigError: it cannot be loaded, or has no signature for encoded images.
        """
        card = model_card.read_card(pathlib.Path(folder))
        self.classes, self.depth = card.classes, card.depth
        try:
            self._run = SavedModelRunner(folder)
        except (OSError, ValueError, tf.errors.OpError) as error:
            why = (str(error).splitlines() or [type(error).__name__])[0]
            raise ConfigError(f'the model {folder} cannot be loaded: {why}') from error
        if _SIGNATURE not in self._run.signatures:
            has = ', '.join(sorted(self._run.signatures)) or 'none'
            raise ConfigError(
                f'the model {folder} has no signature {_SIGNATURE} for encoded images; '
                f'it has: {has}'
            )

    def answers(self, images: Sequence[bytes]) -> chunk_files.ModelAnswers:
        """Classifies encoded images; there may be none.

        Raises:
            tf.errors.InvalidArgumentError: an image cannot be decoded.
        """
        outputs = self._run(_SIGNATURE, image_bytes=list(images))
        return chunk_files.ModelAnswers(
            [name.decode() for name in outputs['label']],
            outputs['score'],
            outputs['probabilities'],
        )


_loaded: dict[str, Predictor] = {}


@contextlib.contextmanager
def load(folder: str) -> Iterator[Predictor]:
    """Keeps the model loaded during the block; Beam workers in this process use the same one.

    A model that cannot be loaded thus raises here, not in a Beam worker, whose errors arrive as
    RuntimeError.

    Raises:
        ConfigError: it cannot be used.
    """
    if folder in _loaded:
        yield _loaded[folder]
        return
    predictor = Predictor(folder)
    _loaded[folder] = predictor
    try:
        yield predictor
    finally:
        del _loaded[folder]


def get(folder: str, handle: shared.Shared) -> Predictor:
    """The model of this process, or, in another worker, one that its threads share."""
    return _loaded.get(folder) or handle.acquire(lambda: Predictor(folder))

"""One version of a model in memory, ready to answer."""

from __future__ import annotations

import contextlib
import io
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from PIL import Image
from tensorflow.core.protobuf import saved_model_pb2

from thawline.components.saved_model import card as card_lib
from thawline.components.saved_model.runner import SavedModelRunner
from thawline.components.shared.version_folders import MODEL_FILE
from thawline.pipeline.server.predict_json import InputSpec

WARM_UP_FILE = pathlib.Path('assets.extra', 'tf_serving_warmup_requests')
_MOST_WARM_UP = 1000  # as TensorFlow Serving, which refuses more
# What surrounds the reason in the message of a failed graph.
_NOISE = re.compile(
    r'Graph execution error:|Detected at node .*|<stack traces unavailable>|\d+ root error.*|'
    r'\(\d+\)\s*(?:\w+:)?|\[\[\{\{node [^\]]*\]\]|\[Op:\w+\]|0 successful operations\.|'
    r'\d+ derived errors ignored\.|assertion failed: \[|(?<=\w)\]$'
)

_MOST_MESSAGE = 4000

Outputs = dict[str, np.ndarray]


def _reason(error: tf.errors.OpError) -> str:
    # A message may repeat the whole input.
    text = (error.message or '')[:_MOST_MESSAGE]
    lines = (_NOISE.sub('', line).strip() for line in text.splitlines())
    return ' '.join(dict.fromkeys(filter(None, lines))) or type(error).__name__


@contextlib.contextmanager
def _input_errors() -> Iterator[None]:
    """Raises InvalidInput where the model refuses what it was given."""
    try:
        yield
    except (tf.errors.InvalidArgumentError, tf.errors.FailedPreconditionError,
            tf.errors.OutOfRangeError, tf.errors.UnimplementedError) as error:  # fmt: skip
        raise InvalidInput(_reason(error)) from None


class Servable:
    """A loaded SavedModel.

    Attributes:
        version: its number.
        card: what the model is.
        abstain_below: score below which the page calls an answer uncertain; None: never.
        signatures: what each takes.
        metadata: TensorFlow Serving's description of the signatures, as JSON values.
    """

    def __init__(self, folder: pathlib.Path, version: int) -> None:
        """Loads the model.

        Raises:
            OSError, ValueError: the folder holds no SavedModel, or none with a card.
        """
        self.folder, self.version = folder, version
        self.card = card_lib.read(folder)
        bound = self.card.abstain
        self.abstain_below = None if bound is None else bound.threshold
        self._run = SavedModelRunner(folder)
        self.signatures = {n: _inputs_of(specs) for n, specs in self._run.signatures.items()}
        self.metadata = _metadata(folder)

    @property
    def can_explain(self) -> bool:
        """Whether `explain` may be called; models of early versions cannot."""
        return self._run.can_explain

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Outputs:
        """Runs one signature; from any thread.

        Raises:
            InvalidInput: the input does not suit the model.
        """
        with _input_errors():
            return self._run(signature, **inputs)

    def explain(self, image: bytes, class_index: int) -> np.ndarray:
        """Heat of a class over what the model sees of an image: -> float32 [h, w] in [0, 1].

        Raises:
            InvalidInput: it is no image.
        """
        with _input_errors():
            heat: np.ndarray = self._run.explain([image], [class_index])[0]
        return heat

    def warm_up(self) -> int:
        """Runs a few requests, so that no first one waits for the graph's optimiser.

        Those that lie beside the model, else one of our own to each signature that takes images.

        Returns:
            How many requests were answered.
        """
        done = 0
        for signature, inputs in self._warm_up_requests():
            self.predict(signature, inputs)
            done += 1
        if self.can_explain:
            # The page's own question, which no client of TensorFlow Serving asks.
            self.explain(_picture(self.card.image_size), 0)
        return done

    def _warm_up_requests(self) -> Iterator[tuple[str, Outputs]]:
        file = self.folder / WARM_UP_FILE
        if file.is_file():
            yield from _recorded(file)
            return
        picture = _picture(self.card.image_size)
        yield 'serving_bytes', {'image_bytes': np.array([picture], object)}
        side = self.card.image_size
        yield 'serving_pixels', {'pixels': np.zeros((1, side, side, 3), np.uint8)}


def _picture(side: int) -> bytes:
    file = io.BytesIO()
    Image.new('RGB', (side, side), (128, 128, 128)).save(file, 'PNG')
    return file.getvalue()


def _recorded(file: pathlib.Path) -> Iterator[tuple[str, Outputs]]:
    from tensorflow_serving.apis import prediction_log_pb2

    records = tf.data.TFRecordDataset(str(file)).take(_MOST_WARM_UP)
    for record in records.as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.WhichOneof('log_type') != 'predict_log':
            continue
        request = log.predict_log.request
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        yield request.model_spec.signature_name or 'serving_default', inputs


def _inputs_of(specs: Mapping[str, tf.TensorSpec]) -> dict[str, InputSpec]:
    return {
        name: InputSpec(
            'string' if spec.dtype == tf.string else spec.dtype.name,
            None if spec.shape.rank is None else tuple(spec.shape.as_list()),
        )
        for name, spec in specs.items()
    }


def _metadata(folder: pathlib.Path) -> dict[str, Any]:
    model = saved_model_pb2.SavedModel.FromString((folder / MODEL_FILE).read_bytes())
    signatures = model.meta_graphs[0].signature_def
    return {
        name: json_format.MessageToDict(
            signatures[name],
            preserving_proto_field_name=True,
            always_print_fields_with_no_presence=True,
        )
        for name in sorted(signatures)
    }


class InvalidInput(Exception):
    """The model cannot make sense of its input (garbage instead of an image); says why."""

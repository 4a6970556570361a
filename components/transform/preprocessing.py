"""From encoded bytes to pixels: the one graph that training, evaluation and serving share.

Tensor contract: an encoded image is a scalar string; pixels are uint8 [size, size, 3], RGB.
Nothing here is random and nothing depends on the data except the list of classes.

tf.Example cannot hold uint8, and its int64 lists cost eight bytes a pixel in memory, so pixels
travel as one serialized tensor a record (`pack`, `unpack`), which is a plain copy each way.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

from thawline.components.shared import exif_orientation, image_decoder
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth

PIXELS = 'pixels'
PIXELS_DIGEST = 'pixels_digest'  # of written examples alone
LABEL_INDEX = 'label_index'
LABEL_CONFIDENCE = 'label_confidence'
IMAGE_ID = 'image_id'
CLASSES_FILE = 'classes'
DEPTH, CLASSES = 'depth', 'classes'  # in the configuration
UNKNOWN_CLASS = -1
RESIZE_MODES = ('stretch', 'crop', 'letterbox')
# Grey, so that the bars of a letterboxed image are near the mean of what the base was trained on.
_LETTERBOX_GREY = 128.0


def resize(image: tf.Tensor, size: int, mode: str, turn: tf.Tensor | None = None) -> tf.Tensor:
    """Brings one image to a square: uint8 [h, w, 3] -> uint8 [size, size, 3].

    `stretch` ignores the aspect ratio, `crop` keeps the central square, `letterbox` keeps the
    whole image between grey bars. Bilinear with antialiasing, so that large images do not alias.
    `turn` is an EXIF orientation, applied to the small image: turning a photograph of 12 megapixels
    takes three times as long as decoding it.
    """

    def shrunk(part: tf.Tensor, sides: tf.Tensor | list[int]) -> tf.Tensor:
        scaled = tf.image.resize(part, sides, antialias=True)
        return scaled if turn is None else exif_orientation.upright(scaled, turn)

    if mode == 'stretch':
        scaled = shrunk(image, [size, size])
    elif mode == 'crop':
        shape = tf.shape(image)[:2]
        side = tf.reduce_min(shape)
        spare = shape - side
        if turn is not None:  # An odd pixel goes where it would if the image were upright.
            spare += exif_orientation.reversed_axes(turn)
        top, left = spare[0] // 2, spare[1] // 2
        square = image[top : top + side, left : left + side]
        scaled = shrunk(square, [size, size])
    elif mode == 'letterbox':
        # Not tf.image.resize_with_pad: it rounds the short side of a sliver down to 0 and fails.
        shape = tf.shape(image)[:2]
        side = tf.reduce_max(shape)
        inside = shrunk(image, tf.maximum(1, (shape * size + side // 2) // side))
        inner = tf.shape(inside)[:2]
        top, left = (size - inner[0]) // 2, (size - inner[1]) // 2
        # Bars are added as the difference from grey, because the op itself pads with zeros.
        centred = inside - _LETTERBOX_GREY
        padded = tf.image.pad_to_bounding_box(centred, top, left, size, size)
        scaled = padded + _LETTERBOX_GREY
    else:
        raise ValueError(f'resize mode must be one of {RESIZE_MODES}. Received: {mode!r}')
    return tf.cast(tf.clip_by_value(tf.round(scaled), 0.0, 255.0), tf.uint8)


def pixels_from_bytes(
    encoded: tf.Tensor, size: int, mode: str, depth: SampleDepth = FULL_DEPTH
) -> tf.Tensor:
    """Decodes and resizes a batch: string [N] -> uint8 [N, size, size, 3]."""
    return tf.map_fn(
        _square(size, mode, depth),
        encoded,
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8),
    )


@functools.lru_cache(maxsize=8)
def _square(size: int, mode: str, depth: SampleDepth) -> Callable[[tf.Tensor], tf.Tensor]:
    """Decodes and resizes one image: string [] -> uint8 [size, size, 3].

    One for all graphs of a process: Transform traces its graph several times, and some 1,800
    operations take most of a second each time (and two more where AutoGraph rewrites the code).
    """

    def square(image: tf.Tensor) -> tf.Tensor:
        stored, turn = image_decoder.decode_stored(image, depth)
        return tf.ensure_shape(resize(stored, size, mode, turn), [size, size, 3])

    return tf.function(square, input_signature=[tf.TensorSpec([], tf.string)], autograph=False)


def pack(pixels: tf.Tensor) -> tf.Tensor:
    """Makes pixels storable in a tf.Example: uint8 [N, H, W, 3] -> string [N]."""
    return tf.map_fn(
        tf.io.serialize_tensor, pixels, fn_output_signature=tf.TensorSpec([], tf.string)
    )


def packed_pixels(encoded: tf.Tensor, custom_config: dict[str, Any]) -> tf.Tensor:
    """Pixels of encoded images, packed: string [N] -> string [N].

    Args:
        encoded: images.
        custom_config: as of `preprocessing_fn`.
    """
    depth = SampleDepth(**custom_config.get(DEPTH, {}))
    size, mode = int(custom_config['image_size']), custom_config['resize']
    return pack(pixels_from_bytes(encoded, size, mode, depth))


def unpack(packed: tf.Tensor, size: int) -> tf.Tensor:
    """The inverse of `pack`: string [N] -> uint8 [N, size, size, 3]."""
    return tf.map_fn(
        lambda record: tf.ensure_shape(tf.io.parse_tensor(record, tf.uint8), [size, size, 3]),
        packed,
        fn_output_signature=tf.TensorSpec([size, size, 3], tf.uint8),
    )


def class_index(label: tf.Tensor, classes: tf.Tensor) -> tf.Tensor:
    """Position of each label among the classes: string [N], string [C] -> int64 [N].

    `UNKNOWN_CLASS` where a label is not among them: a class that training never saw.
    """
    matches = tf.equal(label[:, None], classes[None, :])  # [N, C]
    position = tf.argmax(tf.cast(matches, tf.int32), axis=1, output_type=tf.int64)
    return tf.where(tf.reduce_any(matches, axis=1), position, tf.constant(UNKNOWN_CLASS, tf.int64))


class _SortedClasses(beam.PTransform):
    """Collects the distinct labels, sorted, as one string array of shape [C]."""

    def expand(self, batches: beam.PCollection) -> beam.PCollection:
        return (
            batches
            | 'Labels'
            >> beam.FlatMap(lambda batch: sorted(set(np.ravel(batch[0]).tolist()) - {b''}))
            | 'Distinct' >> beam.Distinct()
            | 'Collect' >> beam.combiners.ToList()
            | 'Sort' >> beam.Map(lambda labels: np.array(sorted(labels), dtype=object))
        )


def sorted_classes(label: tf.Tensor) -> tf.Tensor:
    """The class names of the analysed split in alphabetical order: string [N] -> string [C].

    `tft.vocabulary` orders by frequency, so a few more images could exchange the meaning of two
    outputs of a served model; alphabetical order changes only when the classes do.
    """
    (classes,) = tft.experimental.ptransform_analyzer(
        inputs=[label],
        ptransform=_SortedClasses(),
        output_dtypes=[tf.string],
        output_shapes=[[None]],
        name='sorted_classes',
    )
    return classes


def _dense(feature: tf.Tensor | tf.SparseTensor, absent: str | float = '') -> tf.Tensor:
    """One value an example as [N], whether the schema gave the feature a shape or not.

    Without a shape it may be absent; `absent` stands for it.
    """
    if isinstance(feature, tf.SparseTensor):
        # The width is given, because a batch in which no example has the feature has width 0.
        shape = tf.stack([feature.dense_shape[0], tf.constant(1, tf.int64)])
        one_each = tf.SparseTensor(feature.indices, feature.values, shape)
        feature = tf.sparse.to_dense(one_each, default_value=absent)
    return tf.reshape(feature, [-1])


def label_features(inputs: dict[str, Any], classes: tf.Tensor) -> dict[str, tf.Tensor]:
    """All transformed features but the pixels, from raw features and the classes: [N] each."""
    label = _dense(inputs['label'])
    if LABEL_CONFIDENCE in inputs:
        confidence = _dense(inputs[LABEL_CONFIDENCE], absent=1.0)
    else:
        confidence = tf.ones(tf.shape(label))
    return {
        LABEL_INDEX: class_index(label, classes),
        LABEL_CONFIDENCE: confidence,
        IMAGE_ID: _dense(inputs['image_id']),
    }


def class_names(output: tft.TFTransformOutput) -> list[bytes]:
    """The classes of a transform graph, in their order."""
    return sorted(output.vocabulary_by_name(CLASSES_FILE))


def _classes(label: tf.Tensor, names: Sequence[str] | None) -> tf.Tensor:
    """The class names that were given, else those that TFX collects: string [C]."""
    if names is not None:
        return tf.constant(sorted(name.encode() for name in names), tf.string)
    # The same names once more as a file, for those who read the transform without running it.
    tft.vocabulary(label, vocab_filename=CLASSES_FILE)
    return sorted_classes(label)


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    """What TFX Transform runs: raw features in, pixels and class index out.

    A label's confidence passes through, for training alone: no answer of a served model needs it.

    Args:
        inputs: raw features, among them `image` and `label`, string [N] or [N, 1]. All labels are
            certain where the schema has no `label_confidence`, and each one that has none.
        custom_config: `image_size` (pixels), `resize` (mode) and, where it is not the full one,
            `depth` (the fields of SampleDepth). `classes` (names), where they are known: there is
            nothing to analyse then.
    """
    classes = _classes(_dense(inputs['label']), custom_config.get(CLASSES))
    return {
        PIXELS: packed_pixels(_dense(inputs['image']), custom_config),
        **label_features(inputs, classes),
    }

"""The SavedModel that is served, evaluated and pushed, with its signatures.

| signature            | input                                 | output                        |
|----------------------|---------------------------------------|-------------------------------|
| `serving_default`    | `examples` string [N], tf.Examples    | probabilities, label, score   |
| `serving_bytes`      | `image_bytes` string [N], encoded     | probabilities, label, score   |
| `serving_pixels`     | `pixels` uint8 [N, H, W, 3], any size | probabilities, label, score   |
| `serving_features`   | `features` float32 [N, D]             | probabilities, label, score   |
| `transform_features` | `examples` string [N]                 | pixels, label_index           |
| `transform_labels`   | `examples` string [N]                 | label_index int64 [N]         |
| `explain`            | `pixels` uint8 [N, S, S, 3],          | saliency float32 [N, h, w]    |
|                      | `class_index` int64 [N]               |                               |

`pixels` out is uint8 [N, S, S, 3]. `probabilities` is float32 [N, C], softmax of the logits divided
by the temperature; `label` is string [N], chosen from them as `rule.Rule` says; `score` is float32
[N], the probability of the label, which below a threshold of 0.5 may be the smaller one.
Class names, temperature and threshold are part of the graph, and of the file
`assets.extra/thawline.json` beside it (`card`) for those who want to know them without running it.
`serving_features` is the head alone: what the other signatures answer to an image whose features by
the base are known. `saliency` is where the evidence for a class is, in [0, 1] over the last feature
map (`explain`). Bytes go through the very graph that Transform built; the pixel signature starts
after decoding and shares the resize function. `transform_labels` exists so that the Evaluator need
not decode every image a second time to learn its label.

Beside the signatures the SavedModel has a function `probabilities`, uint8 [N, S, S, 3] with N
at least 1 -> float32 [N, C], which other formats are made from (`components.export`).
"""

from __future__ import annotations

import os
import pathlib
from collections.abc import Callable

import tensorflow as tf
import tensorflow_transform as tft

from thawline.components.backbones.classifier import Classifier
from thawline.components.saved_model import card
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.saved_model.grad_cam import GradCam
from thawline.components.saved_model.network import MOST_CONSTANT_BYTES, Network
from thawline.components.shared import feature_key, sample_depth
from thawline.components.transform import preprocessing

Outputs = dict[str, tf.Tensor]


class _Server:
    """The functions behind the signatures."""

    def __init__(
        self,
        network: Network,
        classes: tuple[str, ...],
        transform: Callable[[Outputs], Outputs],
        size: int,
        resize: str,
        rule: Rule,
    ) -> None:
        self._network = network
        self._classes = list(classes)
        self._transform = transform
        self._size = size
        self._resize = resize
        self._rule = rule

    def _transformed(self, image: tf.Tensor, label: tf.Tensor) -> Outputs:
        # The transform graph takes one value a row; the id passes through it and is not used here.
        blank = tf.fill(tf.shape(image), '')
        raw = {'image': image, 'label': label, 'image_id': blank}
        return self._transform({name: value[:, None] for name, value in raw.items()})

    def _pixels(self, image: tf.Tensor) -> tf.Tensor:
        packed = self._transformed(image, tf.fill(tf.shape(image), ''))[preprocessing.PIXELS]
        return preprocessing.unpack(tf.reshape(packed, [-1]), self._size)

    def _answer(self, pixels: tf.Tensor) -> Outputs:
        return self._answer_to(self._network.logits(tf.cast(pixels, tf.float32)))

    def probabilities(self, pixels: tf.Tensor) -> tf.Tensor:
        """uint8 [N, S, S, 3], N at least 1 -> float32 [N, C]."""
        logits = self._network.logits_of_some(tf.cast(pixels, tf.float32))
        return tf.nn.softmax(logits / self._rule.temperature)

    def _answer_to(self, logits: tf.Tensor) -> Outputs:
        probabilities = tf.nn.softmax(logits / self._rule.temperature)
        chosen = self._chosen(probabilities)
        return {
            'probabilities': probabilities,
            'label': tf.gather(self._classes, chosen),
            'score': tf.gather(probabilities, chosen, axis=1, batch_dims=1),
        }

    def _chosen(self, probabilities: tf.Tensor) -> tf.Tensor:
        """The answer of `Rule`: float32 [N, C] -> int64 [N]."""
        if self._rule.is_argmax:
            return tf.argmax(probabilities, axis=1)
        positive = tf.constant(self._rule.positive, tf.int64)
        return tf.where(
            probabilities[:, self._rule.positive] >= self._rule.threshold, positive, 1 - positive
        )

    def examples(self, examples: tf.Tensor) -> Outputs:
        return self._answer(self._pixels(_feature(examples, 'image')))

    def image_bytes(self, image_bytes: tf.Tensor) -> Outputs:
        return self._answer(self._pixels(image_bytes))

    def pixels(self, pixels: tf.Tensor) -> Outputs:
        resized = tf.map_fn(
            lambda one: preprocessing.resize(one, self._size, self._resize),
            pixels,
            fn_output_signature=tf.TensorSpec([self._size, self._size, 3], tf.uint8),
        )
        return self._answer(resized)

    def features(self, features: tf.Tensor) -> Outputs:
        return self._answer_to(self._network.head(features))

    def transform_features(self, examples: tf.Tensor) -> Outputs:
        return {
            preprocessing.PIXELS: self._pixels(_feature(examples, 'image')),
            **self.transform_labels(examples),
        }

    def transform_labels(self, examples: tf.Tensor) -> Outputs:
        label = _feature(examples, 'label', default='')
        return {
            preprocessing.LABEL_INDEX: preprocessing.class_index(label, tf.constant(self._classes))
        }


def _feature(examples: tf.Tensor, name: str, default: str | None = None) -> tf.Tensor:
    spec = tf.io.FixedLenFeature([], tf.string, default)
    return tf.io.parse_example(examples, {name: spec})[name]


def export(
    classifier: Classifier,
    classes: tuple[str, ...],
    transform_output: tft.TFTransformOutput,
    size: int,
    resize: str,
    folder: pathlib.Path,
    rule: Rule | None = None,
    frozen: bool = False,
    most_constant: int = MOST_CONSTANT_BYTES,
) -> None:
    """Writes the SavedModel to `folder`, with the card that describes it.

    Args:
        classifier: of images of `size` x `size` pixels.
        classes: names of the C classes in the order of the logits.
        transform_output: what Transform left behind.
        size: side of the square that the model sees, in pixels.
        resize: mode of `preprocessing.resize`.
        folder: is created.
        rule: how logits become an answer; by default the most probable class, uncalibrated.
        frozen: whether the base has the weights that it came with, so that features which it
            gave elsewhere can be answered instead of images.
        most_constant: bytes of weights from which on they stay variables (`Network`).

    Raises:
        ValueError: the rule has a threshold and there are not two classes.

    A module that is saved without variables has none that a loader could miss; `Network` says what
    becomes of weights that are too many to be constants.
    """
    rule = rule or Rule()
    rule.check(len(classes))
    layer = transform_output.transform_features_layer()
    network = Network(classifier, most_constant)
    server = _Server(network, classes, layer.call, size, resize, rule)
    module = tf.Module()
    # What the graph holds, and not the layer: a model of Keras would be traced twice more, by
    # AutoGraph, to be loaded as one.
    module.network, module.transform = network, layer._saved_model_loader._imported
    strings = tf.TensorSpec([None], tf.string, name='examples')
    square = tf.TensorSpec([None, size, size, 3], tf.uint8, name='pixels')
    module.probabilities = tf.function(
        server.probabilities, input_signature=[square], autograph=False
    )
    features = tf.TensorSpec([None, network.kernel.shape[0]], tf.float32, name='features')
    signatures = {
        'serving_default': (server.examples, [strings]),
        'serving_bytes': (
            server.image_bytes,
            [tf.TensorSpec([None], tf.string, name='image_bytes')],
        ),
        'serving_pixels': (
            server.pixels,
            [tf.TensorSpec([None, None, None, 3], tf.uint8, name='pixels')],
        ),
        'serving_features': (server.features, [features]),
        'transform_features': (server.transform_features, [strings]),
        'transform_labels': (server.transform_labels, [strings]),
        'explain': (
            GradCam(network),
            [square, tf.TensorSpec([None], tf.int64, name='class_index')],
        ),
    }
    traced = {
        name: tf.function(f, input_signature=spec, autograph=False)
        for name, (f, spec) in signatures.items()
    }
    tf.saved_model.save(module, str(folder), signatures=traced)
    base = None
    if frozen and classifier.views == 'none':
        digest = classifier.backbone.weights_digest
        base = feature_key.current(digest, classifier.features, size, resize)
    depth = sample_depth.read(os.path.dirname(transform_output.transform_savedmodel_dir))
    card.write(card.Card(classes, size, resize, rule, base, depth=depth), folder)

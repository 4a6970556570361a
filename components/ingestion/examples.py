"""The tf.Example of one image: the fixed feature names that the rest of the chain relies on."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import tensorflow as tf

from thawline.components.ingestion.decoded_image import DecodedImage
from thawline.components.ingestion.source_types import SourceItem, metadata_features
from thawline.components.shared import image_table

_SOURCE, _SOURCE_LABEL = 'source_bytes', 'source_label'  # of staged examples alone


def to_example(item: SourceItem, identity: str, decoded: DecodedImage) -> tf.train.Example:
    """Builds the example, all but its split and cluster (which `with_split` adds).

    Features: image, label (absent when unlabelled), image_id, path, group, source_format (bytes);
    height, width of the upright source in pixels (int64); brightness, contrast, sharpness (float);
    label_confidence (float; absent where the source has none); meta_<name> (bytes; absent when
    empty).
    """
    strings = {
        'image_id': identity,
        'path': item.relative_path,
        'group': item.group or identity,
        'source_format': decoded.source_format,
    }
    if item.label is not None:
        strings['label'] = item.label
    features = metadata_features(item.metadata)
    strings.update({features[c]: value for c, value in item.metadata.items() if value})
    example = tf.train.Example()
    feature = example.features.feature
    set_image(example, decoded)
    for name, text in strings.items():
        feature[name].bytes_list.value.append(text.encode())
    feature['height'].int64_list.value.append(decoded.source_height)
    feature['width'].int64_list.value.append(decoded.source_width)
    if item.confidence is not None:
        feature['label_confidence'].float_list.value.append(item.confidence)
    return example


def set_image(example: tf.train.Example, decoded: DecodedImage) -> None:
    """Sets the image and what is measured on it."""
    feature = example.features.feature
    feature['image'].bytes_list.value[:] = [decoded.image]
    for name, number in dataclasses.asdict(decoded.facts).items():
        feature[name].float_list.value[:] = [number]


def keep_source(example: tf.train.Example, data: bytes) -> None:
    """Keeps the source's bytes until `take_source`."""
    example.features.feature[_SOURCE].bytes_list.value.append(data)


def take_source(example: tf.train.Example) -> bytes:
    """Removes the source's bytes and returns them; empty where they were not kept."""
    feature = example.features.feature
    if _SOURCE not in feature:
        return b''
    data: bytes = feature[_SOURCE].bytes_list.value[0]
    del feature[_SOURCE]
    return data


def keep_source_label(example: tf.train.Example, label: str | None) -> None:
    """Keeps the source's label, None for none, of an image that has another one."""
    example.features.feature[_SOURCE_LABEL].bytes_list.value.append((label or '').encode())


def take_source_label(example: tf.train.Example, classes: Mapping[str, str]) -> str | None:
    """Removes the source's label; returns its class where a correction gave the image another."""
    label = text(example, _SOURCE_LABEL)
    if label is None:
        return None
    del example.features.feature[_SOURCE_LABEL]
    now = text(example, 'label') or ''
    differs = classes.get(label, label) != classes.get(now, now)
    return classes.get(label, label) if label and differs else None


def with_split(
    example: tf.train.Example,
    split: str,
    cluster: str,
    classes: Mapping[str, str],
    fold: int | None = None,
) -> bytes:
    """Adds `split`, `cluster` and `fold` (int64; absent where it is None), and serialises.

    The label as read is replaced by its class name.
    """
    feature = example.features.feature
    feature['split'].bytes_list.value[:] = [split.encode()]
    if fold is not None:
        feature[image_table.FOLD].int64_list.value[:] = [fold]
    feature['cluster'].bytes_list.value[:] = [cluster.encode()]
    if 'label' in feature:
        label = feature['label'].bytes_list.value[0].decode()
        feature['label'].bytes_list.value[:] = [classes.get(label, label).encode()]
    return example.SerializeToString(deterministic=True)


def count_values(example: tf.train.Example, name: str) -> int:
    """How many values a feature has; 0 where it is absent."""
    feature = example.features.feature
    kind = feature[name].WhichOneof('kind') if name in feature else None
    return len(getattr(feature[name], kind).value) if kind else 0


def text(example: tf.train.Example, name: str) -> str | None:
    """The first string of a feature, or None; numbers are written out."""
    feature = example.features.feature
    if name not in feature:
        return None
    kind = feature[name].WhichOneof('kind')
    values = getattr(feature[name], kind).value if kind else []
    if not values:
        return None
    value = values[0]
    return value.decode('utf-8', 'backslashreplace') if isinstance(value, bytes) else str(value)


def table_row(
    example: tf.train.Example, source_label: str | None = None
) -> dict[str, str | int | None]:
    """The row of an image in `image_table`, from its example with the split."""
    row: dict[str, str | int | None] = {
        name: text(example, name) for name in image_table.SCHEMA.names
    }
    fold = text(example, image_table.FOLD)
    return {
        **row,
        image_table.SOURCE_LABEL: source_label,
        image_table.FOLD: None if fold is None else int(fold),
    }

"""TFRecords of tf.Example that hold encoded images."""

from __future__ import annotations

import fnmatch
import glob
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from thawline.components.ingestion import labels, storage
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import BAD_RECORD, NO_LABEL, NOT_AN_IMAGE, Rejected
from thawline.components.ingestion.source_types import (
    SPLIT_ALIASES,
    Listing,
    SourceItem,
    SourceSpec,
    fingerprint,
)
from thawline.components.shared.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

# TensorFlow's own data sets and the Object Detection API use other names.
_IMAGE_NAMES = ('image', 'image/encoded', 'image_raw')
_LABEL_NAMES = ('label', 'image/class/text', 'class')


def read(spec: SourceSpec) -> Listing:
    """Finds the files; their records are read later, in Beam.

    Raises:
      DataError: no such file, or none matches.
    """
    entries = _files(storage.absolute(spec.source))
    if not entries:
        raise DataError(f'No TFRecord file matches {spec.source}.')
    empty = [e.path for e in entries if not e.size]
    if len(empty) == len(entries):
        raise DataError(f'The TFRecord files of {spec.source} are empty: {", ".join(empty[:3])}.')
    notes = [f'{len(entries)} TFRecord files; their images are counted when read']
    if spec.group_pattern:
        notes.append('data.group_pattern does not apply to TFRecords; use data.columns.group')
    return Listing((), (), tuple(notes), tuple(entries), fingerprint(entries))


def records(
    path: str, relative: str, columns: Columns
) -> Iterator[tuple[SourceItem, bytes] | Rejected]:
    """Reads one file (`.gz` is unpacked).

    Yields:
      For each record an item named '<file>#<index>' with its encoded image, or why there is none.
      Broken framing ends the file with one such entry: what follows cannot be found.
    """
    import tensorflow as tf
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.io.tfrecordio import _TFRecordUtil  # Has no public name.

    with FileSystems.open(path) as file:
        for index in _count():
            name = f'{relative}#{index:06d}'
            try:
                data = _TFRecordUtil.read_record(file)
            except Exception as error:  # noqa: BLE001 - ValueError, zlib.error, EOFError, ...
                yield Rejected(name, BAD_RECORD, f'{error}; the rest of the file is lost'[:200])
                return
            if data is None:
                return
            try:
                example = tf.train.Example.FromString(data)
            except Exception as error:  # noqa: BLE001 - protobuf's DecodeError has several homes
                yield Rejected(name, BAD_RECORD, f'not a tf.Example: {error}'[:200])
                continue
            yield _item(example, path, name, columns)


def _count() -> Iterator[int]:
    index = 0
    while True:
        yield index
        index += 1


def _files(source: str) -> list[storage.Entry]:
    if storage.is_remote(source):
        if '*' in source:
            folder = source.partition('*')[0].rpartition('/')[0]
            listed = storage.tree(folder).entries
            return [e for e in listed if fnmatch.fnmatchcase(e.path, source)]
        entry = storage.stat(source)
        return [entry] if entry else list(storage.tree(source).entries)
    if os.path.isdir(source):
        return [e for e in storage.tree(source).entries if 'tfrec' in e.relative.lower()]
    if os.path.exists(source):
        entry = storage.stat(source)
        return [entry] if entry else []
    if not glob.has_magic(source):
        raise storage.missing_error(source, 'The file')
    entries = [storage.stat(p) for p in sorted(glob.glob(source, recursive=True))]
    return [e for e in entries if e is not None]


def _item(
    example: tf.train.Example, path: str, name: str, columns: Columns
) -> tuple[SourceItem, bytes] | Rejected:
    from thawline.components.ingestion import examples

    feature = example.features.feature
    image_name = _pick(feature, columns.image, 'image', _IMAGE_NAMES)
    images = feature[image_name].bytes_list.value if image_name else []
    if not images:
        has = ', '.join(sorted(feature)) or 'nothing'
        return Rejected(name, NOT_AN_IMAGE, f'no feature {columns.image!r}; it has {has}'[:200])
    label = None
    if columns.label:
        label_name = _pick(feature, columns.label, 'label', _LABEL_NAMES)
        label = (examples.text(example, label_name) or '').strip() if label_name else ''
        if not label:
            return Rejected(name, NO_LABEL, f'no feature {columns.label!r}')
    split = (examples.text(example, columns.split or 'split') or '').strip().lower()
    if split and split not in SPLIT_ALIASES:
        return Rejected(name, BAD_RECORD, f'split {split!r} is none of train, val, test')
    confidence = None
    if columns.confidence:
        try:
            confidence = labels.confidence(examples.text(example, columns.confidence) or '')
        except ValueError as error:
            return Rejected(name, BAD_RECORD, str(error)[:200])
    metadata = {c: examples.text(example, c) or '' for c in columns.metadata or () if c in feature}
    return (
        SourceItem(
            path, name, label, SPLIT_ALIASES.get(split),
            examples.text(example, columns.group or 'group'), metadata, confidence,
        ),
        images[0],
    )  # fmt: skip


def _pick(feature: Any, name: str, default: str, others: tuple[str, ...]) -> str | None:
    if name in feature:
        return name
    # Other names are tried only where the person named none.
    return next((n for n in others if n in feature), None) if name == default else None

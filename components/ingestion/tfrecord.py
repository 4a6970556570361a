"""TFRecords of tf.Example that hold encoded images."""

from __future__ import annotations

import contextlib
import dataclasses
import fnmatch
import glob
import gzip
import itertools
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

from thawline.components.ingestion import labels, storage
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import BAD_RECORD, NO_LABEL, NOT_AN_IMAGE, Rejected
from thawline.components.ingestion.source_types import (
    SPLIT_ALIASES,
    Listing,
    SourceItem,
    SourceSpec,
)
from thawline.components.shared.errors import DataError

if TYPE_CHECKING:
    import tensorflow as tf

# TensorFlow's own data sets and the Object Detection API use other names.
_IMAGE_NAMES = ('image', 'image/encoded', 'image_raw')
_DETAIL = 200  # characters
_LABEL_NAMES = ('label', 'image/class/text', 'image/class/label', 'class')


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
    return Listing((), (), tuple(notes), tuple(entries), files=tuple(entries))


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Bounded:
    """A file of which no record is read that is larger than `most` bytes.

    A record says its length before its bytes: a few kilobytes of gzip can unpack to gigabytes.
    """

    def __init__(self, file: _Readable, most: int) -> None:
        self._file, self._most = file, most

    def read(self, size: int) -> bytes:
        if size > self._most:
            raise ValueError(f'a record of {size:,} bytes, more than {self._most:,}')
        return self._file.read(size)


def records(
    path: str,
    relative: str,
    columns: Columns,
    most: int = 2**30,
    keep_unlabelled: bool = False,
) -> Iterator[tuple[SourceItem, bytes] | Rejected]:
    """Reads one file (`.gz` is unpacked), of records of at most `most` bytes.

    Records without a label are no images but with `keep_unlabelled`.

    Yields:
      For each record an item named '<file>#<index>' with its encoded image, or why there is none.
      Broken framing ends the file with one such entry: what follows cannot be found.
    """
    import tensorflow as tf
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems
    from apache_beam.io.tfrecordio import _TFRecordUtil  # Has no public name.

    with contextlib.ExitStack() as files:
        if path.endswith('.gz'):
            # Beam's own reader unpacks 16 MB at once, to whatever they become.
            packed = FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)
            file = files.enter_context(gzip.GzipFile(fileobj=files.enter_context(packed)))
        else:
            file = files.enter_context(FileSystems.open(path))
        for index in _count():
            name = f'{relative}#{index:06d}'
            try:
                data = _TFRecordUtil.read_record(_Bounded(file, most))
            except Exception as error:  # noqa: BLE001 - ValueError, zlib.error, EOFError, ...
                yield Rejected(name, BAD_RECORD, f'{error}; the rest of the file is lost'[:_DETAIL])
                return
            if data is None:
                return
            try:
                example = tf.train.Example.FromString(data)
            except Exception as error:  # noqa: BLE001 - protobuf's DecodeError has several homes
                yield Rejected(name, BAD_RECORD, f'not a tf.Example: {error}'[:_DETAIL])
                continue
            yield _item(example, path, name, columns, keep_unlabelled)


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
    # Below the last folder that the pattern names: files of one name may lie in several.
    folders = itertools.takewhile(lambda part: not glob.has_magic(part), source.split(os.sep)[:-1])
    root = os.sep.join(folders) or os.sep
    entries = []
    for path in sorted(glob.glob(source, recursive=True)):
        if entry := storage.stat(path):
            relative = os.path.relpath(path, root).replace(os.sep, '/')
            entries.append(dataclasses.replace(entry, relative=relative))
    return entries


def _item(
    example: tf.train.Example, path: str, name: str, columns: Columns, keep_unlabelled: bool
) -> tuple[SourceItem, bytes] | Rejected:
    from thawline.components.ingestion import examples

    feature = example.features.feature
    has = f'it has {", ".join(sorted(feature)) or "nothing"}'
    image_name = _pick(feature, columns.image, 'image', _IMAGE_NAMES)
    images = feature[image_name].bytes_list.value if image_name else []
    label_name = _pick(feature, columns.label, 'label', _LABEL_NAMES) if columns.label else None
    label = (examples.text(example, label_name) or '').strip() if label_name else None
    if label_name and examples.count_values(example, label_name) > 1:
        label = None

    def rejected(reason: str, detail: str) -> Rejected:
        return Rejected(name, reason, detail[:_DETAIL], label or '')

    if not images:
        return rejected(NOT_AN_IMAGE, f'no feature {columns.image!r}; {has}')
    # A feature that happens to be called so does not contradict the folds that somebody named.
    split_name = columns.split or ('' if columns.fold else 'split')
    read = [image_name, label_name, split_name, columns.group or 'group', columns.fold]
    for key in filter(None, [*read, columns.confidence]):
        if (values := examples.count_values(example, key)) > 1:
            # Which of them is meant? The first would be a guess, and merge classes of a one-hot.
            return rejected(BAD_RECORD, f'{key} has {values} values, expected one')
    if columns.label and not label and not keep_unlabelled:
        return rejected(NO_LABEL, f'no feature {columns.label!r}; {has}')
    split = (examples.text(example, split_name) or '').strip().lower()
    if split and split not in SPLIT_ALIASES:
        return rejected(BAD_RECORD, f'split {split!r} is none of train, val, test')
    confidence = None
    if columns.confidence:
        try:
            confidence = labels.confidence(examples.text(example, columns.confidence) or '')
        except ValueError as error:
            return rejected(BAD_RECORD, str(error))
    metadata = {c: examples.text(example, c) or '' for c in columns.metadata or () if c in feature}
    return (
        SourceItem(
            path, name, label or None, SPLIT_ALIASES.get(split),
            examples.text(example, columns.group or 'group'), metadata, confidence,
            fold=(examples.text(example, columns.fold or '') or '').strip() or None,
        ),
        images[0],
    )  # fmt: skip


def _pick(feature: Any, name: str, default: str, others: tuple[str, ...]) -> str | None:
    if name in feature:
        return name
    # Other names are tried only where the person named none.
    return next((n for n in others if n in feature), None) if name == default else None

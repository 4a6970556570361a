"""Lists what a source of images holds, whatever its format.

`list_source` reads names only, never pixels, and needs neither TensorFlow nor TFX (nor Beam, for
local paths): the command line runs it before anything else to find mistakes early.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import os
import re
from collections.abc import Callable

from thawline.components.ingestion import (
    coco,
    export_boxes,
    folder,
    label_exports,
    label_overlay,
    labels,
    manifest,
    manifest_parts,
    packaged,
    storage,
    tfrecord,
    yolo,
    yolo_config,
)
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import BAD_NAME, Rejected
from thawline.components.ingestion.source_types import (
    FORMATS,
    PACKAGE_PREFIX,
    Listing,
    SourceSpec,
    is_utf8,
    metadata_features,
)
from thawline.components.shared.errors import ConfigError

# Files in which people have images or lists of them, and what to do with them.
_OTHER_FILES = (
    (
        ('.zip', '.tar', '.tar.gz', '.tgz', '.tar.bz2', '.tar.xz', '.7z', '.rar', '.gz'),
        'unpack it, and name the folder',
    ),
    (('.xlsx', '.xls', '.ods', '.numbers'), 'save the sheet as CSV (UTF-8), and name that file'),
    (
        ('.feather', '.arrow', '.pkl'),
        'write a CSV with the columns path and label, and name that file',
    ),
    (
        ('.json', '.xml'),
        'it is neither COCO nor an export of Label Studio or CVAT. Export it again if it is '
        'damaged, or write a CSV with the columns path and label, and name that file',
    ),
)


def list_source(spec: SourceSpec) -> Listing:
    """Lists the source and checks it as far as names allow.

    Raises:
      ConfigError: the spec itself is wrong (format, pattern, missing package, labellers of images
        that are no rows).
      DataError: the source cannot be used: missing, empty, no images, one class, a class with
        too few images, labels that differ only in case or spaces, a broken manifest.
    """
    readers = {
        'folder': folder.read,
        'tfrecord': tfrecord.read,
        'coco': coco.read,
        'yolo': yolo.read,
        'package': packaged.read,
    }
    corrections = label_overlay.read(spec.labels) if spec.labels else ()
    kind = detect_format(spec)
    several = next((k for k in ('labels', 'labeller') if getattr(spec.columns, k)), None)
    if spec.columns.fold and kind != 'tfrecord':
        several = several or 'fold'
    if several and kind in readers:
        raise ConfigError(
            f'data.columns.{several} is for tables of images; {spec.source} is read as {kind}.'
        )
    if kind in readers:
        listing = readers[kind](spec)
    else:
        listing = export_boxes.read(spec, kind) or manifest.read(spec, kind)
    listing = dataclasses.replace(listing, corrections=corrections)
    if listing.record_files:
        return listing
    if corrections:
        listing = _with_unlabelled(listing)
    return _checked(spec, listing)


def _with_unlabelled(listing: Listing) -> Listing:
    """Images without a label are read, too: a correction may give them one."""
    labelled = {item.relative_path for item in listing.items}
    rows = [row for row in listing.unlabelled if row[0].relative_path not in labelled]
    # Several rows may name one file, which is read once.
    to_read = {item.relative_path: (item, entry) for item, entry, _ in rows}
    taken_back = {item.relative_path: rejection for item, _, rejection in reversed(rows)}.values()
    return dataclasses.replace(
        listing,
        items=(*listing.items, *(item for item, _ in to_read.values())),
        files=(*listing.files, *(entry for _, entry in to_read.values())),
        rejected=tuple(entry for entry in listing.rejected if entry not in taken_back),
    )


def detect_format(spec: SourceSpec) -> str:
    """The format of the source, looked up or guessed from its name and, on this disk, its content.

    Raises:
      ConfigError: `format` is none of `FORMATS`, or the source is empty.
    """
    if spec.format not in FORMATS:
        raise ConfigError(f'data.format must be one of {FORMATS}. Received: {spec.format!r}.')
    if not spec.source.strip():
        raise ConfigError(f'data.source must name a folder or file. Received: {spec.source!r}.')
    if spec.format != 'auto':
        return spec.format
    name = spec.source.rstrip('/').rpartition('/')[2].lower()
    if spec.source.startswith(PACKAGE_PREFIX):
        return 'package'
    if name == manifest_parts.CLASSES_FILE:
        return 'roboflow'
    if name.endswith(('.csv', '.tsv', '.jsonl', '.parquet')):
        return 'csv'
    if name.endswith(('.yaml', '.yml')):
        return 'yolo'
    if storage.is_remote(spec.source):
        if name.endswith('.json'):
            return 'coco'
    elif content := _by_content(spec.source, spec.columns):
        return content
    if not storage.is_remote(spec.source) and os.path.isfile(spec.source):
        for suffixes, advice in _OTHER_FILES:
            if name.endswith(suffixes):
                raise ConfigError(f'data.source: {spec.source} cannot be read; {advice}.')
    if '.tfrecord' in name or '*' in name or name.endswith('.tfrec'):
        return 'tfrecord'
    return 'folder'


def _by_content(source: str, columns: Columns) -> str | None:
    """The format of a local file or folder of annotations."""
    if os.path.isfile(source):
        if source.lower().endswith('.json') and coco.is_annotations(source):
            return 'coco'
        return label_exports.kind_of(source)
    if not os.path.isdir(source):
        return None
    finders: dict[str, Callable[[str], object]] = {
        'yolo': yolo_config.find_config,
        'coco': coco.find_files,
        'roboflow': manifest_parts.find_classes,
        'huggingface': functools.partial(manifest_parts.find_metadata, columns=columns),
    }
    for kind in label_exports.READERS:
        finders[kind] = functools.partial(label_exports.find, kind=kind)
    try:
        return next((kind for kind, find in finders.items() if find(source)), None)
    except OSError:  # whoever lists the folder says so
        return None


def group_finder(pattern: str | None) -> re.Pattern[str] | None:
    """Compiles `group_pattern`.

    Raises:
      ConfigError: not a regular expression, or not exactly one group in it.
    """
    if pattern is None:
        return None
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ConfigError(
            f'data.group_pattern is not a regular expression: {error}. Received: {pattern!r}.'
        ) from error
    if compiled.groups != 1:
        raise ConfigError(
            'data.group_pattern must capture exactly one group, as in "(patient[0-9]+)_". '
            f'Received: {pattern!r} with {compiled.groups}.'
        )
    return compiled


def _checked(spec: SourceSpec, listing: Listing) -> Listing:
    """Groups by pattern, merges label variants, checks names and classes."""
    notes = list(listing.notes)
    finder = group_finder(spec.group_pattern)
    counts = collections.Counter(i.label for i in listing.items if i.label is not None)
    mapping, remarks = labels.relabelling(counts, spec.normalise_labels)
    notes += remarks
    notes += label_overlay.check_classes(
        listing.corrections, set(mapping.values()), spec.normalise_labels, label_overlay.FILE
    )
    metadata_features({name for item in listing.items for name in item.metadata})
    items, rejected, ungrouped = [], list(listing.rejected), 0
    for item in sorted(listing.items, key=lambda i: i.relative_path):
        group = item.group
        if finder is not None and (group is None or item.box):
            match = finder.search(item.picture)  # whose boxes stay together
            group = match.group(1) if match else group
            ungrouped += match is None
        label = None if item.label is None else mapping[item.label]
        if not is_utf8(item.relative_path) or not is_utf8(label or ''):
            shown = item.relative_path.encode('utf-8', 'backslashreplace').decode()
            rejected.append(Rejected(shown, BAD_NAME, 'rename the file'))
            continue
        items.append(dataclasses.replace(item, label=label, group=group or None))
    if ungrouped:
        notes.append(
            f'{ungrouped} images do not match data.group_pattern; each is a group of its own'
        )
    if items and items[0].label is None and all(i.label is None for i in items):
        notes.append('the images carry no labels')
    else:
        labelled = (i.label for i in items if i.label is not None)
        labels.check_classes(
            labelled, spec.source, 1 if spec.small_classes else labels.LEAST_IMAGES
        )
    return dataclasses.replace(
        listing, items=tuple(items), rejected=tuple(sorted(rejected)), notes=tuple(notes)
    )

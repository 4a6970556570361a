"""What a source of images is, and the list of what it holds.

`list_source` reads names only, never pixels, and needs neither TensorFlow nor TFX (nor Beam, for
local paths): the command line runs it before anything else to find mistakes early.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from thawline.components.ingestion import labels, storage
from thawline.components.ingestion.quarantine import BAD_NAME, Rejected
from thawline.components.shared.errors import ConfigError, DataError

FORMATS = ('auto', 'folder', 'csv', 'tfrecord', 'package')
SPLITS = ('train', 'val', 'test')
SPLIT_ALIASES = {
    'train': 'train', 'training': 'train',
    'val': 'val', 'valid': 'val', 'validation': 'val', 'dev': 'val',
    'test': 'test', 'testing': 'test',
}  # fmt: skip
PACKAGE_PREFIX = 'package:'


@dataclasses.dataclass(frozen=True)
class Columns:
    """Names of columns (CSV) or features (TFRecord).

    `label=''` means unlabelled. `split` and `group` as None use a column of that name where there
    is one; named, they must exist. `metadata` as None takes all other columns. `image` is the
    feature with the encoded image. `confidence` says how sure the label is; None: certain.
    """

    path: str = 'path'
    label: str = 'label'
    split: str | None = None
    group: str | None = None
    metadata: tuple[str, ...] | None = None
    image: str = 'image'
    confidence: str | None = None


@dataclasses.dataclass(frozen=True)
class SourceSpec:
    """Where images and labels come from.

    Attributes:
      source: a folder, a CSV file, TFRecord file(s) (a glob is fine) or 'package:<name>'; local
        or any URL that Beam has a file system for.
      format: one of `FORMATS`.
      root: what paths in a CSV are relative to; None: the CSV's own folder.
      columns: names of columns or features.
      group_pattern: a regular expression with one group, searched in the relative path; what it
        captures is the group (what must not be split).
      normalise_labels: merge labels that differ only in case or surrounding spaces.
    """

    source: str
    format: str = 'auto'
    root: str | None = None
    columns: Columns = Columns()
    group_pattern: str | None = None
    normalise_labels: bool = False

    def to_json(self) -> str:
        """Canonical JSON: the same spec gives the same text (it is part of a cache key)."""
        return json.dumps(dataclasses.asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SourceSpec:
        """Reads what `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        columns = fields.pop('columns', {})
        if columns.get('metadata') is not None:
            columns['metadata'] = tuple(columns['metadata'])
        return cls(columns=Columns(**columns), **fields)


@dataclasses.dataclass(frozen=True)
class SourceItem:
    """One image as listed: `path` is what to read, `relative_path` what a person knows it by.

    `confidence` is the probability, in (0, 1], that the label is right. A source gives it for all
    of its images (1 for those that are certain) or, as None, for none of them: the schema that is
    inferred then says the same of every split.
    """

    path: str
    relative_path: str
    label: str | None = None
    split: str | None = None
    group: str | None = None
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    confidence: float | None = None


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes:
      items: images to read, sorted by relative path. Empty for TFRecords.
      rejected: entries known to be unusable before reading them.
      notes: remarks for the person.
      record_files: TFRecord files; their images are only known when read.
      fingerprint: changes when a listed file or the manifest changes.
    """

    items: tuple[SourceItem, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]
    record_files: tuple[storage.Entry, ...] = ()
    fingerprint: str = ''


def list_source(spec: SourceSpec) -> Listing:
    """Lists the source and checks it as far as names allow.

    Raises:
      ConfigError: the spec itself is wrong (format, pattern, missing package).
      DataError: the source cannot be used: missing, empty, no images, one class, a class with
        too few images, labels that differ only in case or spaces, a broken manifest.
    """
    from thawline.components.ingestion import folder, manifest, packaged, tfrecord

    readers = {
        'folder': folder.read,
        'csv': manifest.read,
        'tfrecord': tfrecord.read,
        'package': packaged.read,
    }
    listing = readers[detect_format(spec)](spec)
    if listing.record_files:
        return listing
    return _checked(spec, listing)


def detect_format(spec: SourceSpec) -> str:
    """The format of the source, looked up or guessed from its name.

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
    if name.endswith(('.csv', '.tsv')):
        return 'csv'
    if '.tfrecord' in name or '*' in name or name.endswith('.tfrec'):
        return 'tfrecord'
    return 'folder'


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


def metadata_features(columns: Iterable[str]) -> dict[str, str]:
    """Column name -> feature name ('meta_' and letters, digits, underscores).

    Raises:
      DataError: two columns would get one feature name.
    """
    names: dict[str, str] = {}
    for column in sorted(columns):
        name = 'meta_' + re.sub(r'\W', '_', column.strip())
        for other, taken in names.items():
            if taken == name:
                raise DataError(
                    f'The metadata columns {other!r} and {column!r} would both become the feature '
                    f'{name!r}; rename one, or choose columns with data.columns.metadata.'
                )
        names[column] = name
    return names


def _checked(spec: SourceSpec, listing: Listing) -> Listing:
    """Groups by pattern, merges label variants, checks names and classes."""
    notes = list(listing.notes)
    finder = group_finder(spec.group_pattern)
    found = collections.Counter(i.label for i in listing.items if i.label is not None)
    mapping, remarks = labels.relabelling(found, spec.normalise_labels)
    notes += remarks
    metadata_features({name for item in listing.items for name in item.metadata})
    items, rejected, ungrouped = [], list(listing.rejected), 0
    for item in sorted(listing.items, key=lambda i: i.relative_path):
        group = item.group
        if finder is not None and group is None:
            match = finder.search(item.relative_path)
            group = match.group(1) if match else None
            ungrouped += group is None
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
        labels.check_classes((i.label for i in items if i.label is not None), spec.source)
    return dataclasses.replace(
        listing, items=tuple(items), rejected=tuple(sorted(rejected)), notes=tuple(notes)
    )


def is_utf8(text: str) -> bool:
    # Names that are not UTF-8 on disk reach Python with lone surrogates in them.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def fingerprint(entries: list[storage.Entry], *contents: bytes) -> str:
    """A digest over names, sizes and change stamps of files, and over whole small contents."""
    digest = hashlib.sha256()
    for content in contents:
        digest.update(hashlib.sha256(content).digest())
    for entry in sorted(entries, key=lambda e: e.relative):
        line = f'{entry.relative}\0{entry.size}\0{entry.stamp}\n'
        digest.update(line.encode('utf-8', 'surrogatepass'))
    return digest.hexdigest()

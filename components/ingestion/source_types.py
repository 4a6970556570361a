"""What a source is and what it lists, as all of ingestion speaks of it."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from typing import Any

from thawline.components.ingestion import storage
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.label_overlay import Correction
from thawline.components.ingestion.params import Boxes, Columns, NearDuplicates
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.shared.errors import DataError

FORMATS = (
    'auto', 'folder', 'csv', 'tfrecord', 'coco', 'yolo', 'huggingface', 'roboflow', 'label-studio',
    'cvat', 'package',
)  # fmt: skip
SPLIT_ALIASES = {
    'train': 'train', 'training': 'train',
    'val': 'val', 'valid': 'val', 'validation': 'val', 'dev': 'val',
    'test': 'test', 'testing': 'test',
}  # fmt: skip
PACKAGE_PREFIX = 'package:'


@dataclasses.dataclass(frozen=True)
class SourceSpec:
    """Where images and labels come from.

    Attributes:
      source: a folder, a CSV file, TFRecord file(s) (a glob is fine), a COCO or YOLO file or
        folder, or 'package:<name>'; local or any URL that Beam has a file system for.
      format: one of `FORMATS`.
      root: what paths in a CSV or COCO file are relative to; None: the file's own folder.
      columns: names of columns or features.
      group_pattern: a regular expression with one group, searched in the relative path; what it
        captures is the group (what must not be split).
      normalise_labels: merge labels that differ only in case or surrounding spaces.
      conflicting_labels: what happens to an image with two labels: 'quarantine' or 'stop'.
      depth: bits that 16-bit images use; None: found over the set.
      layout: of a folder: 'auto', 'classes' or 'splits'; see `folder_layout`.
      near_duplicates: whether they share a split, and which ones are.
      labels: a file of corrected labels, which need not exist; see `label_overlay`.
      boxes: how boxes are cut out.
      small_classes: whether a class may have fewer images than train, val and test need, as with
        folds.
    """

    source: str
    format: str = 'auto'
    root: str | None = None
    columns: Columns = dataclasses.field(default_factory=Columns)
    group_pattern: str | None = None
    normalise_labels: bool = False
    layout: str = 'auto'
    conflicting_labels: str = 'quarantine'
    depth: int | None = None
    near_duplicates: NearDuplicates = dataclasses.field(default_factory=NearDuplicates)
    labels: str | None = None
    boxes: Boxes = dataclasses.field(default_factory=Boxes)
    small_classes: bool = False

    def to_json(self) -> str:
        """Canonical JSON: the same spec gives the same text (it is part of a cache key)."""
        sections = {
            'columns': self.columns.model_dump(),
            'near_duplicates': self.near_duplicates.model_dump(),
            'boxes': self.boxes.model_dump(),
        }
        fields = {**vars(self), **sections}
        return json.dumps(fields, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> SourceSpec:
        """Reads what `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        columns = Columns.model_validate(fields.pop('columns', {}))
        near = NearDuplicates.model_validate(fields.pop('near_duplicates', {}))
        boxes = Boxes.model_validate(fields.pop('boxes', {}))
        return cls(columns=columns, near_duplicates=near, boxes=boxes, **fields)


@dataclasses.dataclass(frozen=True)
class SourceItem:
    """One image as listed: `path` is what to read, `relative_path` what a person knows it by.

    `confidence` is the probability, in (0, 1], that the label is right. A source gives it for all
    of its images (1 for those that are certain) or, as None, for none of them: the schema that is
    inferred then says the same of every split. With a `box` it is that part of the picture at
    `path`, and `relative_path` ends with '#' and what the annotation is known by. `fold` is the
    name of a given one.
    """

    path: str
    relative_path: str
    label: str | None = None
    split: str | None = None
    group: str | None = None
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)
    confidence: float | None = None
    box: Box | None = None
    fold: str | None = None

    @property
    def picture(self) -> str:
        """The relative path of the file."""
        return self.relative_path.rpartition('#')[0] if self.box else self.relative_path

    @classmethod
    def from_json(cls, text: str) -> SourceItem:
        """Reads what `dataclasses.asdict` and JSON made of one."""
        fields: dict[str, Any] = json.loads(text)
        box = fields.pop('box')
        return cls(**fields, box=box and Box.from_json(box))


@dataclasses.dataclass(frozen=True)
class Listing:
    """What a source holds.

    Attributes:
      items: images to read, sorted by relative path. Empty for TFRecords.
      rejected: entries known to be unusable before reading them.
      notes: remarks for the person.
      record_files: TFRecord files; their images are only known when read.
      files: those that are read, whichever of them turn out to be usable.
      manifest: the bytes of the table that lists them.
      columns: of a CSV, as configured or guessed.
      unlabelled: images that are rejected for want of a label, unless a correction gives one, each
        with its entry in `rejected`.
      corrections: labels that people corrected.
      label_notes: remarks on how labels came about, for the person.
    """

    items: tuple[SourceItem, ...]
    rejected: tuple[Rejected, ...]
    notes: tuple[str, ...]
    record_files: tuple[storage.Entry, ...] = ()
    files: tuple[storage.Entry, ...] = ()
    manifest: bytes = b''
    columns: Columns | None = None
    unlabelled: tuple[tuple[SourceItem, storage.Entry, Rejected], ...] = ()
    corrections: tuple[Correction, ...] = ()
    label_notes: tuple[str, ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """The corrected label of an image, '' for one to leave out, by its id."""
        return {row.image_id: row.label for row in self.corrections}


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


def is_utf8(text: str) -> bool:
    # Names that are not UTF-8 on disk reach Python with lone surrogates in them.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True

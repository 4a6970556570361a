"""The settings of ingestion: where images are, names of columns, shares of the splits."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

import pydantic

from thawline.components.shared.settings import Count, Positive, Section, Share

MAX_SIDE = 1024
MAX_PIXELS = 100_000_000
FOLDS = range(3, 21)
_TEST = 0.15  # share of test where none is set, without folds


class Columns(Section):
    """Names in a CSV manifest (columns) or in tf.Examples (features)."""

    path: str = pydantic.Field(default='path', description='Path of the image (CSV).')
    label: str = pydantic.Field(default='label', description='The class.')
    image: str = pydantic.Field(default='image', description='The encoded image (tf.Example).')
    split: str | None = pydantic.Field(
        default=None, description='A given split, which is kept: train, val or test.'
    )
    group: str | None = pydantic.Field(
        default=None, description='What must not be split, such as a patient.'
    )
    fold: str | None = pydantic.Field(
        default=None,
        description='A given fold for cross-fitting, by any name, which is kept: 3 to 20 of them, '
        'in a table of images or TFRecords.',
    )
    confidence: str | None = pydantic.Field(
        default=None,
        description='How sure the label is: a probability above 0 and at most 1; empty: certain.',
    )
    labels: tuple[str, ...] | None = pydantic.Field(
        default=None,
        description='Columns of a table with the label by each of several labellers; most of them '
        'decide, and the share that agrees is the confidence.',
    )
    labeller: str | None = pydantic.Field(
        default=None,
        description='Who gave the label, in a table that has a row for each labeller of an image.',
    )
    metadata: tuple[str, ...] | None = pydantic.Field(
        default=None, description='Columns to keep as meta_<name>; all other columns by default.'
    )

    @pydantic.model_validator(mode='after')
    def _labellers(self) -> Self:
        if self.labels is not None and len(set(self.labels)) < max(2, len(self.labels)):
            raise ValueError(
                f'labels must name two columns or more, each once. Received: {list(self.labels)}'
            )
        ways = [name for name in ('labels', 'labeller', 'confidence') if getattr(self, name)]
        if len(ways) > 1:
            raise ValueError(
                f'{" and ".join(ways)} exclude each other: where several people label an image, '
                'the share that agrees is the confidence'
            )
        return self


def _as_folds(value: object) -> object:
    """Refuses what is no number of folds; YAML's true and 5.0 are none."""
    is_number = isinstance(value, int) and not isinstance(value, bool)
    if value == 'auto' or (is_number and value in (0, *FOLDS)):
        return value
    raise ValueError(
        f'must be auto, 0 for one split without folds, or a whole number of folds from {FOLDS[0]} '
        f'to {FOLDS[-1]}'
    )


class Split(Section):
    """Folds, or shares of train, val and test; met for each class as exactly as groups allow."""

    folds: Annotated[Literal['auto'] | int, pydantic.BeforeValidator(_as_folds)] = pydantic.Field(
        default=0,
        description='Cross-fitting: each of so many folds (3 to 20) is judged by what the others '
        'teach. auto: 5 where val would have fewer than 300 images and the source gives no '
        'splits; 10 where there are fewer than 300 images in all, and 10 or more of each class. '
        '0: one split into train, val and test.',
    )
    train: Share = pydantic.Field(default=0.70, description='Without folds.')
    val: Share = pydantic.Field(default=0.15, description='Without folds.')
    test: Share | None = pydantic.Field(
        default=None,
        description='Share of images that no fold has and no choice sees; by default 0.15, and 0 '
        'with folds.',
    )
    seed: int = pydantic.Field(
        default=0,
        description='Another seed, another split; with the same one, images that were split before '
        'stay where they are.',
    )

    @pydantic.model_validator(mode='after')
    def _whole(self) -> Self:
        if self.folds != 0 and self.test_with_folds == 1.0:
            raise ValueError('test is 1, which leaves no image for the folds')
        if self.can_be_plain:
            self._check_shares()
        return self

    def _check_shares(self) -> None:
        total = sum(self.fractions.values())
        if abs(total - 1.0) > 1e-6:
            unset = ' (test is 0.15 unless it is set)' if self.test is None else ''
            # Whoever adds a test share to folds: auto has not thought of train and val.
            auto = ''
            if self.folds == 'auto':
                auto = (
                    '. With folds: auto they split a set that is too large for folds; set folds: 5 '
                    'to need no train and val'
                )
            raise ValueError(
                f'train + val + test is {total:g}{unset}; the three shares must add up to 1, '
                f'for example 0.7, 0.15 and 0.15{auto}'
            )
        if self.test == 0.0:
            raise ValueError(
                'test is 0, which needs folds: without them val chooses the model, and only test '
                'is unseen by every choice. Give test a share above 0, or set folds: 5'
            )
        for name, share in self.fractions.items():
            if share == 0.0:
                raise ValueError(f'{name} is 0; every split needs a share above 0')

    @property
    def can_be_plain(self) -> bool:
        """Whether the images can end up in train, val and test without folds."""
        return self.folds == 0 or (self.folds == 'auto' and self.test != 0.0)

    @property
    def fractions(self) -> dict[str, float]:
        """Share of each split by name, without folds."""
        test = _TEST if self.test is None else self.test
        return {'train': self.train, 'val': self.val, 'test': test}

    @property
    def test_with_folds(self) -> float:
        """Share of test beside folds."""
        return self.test or 0.0


class NearDuplicates(Section):
    """Copies that are not exact: resized, saved anew, cropped a little, brighter, mirrored."""

    policy: Literal['together', 'ignore'] = pydantic.Field(
        default='together',
        description='Whether near-duplicates stay in one split, or are not even looked for.',
    )
    turned: bool = pydantic.Field(
        default=False,
        description='Whether an image turned by 90, 180 or 270 degrees is a near-duplicate, too.',
    )


class Boxes(Section):
    """How boxes of COCO or YOLO become images."""

    padding: Share = pydantic.Field(
        default=0.1,
        description='What is kept around a box, as a share of its width and height, on each side '
        'as far as the picture goes.',
    )
    min_side: Count = pydantic.Field(
        default=8, description='Boxes that are less wide or high, in pixels, are left out.'
    )


class ContentStore(Section):
    """What runs compute from the content of each image, kept for later runs."""

    enabled: bool = pydantic.Field(
        default=True, description='Whether runs read it and add to it; no result depends on it.'
    )
    gigabytes: Positive = pydantic.Field(
        default=20.0, description='About how large it may get, in the folder of the runs.'
    )

    @property
    def limit(self) -> int:
        """Bytes that it may have."""
        return int(self.gigabytes * 1e9)


class Data(Section):
    """Where the images are and how they are read."""

    source: str = pydantic.Field(
        description='A folder with a folder a class, a CSV manifest, TFRecord files (a pattern), '
        'boxes of COCO (its JSON, or the folder) or YOLO (data.yaml, or the folder), or '
        'package:elpv_dataset.'
    )
    format: Literal[
        'auto', 'folder', 'csv', 'tfrecord', 'coco', 'yolo', 'huggingface', 'roboflow',
        'label-studio', 'cvat', 'package',
    ] = pydantic.Field(
        default='auto', description='Told from the name and content of the source by default.'
    )  # fmt: skip
    layout: Literal['auto', 'classes', 'splits'] = pydantic.Field(
        default='auto',
        description='What the first level of a folder is: classes, or splits with a folder a class '
        'in each; by default that is found out, and asked for where it is not clear.',
    )
    root: str | None = pydantic.Field(
        default=None,
        description='What the paths of a CSV or COCO file are relative to; default: its folder, '
        'or for COCO a usual one beside it.',
    )
    columns: Columns = Columns()
    boxes: Boxes = Boxes()
    group_pattern: str | None = pydantic.Field(
        default=None,
        description='A regular expression with one group, matched on the relative path; images '
        'with the same match are never split.',
    )
    normalise_labels: bool = pydantic.Field(
        default=False, description='Merge labels that differ only in case or outer spaces.'
    )
    conflicting_labels: Literal['quarantine', 'stop'] = pydantic.Field(
        default='quarantine',
        description='What happens where one image occurs with different labels (exact copies, or '
        'rows of a CSV): all its copies are left out, or the run stops.',
    )
    max_side: Annotated[int, pydantic.Field(ge=32)] = pydantic.Field(
        default=MAX_SIDE, description='Longest side, in pixels, that is kept at ingestion.'
    )
    max_pixels: Count = pydantic.Field(
        default=MAX_PIXELS, description='Larger images (decompression bombs) are quarantined.'
    )
    depth: Literal['auto', 8, 10, 12, 14, 16] = pydantic.Field(
        default='auto',
        description='Bits that 16-bit images use (a camera of 12 bits writes files of 16): all of '
        'them are scaled alike, and so are served ones. By default the fewest that hold all but a '
        'stray image of the set.',
    )
    near_duplicates: NearDuplicates = NearDuplicates()
    split: Split = Split()
    store: ContentStore = ContentStore()
    labels: str | None = pydantic.Field(
        default=None,
        description='Corrected labels (image_id, label), laid over those of the source; default: '
        'labels.csv beside this file.',
    )
    schema_file: str | None = pydantic.Field(
        default=None, description='The reviewed schema; default: schema.pbtxt beside this file.'
    )

    @pydantic.model_validator(mode='after')
    def _given_folds(self) -> Self:
        if self.columns.fold is None:
            return self
        if self.split.folds == 0:
            raise ValueError(
                f'columns.fold is {self.columns.fold!r}, but split.folds is 0; set split.folds: '
                'auto to use the given folds'
            )
        if self.split.test:
            raise ValueError(
                f'columns.fold is {self.columns.fold!r}, so every image has a fold, but split.test '
                f'is {self.split.test:g}; leave it out, and give test images the split test '
                '(columns.split)'
            )
        return self

    @pydantic.field_validator('group_pattern')
    @classmethod
    def _one_group(cls, value: str | None) -> str | None:
        if value is None:
            return value
        try:
            groups = re.compile(value).groups
        except re.error as error:
            raise ValueError(f'not a regular expression: {error}') from error
        if groups != 1:
            raise ValueError(
                f'has {groups} groups; exactly one is needed, for example ^(patient_\\d+)'
            )
        return value

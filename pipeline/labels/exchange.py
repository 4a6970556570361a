"""What goes to a labelling tool and what comes back, whatever its format."""

from __future__ import annotations

import dataclasses
import re
from typing import Literal, get_args

Format = Literal['label-studio', 'cvat', 'fiftyone', 'csv']
FORMATS: tuple[Format, ...] = get_args(Format)
Purpose = Literal['all', 'train', 'val', 'test', 'unlabelled']
PURPOSES: tuple[Purpose, ...] = get_args(Purpose)
LEAVE_OUT = '(leave out)'  # the label of an image that is of no class
_ID = re.compile(r'(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])')


@dataclasses.dataclass(frozen=True)
class QueuedImage:
    """An image to look at.

    Attributes:
        image_id: see `components.ingestion.examples`.
        path: relative to the source.
        split: '' for an image that no run has read.
        label: the present class, '' for none.
        suggested: another class that is more probable, '' for none.
        why: it was chosen.
        encoded: JPEG or PNG, longest side as ingested; empty where the format needs none.
    """

    image_id: str
    path: str
    split: str
    label: str
    suggested: str
    why: str
    encoded: bytes = b''

    @property
    def suffix(self) -> str:
        """Of a file with the image."""
        return '.png' if self.encoded.startswith(b'\x89PNG') else '.jpg'


@dataclasses.dataclass(frozen=True)
class Answer:
    """The label that a person gave an image, '' for one that is of no class.

    Attributes:
        where: it stands in the file, for errors.
        explicit: whether somebody surely looked: in some tools the present label of an image that
            nobody opened looks like an answer.
    """

    image_id: str
    label: str
    who: str
    when: str
    where: str
    explicit: bool = True


def image_id_in(name: str) -> str:
    """The image id in the name of a file, '' where there is none."""
    ids = _ID.findall(name.lower())
    return ids[-1] if ids else ''


def label_of(written: str) -> str:
    return '' if written.strip() == LEAVE_OUT else written.strip()

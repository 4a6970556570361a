"""What annotation files say of boxes, collected into the listing of a source."""

from __future__ import annotations

import dataclasses
import posixpath
from collections.abc import Iterator

from thawline.components.ingestion import augmented_names, storage
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.boxes import Box
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.ingestion.source_types import Listing, SourceItem
from thawline.components.shared.errors import DataError
from thawline.components.shared.text import abbreviate, counted

_SHOWN = 3


@dataclasses.dataclass(frozen=True)
class Annotation:
    """A box as a file has it.

    Attributes:
        key: what it is known by among the boxes of its picture.
        where: it stands, for people.
        label: the class.
        box: None where `problem` says what is wrong with it.
        problem: reason and detail.
    """

    key: str
    where: str
    label: str = ''
    box: Box | None = None
    problem: tuple[str, str] | None = None


class BoxListing:
    """Collects pictures with their annotations."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._items: dict[str, SourceItem] = {}
        self._rejected: list[Rejected] = []
        self._files: dict[str, storage.Entry] = {}
        self._without: list[str] = []
        self._content: list[bytes] = []
        self._remarks: list[str] = []

    def add_file(self, content: bytes) -> None:
        """What decides the listing, beside the pictures."""
        self._content.append(content)

    def add_picture(
        self, file: storage.Entry, split: str | None, annotations: list[Annotation]
    ) -> None:
        """A picture, by its path below the source, and all its boxes.

        Raises:
            DataError: it was added before.
        """
        if not annotations:
            self._without.append(file.relative)
        group = _upload(file.relative)
        for annotation in annotations:
            name = f'{file.relative}#{annotation.key}'
            problem = annotation.problem or (annotation.box and annotation.box.flaw)
            if problem:
                self.reject(name, annotation, *problem)
                continue
            if name in self._items:
                raise DataError(
                    f'{self._source}: the picture {file.relative} is listed twice, with a box '
                    f'{annotation.key} each ({annotation.where}). List it once, in one split.'
                )
            self._files[file.relative] = file
            self._items[name] = SourceItem(
                file.path, name, annotation.label, split, group,
                box=annotation.box,
            )  # fmt: skip

    def remark(self, text: str) -> None:
        """Adds a note for the person."""
        self._remarks.append(text)

    def reject(self, name: str, annotation: Annotation, reason: str, detail: str) -> None:
        detail = f'{annotation.where}: {detail}' if detail else annotation.where
        self._rejected.append(Rejected(name, reason, detail, annotation.label))

    def listing(self) -> Listing:
        """All of it.

        Raises:
            DataError: no usable box.
        """
        if not self._items:
            why = f' {reasons.in_words(self._rejected)}.' if self._rejected else ''
            raise DataError(
                f'{self._source} has no usable box ({len(self._without):,} pictures without '
                f'boxes).{why}'
            )
        return Listing(
            tuple(self._items.values()), tuple(self._rejected), tuple(self._notes()),
            files=tuple(self._files.values()), manifest=b'\0'.join(self._content),
        )  # fmt: skip

    def _notes(self) -> Iterator[str]:
        yield (
            f'each box is an image: {len(self._items):,} boxes of {len(self._files):,} pictures, '
            'whose boxes share a split'
        )
        yield from self._remarks
        if self._without:
            shown = abbreviate(sorted(self._without), _SHOWN)
            number = counted(
                len(self._without), 'picture without boxes is', 'pictures without boxes are'
            )
            yield f'{number} not used: {shown}'
        for reason, count in reasons.counts_by_reason(self._rejected).items():
            yield f'{counted(count, "box is", "boxes are")} not used: {reason}'


def _upload(path: str) -> str | None:
    """The group of a version that Roboflow wrote of an upload; None: the picture itself."""
    name = augmented_names.upload(posixpath.basename(path))
    return name and posixpath.join(posixpath.dirname(path), name)

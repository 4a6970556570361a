"""What ingestion keeps of an image once it was read."""

from __future__ import annotations

import dataclasses

from thawline.components.shared.sample_depth import SampleUse
from thawline.components.shared.splits import TEST


@dataclasses.dataclass(frozen=True)
class ReadableImage:
    """One readable image: its path, content hash, group (None: the hash), label, given split.

    `samples` is the range of those that have more than 8 bits, `source_label` the label before a
    correction, `fold` the name of a given fold.
    """

    path: str
    image_id: str
    group: str | None = None
    label: str | None = None
    split: str | None = None
    samples: SampleUse | None = None
    source_label: str | None = None
    fold: str | None = None

    @property
    def given(self) -> str | None:
        """The split or the fold that the source gives, for people."""
        return f'fold {self.fold}' if self.fold and self.split != TEST else self.split

    @property
    def key(self) -> str:
        """The group that is never split."""
        return self.group or self.image_id

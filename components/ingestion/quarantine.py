"""Files that cannot be used, each with the reason, and the report that a person reads.

Nothing is dropped silently: what is listed is either written as an example or stands here.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Iterable

from thawline.components.shared.text import csv_table

# Reasons are short and fixed, so that counts by reason make sense; the detail says the rest.
NOT_AN_IMAGE = 'not an image'
UNSUPPORTED = 'unsupported format'
TRUNCATED = 'truncated'
BROKEN = 'broken image data'
EMPTY_FILE = 'empty file'
LFS_POINTER = 'Git LFS pointer'
TOO_LARGE = 'too many pixels'
MISSING_FILE = 'missing file'
UNREADABLE = 'unreadable file'
ESCAPES_ROOT = 'path outside the root'
MALFORMED_ROW = 'malformed row'
DUPLICATE_ROW = 'duplicate row'
CONFLICTING_LABELS = 'conflicting labels'
CONFLICTING_ROWS = 'conflicting rows'
NO_LABEL = 'no label'
NO_MAJORITY = 'labellers disagree'
NO_CLASS_FOLDER = 'not in a class folder'
BAD_NAME = 'file name is not UTF-8'
BAD_RECORD = 'broken TFRecord'
LEFT_OUT = 'left out by hand'
LEAK = 'same image in an evaluation split'
EMPTY_BOX = 'box without area'
BOX_OUTSIDE = 'box outside the picture'
OTHER_SHAPE = 'picture of another shape'
SMALL_BOX = 'box too small'
CROWD = 'crowd of objects'
# What the settings, or the format, leave out; no sign of bad data.
BY_CHOICE = frozenset({SMALL_BOX, CROWD})

REPORT_CSV = 'quarantine.csv'
REPORT_JSONL = 'quarantine.jsonl'


@dataclasses.dataclass(frozen=True, order=True)
class Rejected:
    """One listed entry that is not used.

    Attributes:
        path: as listed.
        reason: one of those above.
        detail: the rest of it.
        label: that it was given, where one is known; not part of the report.
        image_id: where its bytes were read; not part of the report.
    """

    path: str
    reason: str
    detail: str = ''
    label: str = dataclasses.field(default='', compare=False)
    image_id: str = dataclasses.field(default='', compare=False)

    @property
    def report(self) -> dict[str, str]:
        """What a person reads."""
        return {'path': self.path, 'reason': self.reason, 'detail': self.detail}


def to_csv(rejected: Iterable[Rejected]) -> str:
    """The report as CSV with a header, sorted by path."""
    rows = (entry.report.values() for entry in sorted(rejected))
    return csv_table(('path', 'reason', 'detail'), rows)


def to_jsonl(rejected: Iterable[Rejected]) -> str:
    """The report as one JSON object a line, sorted by path."""
    return ''.join(
        json.dumps(entry.report, ensure_ascii=False) + '\n' for entry in sorted(rejected)
    )


def from_jsonl(text: str) -> list[Rejected]:
    """Reads what `to_jsonl` wrote."""
    return [Rejected(**json.loads(line)) for line in text.split('\n') if line]


def counts_by_reason(rejected: Iterable[Rejected]) -> dict[str, int]:
    """How many entries a reason took, most frequent first."""
    counter = collections.Counter(r.reason for r in rejected)
    return dict(sorted(counter.items(), key=lambda pair: (-pair[1], pair[0])))


def in_words(rejected: Iterable[Rejected], examples: int = 3) -> str:
    """For an error message: counts by reason, with the first few paths."""
    rejected = sorted(rejected)
    parts = []
    for reason, count in counts_by_reason(rejected).items():
        paths = [r.path for r in rejected if r.reason == reason][:examples]
        more = ', ...' if count > len(paths) else ''
        parts.append(f'{count} x {reason} ({", ".join(paths)}{more})')
    return '; '.join(parts)

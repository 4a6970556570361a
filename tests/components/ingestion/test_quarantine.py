"""The quarantine report."""

from __future__ import annotations

import csv
import io

from hypothesis import given
from hypothesis import strategies as st

from thawline.components.ingestion.quarantine import (
    Rejected,
    counts_by_reason,
    from_jsonl,
    in_words,
    to_csv,
    to_jsonl,
)

TEXT = st.text(st.characters(exclude_categories=('Cs', 'Cc')))
REJECTED = st.lists(st.builds(Rejected, TEXT, TEXT, TEXT))


@given(REJECTED)
def test_reports_keep_everything(rejected: list[Rejected]) -> None:
    assert from_jsonl(to_jsonl(rejected)) == sorted(rejected)
    table = list(csv.reader(io.StringIO(to_csv(rejected), newline='')))
    assert table[0] == ['path', 'reason', 'detail']
    # A spreadsheet would run what begins so.
    assert not any(cell.startswith(('=', '+', '-', '@')) for row in table for cell in row)
    kept = [[cell.removeprefix("'") for cell in row] for row in table[1:]]
    assert kept == [
        [cell.removeprefix("'") for cell in entry.report.values()] for entry in sorted(rejected)
    ]
    assert sum(counts_by_reason(rejected).values()) == len(rejected)


def test_in_words() -> None:
    rejected = [Rejected(f'{i}.png', 'truncated') for i in range(4)] + [Rejected('x', 'no label')]
    assert in_words(rejected) == '4 x truncated (0.png, 1.png, 2.png, ...); 1 x no label (x)'

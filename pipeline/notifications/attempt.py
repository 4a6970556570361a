"""What came of one attempt to tell somebody."""

from __future__ import annotations

import dataclasses
import re

from thawline.pipeline.system import urls

_MOST = 300


@dataclasses.dataclass(frozen=True)
class Attempt:
    """One attempt.

    Attributes:
        done: whether it was taken.
        said: what came, in words; never an address.
        again: whether it may be taken a little later.
        wait: seconds that the other side asks to wait before that, or None.
    """

    done: bool
    said: str
    again: bool = False
    wait: float | None = None


def excerpt(answer: bytes, secrets: tuple[str, ...]) -> str:
    """What others said, on one line: no secret, no control character, not too long."""
    text = answer.decode('utf-8', 'replace')
    text = urls.redact_addresses(urls.redact_secrets(text, secrets))
    # Escape sequences could repaint the terminal.
    text = re.sub(r'[^\x20-\x7e\xa0-\U0010ffff]+|\s+', ' ', text).strip()
    return text if len(text) <= _MOST else text[: _MOST - 1] + '…'

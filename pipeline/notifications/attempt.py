"""The result of one attempt to notify a target."""

from __future__ import annotations

import dataclasses
import re

from thawline.pipeline.system import urls

_LONGEST = 300  # characters


@dataclasses.dataclass(frozen=True)
class DeliveryAttempt:
    """The result of one attempt; the message never holds an address."""

    succeeded: bool
    message: str
    retry: bool = False  # it may succeed a little later
    retry_after: float | None = None  # seconds, if the target asks to wait


def excerpt(answer: bytes, secrets: tuple[str, ...]) -> str:
    """An answer on one line: without secrets and control characters, and not too long."""
    text = answer.decode('utf-8', 'replace')
    text = urls.redact_addresses(urls.redact_secrets(text, secrets))
    # Escape sequences could repaint the terminal.
    text = re.sub(r'[^\x20-\x7e\xa0-\U0010ffff]+|\s+', ' ', text).strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'

"""The result of one attempt to notify a target."""

from __future__ import annotations

import dataclasses
import re

from thawline.pipeline.system import urls

_LONGEST = 300  # characters


@dataclasses.dataclass(frozen=True)
class DeliveryAttempt:
    """One attempt.

    Attributes:
        succeeded: whether the target accepted it.
        message: the answer or the reason, without any address.
        retry: whether it may succeed a little later.
        retry_after: seconds that the target asks to wait, or None.
    """

    succeeded: bool
    message: str
    retry: bool = False
    retry_after: float | None = None


def excerpt(answer: bytes, secrets: tuple[str, ...]) -> str:
    """An answer on one line: without secrets and control characters, and not too long."""
    text = answer.decode('utf-8', 'replace')
    text = urls.redact_addresses(urls.redact_secrets(text, secrets))
    # Escape sequences could repaint the terminal.
    text = re.sub(r'[^\x20-\x7e\xa0-\U0010ffff]+|\s+', ' ', text).strip()
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + '…'

"""Why the bytes of an image cannot be used."""

from __future__ import annotations


class BadImage(Exception):
    """The bytes cannot be used: a fixed `reason` (see `quarantine`) and a `detail`."""

    def __init__(self, reason: str, detail: str = '') -> None:
        super().__init__(f'{reason}: {detail}' if detail else reason)
        self.reason = reason
        self.detail = detail

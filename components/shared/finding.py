"""What a node finds wrong with the data, in words."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Finding:
    """A problem of the data; a fatal one stops the run."""

    fatal: bool
    message: str

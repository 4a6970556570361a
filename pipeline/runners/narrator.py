"""Who tells a person what a runner does."""

from __future__ import annotations

import contextlib
from typing import Protocol

from thawline.pipeline.metadata.runs import NodeResult


class Narrator(Protocol):
    """Is told what happens."""

    def started(self, node: str) -> contextlib.AbstractContextManager[None]:
        """A node begins; the context lasts as long as it runs."""

    def ended(self, result: NodeResult) -> None:
        """A node has ended well, or was served from the cache."""

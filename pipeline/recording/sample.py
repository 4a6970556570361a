"""The order in which recorded images are drawn for labelling, which makes the labels a sample."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def random_order(image_ids: Iterable[str], seed: str) -> list[str]:
    """Image ids in a random order that is the same each time, whatever a model says of them.

    So the first of them are a sample from which a bound can be had, and a longer queue begins with
    the shorter one, also after more images were recorded.
    """
    return sorted(image_ids, key=lambda i: hashlib.sha256(f'{seed}\0{i}'.encode()).hexdigest())

"""Names of the splits, in the order in which people are shown them."""

from __future__ import annotations

SPLITS = TRAIN, VAL, TEST = 'train', 'val', 'test'
EVALUATED = (VAL, TEST)

"""Names of the splits, in the order in which people are shown them."""

from __future__ import annotations

SPLITS = TRAIN, VAL, TEST = 'train', 'val', 'test'
EVALUATED = (VAL, TEST)


def part_name(split: str, fold: int | None) -> str:
    """What people call the part that an image is in: its fold ('fold 2'), or its split.

    Args:
        split: of the image.
        fold: its number; None or below 0 where it is in none.
    """
    return split if fold is None or fold < 0 else f'fold {fold}'

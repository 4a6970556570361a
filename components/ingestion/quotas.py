"""How many images of each class each split should have."""

from __future__ import annotations

import math
from collections.abc import Mapping

from thawline.components.ingestion import partition

Quotas = dict[str, dict[str, int]]  # class -> split -> images


def quotas(sizes: Mapping[str, int], fractions: Mapping[str, float]) -> Quotas:
    """Whole numbers of images that add up to each class, as near to its shares as they can be.

    By largest remainder, so no quota is a whole image away from its share. One thing comes first:
    each split has an image of each class that has as many images as there are splits, and a smaller
    class has one in as many splits as it can, train first. Where remainders are equal, the split
    that is short over the classes before gets the image: ten classes of ten images must not give
    all of the ten halves to val. Folds are such splits; of a small class, too, those that are short
    get an image.

    Args:
        sizes: images of each class.
        fractions: share of each part (a split or a fold), in order, summing to 1.
    """
    result: Quotas = {}
    short = dict.fromkeys(fractions, 0.0)
    for label in sorted(sizes, key=lambda c: (sizes[c], c)):
        shares = {split: sizes[label] * fraction for split, fraction in fractions.items()}
        result[label] = numbers = _whole_numbers(sizes[label], shares, short)
        for split, share in shares.items():
            short[split] += share - numbers[split]
    return result


def _whole_numbers(
    images: int, shares: Mapping[str, float], short: Mapping[str, float]
) -> dict[str, int]:
    """One class; `short`: what the splits lack so far."""
    if images < len(shares):
        chosen = _parts_of_small_class(images, short)
        return {split: int(split in chosen) for split in shares}
    numbers = {split: max(1, math.floor(share + 1e-9)) for split, share in shares.items()}

    def need(split: str) -> tuple[float, float]:
        return round(shares[split] - numbers[split], 9), round(short[split], 9)

    while (left := images - sum(numbers.values())) != 0:
        # Too many only where a tiny share got its one image.
        able = [split for split in numbers if left > 0 or numbers[split] > 1]
        split = max(able, key=need) if left > 0 else min(able, key=need)
        numbers[split] += 1 if left > 0 else -1
    return numbers


def _parts_of_small_class(images: int, short: Mapping[str, float]) -> list[str]:
    """Which parts get one of fewer images than there are parts."""
    folds = [part for part in short if partition.is_fold(part)]
    if images == 1:  # it could not be learned if val had it
        folds = partition.trained_parts(folds)
    folds.sort(key=lambda fold: -round(short[fold], 9))
    return (folds or list(short))[:images]

"""Labels: variants of a class name, enough classes and images, how sure a label is."""

from __future__ import annotations

import collections
import math
import unicodedata
from collections.abc import Iterable, Mapping

from thawline.components.shared.errors import DataError

# One image for each of train, val and test.
LEAST_IMAGES = 3


def relabelling(counts: Mapping[str, int], normalise: bool) -> tuple[dict[str, str], list[str]]:
    """Maps each label as found to the class name it stands for.

    Surrounding spaces never distinguish classes, nor does case, nor how Unicode composes an
    accent (macOS decomposes it in file names).

    Args:
      counts: how many images carry each label as found.
      normalise: merge variants into their most frequent spelling instead of refusing them.

    Returns:
      The map (labels that stay as they are included) and notes for the person.

    Raises:
      DataError: variants of one name, and `normalise` is off.
    """
    families: dict[str, list[str]] = collections.defaultdict(list)
    for label in counts:
        families[unicodedata.normalize('NFC', label).strip().casefold()].append(label)
    mapping: dict[str, str] = {}
    notes, clashes = [], []
    for variants in families.values():
        # The most frequent spelling wins; of equals, the first in order.
        winner = min(variants, key=lambda v: (-counts[v], v))
        name = unicodedata.normalize('NFC', winner).strip()
        mapping.update(dict.fromkeys(variants, name))
        if len(variants) > 1:
            shown = ', '.join(f'{v!r} ({counts[v]})' for v in sorted(variants))
            clashes.append(shown)
            notes.append(f'labels {shown} are taken as one class, {name!r}')
    if clashes and not normalise:
        raise DataError(
            'Labels differ only in case or surrounding spaces, images in brackets: '
            f'{"; ".join(sorted(clashes))}. If they mean the same class, rename them or set '
            'data.normalise_labels: true; if they do not, give them names that differ more.'
        )
    return mapping, sorted(notes)


def confidence(written: str) -> float:
    """The probability, in (0, 1], that a label is the right one; 1 where nothing is written.

    Raises:
      ValueError: it is no such number.
    """
    text = written.strip()
    try:
        value = float(text or 1.0)
    except ValueError:
        value = math.nan
    if not 0.0 < value <= 1.0:
        raise ValueError(
            'data.columns.confidence must be above 0 and at most 1, or empty. '
            f'Received: {written!r}.'
        )
    return value


def check_classes(labels: Iterable[str], where: str, least: int = LEAST_IMAGES) -> None:
    """Refuses labels that no classifier can be trained and evaluated on.

    Raises:
      DataError: fewer than two classes, or a class with fewer than `least` images.
    """
    counts = collections.Counter(labels)
    if len(counts) < 2:
        classes = f'one class, {next(iter(counts))!r}' if counts else 'no class'
        raise DataError(
            f'{where} has {classes} ({counts.total()} labelled images); a classifier needs at '
            'least two. In a folder source each class is a folder: data/cat/1.jpg, data/dog/2.jpg.'
        )
    small = {label: n for label, n in sorted(counts.items()) if n < least}
    if small:
        shown = ', '.join(f'{label!r} has {n}' for label, n in small.items())
        raise DataError(
            f'{where}: too few images in a class: {shown}; each class needs at least {least}, one '
            'for each of train, val and test. Add images, or leave the class out.'
        )

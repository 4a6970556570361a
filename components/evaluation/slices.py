"""Slices of the images: by columns of metadata, and by facts of the images in buckets.

A fact is sorted into three buckets at the tertiles of train, so that 'dark' is what is dark among
the images that the model learned from, and a val or test split that is unlike train shows as one
bucket that is nearly empty. Needs neither TensorFlow nor TFX.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence

from thawline.components.shared.errors import ConfigError

BUCKETS = {
    'brightness': ('dark', 'medium', 'bright'),
    'contrast': ('low', 'medium', 'high'),
    'sharpness': ('soft', 'medium', 'sharp'),
    'size': ('small', 'medium', 'large'),
}
SUFFIX = '_bucket'
METADATA = 'meta_'


def bucket(fact: str, value: float, edges: tuple[float, float]) -> str:
    """The name of the bucket: below the first edge, between, or from the second one on.

    Where both edges are equal, as with images that are all of one size, what equals them is in the
    middle.
    """
    low, medium, high = BUCKETS[fact]
    if value < edges[0]:
        return low
    return high if value > edges[1] or edges[0] < value == edges[1] else medium


def sliceable(names: Iterable[str]) -> tuple[str, ...]:
    """The columns of a table that can be sliced on: metadata, source format and buckets."""
    return tuple(
        name
        for name in names
        if name.startswith(METADATA) or name.endswith(SUFFIX) or name == 'source_format'
    )


def choose_columns(
    columns: Mapping[str, Iterable[object]], crossed: Sequence[Sequence[str]], most_values: int
) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """The columns to slice on, alone or together, and those with too many values for it.

    Nobody reads a thousand lines, and of so many slices some are bad by chance alone.

    Args:
        columns: by name, one value an image.
        crossed: columns to slice on together.
        most_values: columns with more values are left out, and so are crossed columns with more
            combinations.

    Raises:
        ConfigError: a crossed column does not exist.
    """
    names = sliceable(columns)
    for position, together in enumerate(crossed):
        for name in together:
            check_column(name, names, f'evaluation.crossed[{position}]')
    chosen: list[tuple[str, ...]] = []
    left_out: list[tuple[str, ...]] = []
    for together in [*((name,) for name in names), *map(tuple, crossed)]:
        values = set(zip(*(columns[name] for name in together), strict=True))
        (chosen if len(values) <= most_values else left_out).append(together)
    return chosen, left_out


def check_column(name: str, known: Sequence[str], where: str) -> None:
    """Rejects a column that the images do not have.

    Args:
        name: of the column.
        known: all columns.
        where: the key of the configuration that names it.

    Raises:
        ConfigError: it is not among them.
    """
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f' Did you mean {near[0]!r}?' if near else ''
    raise ConfigError(
        f'{where}: the images have no column {name!r}; they have: {", ".join(known)}.{hint}'
    )

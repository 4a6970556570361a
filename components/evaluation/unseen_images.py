"""The images on which a candidate and a baseline can be compared: those that neither has seen.

A model has seen the images that it was trained on (train) and chosen on (val). After a change of
the seed, the fractions, the groups or the images, most of the new val and test were in train or val
of an earlier model, which answers them from memory.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from thawline.components.ingestion import tied_groups
from thawline.components.shared.splits import TEST, TRAIN, VAL


def unseen(
    own: pa.Table, learned_from: Iterable[pa.Table], classes: Collection[str]
) -> frozenset[str]:
    """Ids of the candidate's test images that neither model has seen and both could answer.

    An image counts as seen also where another image of its group was: by the name of the group or
    cluster, or by an image that is now in the same one, as near-duplicates are.

    Args:
        own: the candidate's images; see `components.shared.image_table`.
        learned_from: all images that the candidate or the baseline learned from, of all splits.
        classes: that both models know.
    """
    test = own.filter(pc.field('split') == TEST)
    seen = np.zeros(len(test), bool)
    for images in learned_from:
        learned = images.filter(pc.field('split').isin([TRAIN, VAL]))
        for names in (_ids, _groups, _clusters):
            seen |= pc.is_in(names(test), names(learned).combine_chunks()).to_numpy()
    groups = _groups(test).to_pylist()
    of_cluster = (f'cluster {name}' for name in _clusters(test).to_pylist())
    of_image = zip(_ids(test).to_pylist(), groups, strict=True)
    tied = tied_groups.tie_groups((*of_image, *zip(of_cluster, groups, strict=True)))
    joined = np.array([tied[group] for group in groups], str)
    seen = np.isin(joined, joined[seen])
    answerable = pc.is_in(test['label'], pa.array(classes, pa.string())).to_numpy()
    return frozenset(test['image_id'].filter(pa.array(~seen & answerable)).to_pylist())


def _ids(images: pa.Table) -> pa.ChunkedArray:
    return images['image_id']


def _groups(images: pa.Table) -> pa.ChunkedArray:
    return images['group']


def _clusters(images: pa.Table) -> pa.ChunkedArray:
    return pc.coalesce(images['cluster'], images['group'])  # Older tables have none.

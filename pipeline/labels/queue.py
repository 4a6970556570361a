"""Which images are worth a look, the first first.

What was labelled by hand already does not come again. `suspects` is the one place that knows where
suspicion comes from.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from thawline.components.shared.splits import TEST, TRAIN, VAL
from thawline.pipeline.labels.exchange import Purpose, QueuedImage
from thawline.pipeline.recording.sample import random_order

_RANDOM = 'drawn at random'


def suspects(audited: Iterable[Mapping[str, Any]], splits: Collection[str]) -> list[QueuedImage]:
    """Images whose labels the audit doubts, the most suspicious first.

    Args:
        audited: rows of the data audit's table, in its order.
        splits: whose images.
    """
    return [
        QueuedImage(
            row['image_id'], row['path'], row['split'], row['label'], row['suggested'] or '',
            f'suspect label, {row["votes"]} of {row["voters"]} similar images are '
            f'{row["suggested"]}',
        )
        for row in audited
        if row['suspect'] and row['split'] in splits
    ]  # fmt: skip


def sample(images: Iterable[QueuedImage], seed: str) -> list[QueuedImage]:
    """The images in the order of `recording.sample`."""
    by_id = {image.image_id: image for image in images}
    return [by_id[name] for name in random_order(by_id, seed)]


def choose(
    purpose: Purpose,
    audited: Sequence[Mapping[str, Any]],
    images: Sequence[Mapping[str, Any]],
    unlabelled: Sequence[QueuedImage],
    done: Collection[str],
    count: int,
) -> list[QueuedImage]:
    """The queue.

    Suspects for training; of val and test a random sample of all images, because those that a
    model chose would flatter it. 'all' takes the suspects of every split. Images in folds are both
    trained on and judged, so they are of train and of val.

    Args:
        purpose: what the labels are for.
        audited: rows of the data audit's table, in its order.
        images: rows of the table of images.
        unlabelled: images that no run could use.
        done: ids of images that somebody labelled by hand.
        count: at most so many.
    """
    if purpose == 'unlabelled':
        ranked = sample(unlabelled, purpose)
    elif purpose in (VAL, TEST):
        of_split = (
            QueuedImage(r['image_id'], r['path'], r['split'], r['label'] or '', '', _RANDOM)
            for r in images
            if r['split'] == purpose or (purpose == VAL and r['fold'] is not None)
        )
        ranked = sample(of_split, purpose)
    else:
        has_folds = any(row['fold'] is not None for row in images)
        trained = (TRAIN, VAL) if has_folds else (TRAIN,)
        ranked = suspects(audited, (TRAIN, VAL, TEST) if purpose == 'all' else trained)
    unique: dict[str, QueuedImage] = {}
    for image in ranked:
        if image.image_id not in done:
            unique.setdefault(image.image_id, image)
    return list(unique.values())[:count]

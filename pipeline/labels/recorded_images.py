"""Images that a server recorded, as a queue for labelling: a random sample, shown without answers.

Neither the model's answer nor a suggestion goes along: whoever sees it agrees with it more often.
"""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Collection, Sequence

from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.quarantine import UNREADABLE, Rejected
from thawline.components.shared.errors import NotFound
from thawline.pipeline.labels.exchange import QueuedImage
from thawline.pipeline.recording import accuracy, recorded_folder, sample
from thawline.pipeline.recording.recorded_folder import IMAGES


def image_ids(folder: pathlib.Path) -> set[str]:
    """Ids of the images that have an answer.

    Raises:
        NotFound: no server has recorded into the folder.
        DataError: a file is damaged.
    """
    if not recorded_folder.is_recorded(folder):
        raise NotFound(
            f'{folder} holds no recorded answers; record some with: thawline serve --record FOLDER'
        )
    return {answer.image_id for answer in recorded_folder.read_answers(folder)}


def choose(folder: pathlib.Path, done: Collection[str], count: int) -> list[QueuedImage]:
    """The first images of the random order that have no label yet. Raises as `image_ids`."""
    drawn = sample.random_order(image_ids(folder), accuracy.SEED)
    return [
        QueuedImage(name, f'{IMAGES}/{name}', '', '', '', 'drawn at random')
        for name in drawn
        if name not in done
    ][:count]


def with_pictures(
    folder: pathlib.Path, queue: Sequence[QueuedImage], max_side: int, max_pixels: int
) -> tuple[list[QueuedImage], list[Rejected]]:
    """The queue with its pictures, and those that cannot be shown."""
    from thawline.components.ingestion import decoding  # imports TensorFlow

    shown, rejected = [], []
    for image in queue:
        try:
            data = (folder / image.path).read_bytes()
            encoded = decoding.canonicalise(data, max_side, max_pixels).image
        except BadImage as bad:
            rejected.append(Rejected(image.path, bad.reason, bad.detail))
        except OSError as error:
            rejected.append(Rejected(image.path, UNREADABLE, str(error.strerror)))
        else:
            shown.append(dataclasses.replace(image, encoded=encoded))
    return shown, rejected

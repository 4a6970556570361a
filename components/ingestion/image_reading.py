"""Computes what ingestion needs of an image, unless the content store has it."""

from __future__ import annotations

import dataclasses
from typing import Any

import tensorflow as tf

from thawline.components.ingestion import decoded_image, decoding, image_facts, thumbnail
from thawline.components.ingestion.decoded_image import DecodedImage
from thawline.components.ingestion.decoding import Canonical, canonicalise
from thawline.components.shared import code_digest, sample_depth
from thawline.components.shared.content_store import Records
from thawline.components.shared.sample_depth import SampleDepth, SampleUse
from thawline.components.shared.store_shards import key_of


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a decoded image depends on beside its bytes.

    Attributes:
        max_side: bound of the longest side, pixels.
        max_pixels: images with more are refused.
        thumbnails: whether there is to be a thumbnail.
        depth: the range of samples of more than 8 bits; None before it is chosen for the set.
    """

    max_side: int
    max_pixels: int
    thumbnails: bool = False
    depth: SampleDepth | None = None

    def for_store(self) -> dict[str, Any]:
        """These, the code and the libraries that decode: what a record of the store depends on."""
        return {
            **dataclasses.asdict(self),
            **code_digest.key_properties(__name__),
        }


def decode(data: bytes, settings: Settings) -> DecodedImage:
    """Decodes an image.

    Raises:
        BadImage: it cannot be used.
    """
    bounds = settings.max_side, settings.max_pixels
    if settings.depth is not None:
        return _of(canonicalise(data, *bounds, settings.depth), None, b'')
    samples = decoding.sample_use(data, settings.max_pixels)
    canonical = canonicalise(data, *bounds)
    if canonical.unchanged and not served_graph_decodes(canonical):
        # Pillow forgives more than TensorFlow; what we encode ourselves suits both.
        canonical = canonicalise(data, *bounds, allow_unchanged=False)
    picture = b''
    if settings.thumbnails:
        luma = canonical.luma
        if samples:  # In the range of the set it may be all but black.
            luma = canonicalise(data, *bounds, sample_depth.choose([('', samples)]).depth).luma
        picture = thumbnail.of_luma(luma).tobytes()
    return _of(canonical, samples, picture)


def decode_once(data: bytes, settings: Settings, records: Records) -> DecodedImage:
    """As `decode`, unless the store has it.

    Raises:
        BadImage: it cannot be used.
    """
    # Not its id, which of a cut out image says the place and not the content.
    key = key_of(data)
    if (record := records.get(key)) is not None:
        return decoded_image.from_record(record, data)
    decoded = decode(data, settings)
    records.put(key, decoded_image.to_record(decoded))
    return decoded


def _of(canonical: Canonical, samples: SampleUse | None, picture: bytes) -> DecodedImage:
    return DecodedImage(
        canonical.image,
        canonical.unchanged,
        canonical.source_height,
        canonical.source_width,
        canonical.source_format,
        image_facts.measure(canonical.luma),
        samples,
        picture,
    )


def served_graph_decodes(canonical: Canonical) -> bool:
    """Whether TensorFlow reads it too: a file that it refuses would stop Transform for all."""
    try:
        pixels = tf.io.decode_image(canonical.image, channels=3, expand_animations=False)
    except tf.errors.InvalidArgumentError:
        return False
    return pixels.shape == (canonical.height, canonical.width, 3)

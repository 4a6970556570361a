"""What ingestion computes from the content of an image, and its form in the content store."""

from __future__ import annotations

import dataclasses
import json
import struct

from thawline.components.ingestion.image_facts import Facts
from thawline.components.shared.sample_depth import SampleUse

_LENGTHS = struct.Struct('<II')  # of the fields as JSON, and of the thumbnail


@dataclasses.dataclass(frozen=True)
class DecodedImage:
    """An image as ingestion needs it.

    Attributes:
        image: canonical JPEG or PNG bytes.
        unchanged: whether that is the source, byte for byte.
        source_height, source_width, source_format: as `Canonical` has them.
        facts: measured on its luma.
        samples: their range, where they have more than 8 bits and the depth is still to be chosen.
        thumbnail: for `near_duplicates`, uint8 [64, 64] as bytes; empty where it is not asked for.
    """

    image: bytes
    unchanged: bool
    source_height: int
    source_width: int
    source_format: str
    facts: Facts
    samples: SampleUse | None
    thumbnail: bytes


def to_record(decoded: DecodedImage) -> bytes:
    """The form in the store; an unchanged image is left out, as its source is at hand."""
    fields = dataclasses.asdict(decoded)
    del fields['image'], fields['thumbnail']
    text = json.dumps(fields).encode()
    image = b'' if decoded.unchanged else decoded.image
    lengths = _LENGTHS.pack(len(text), len(decoded.thumbnail))
    return b''.join((lengths, text, decoded.thumbnail, image))


def from_record(record: bytes, data: bytes) -> DecodedImage:
    """The inverse of `to_record`; `data` is the source."""
    text, picture = _LENGTHS.unpack_from(record)
    start = _LENGTHS.size + text
    fields = json.loads(record[_LENGTHS.size : start])
    samples = fields.pop('samples')
    return DecodedImage(
        image=data if fields['unchanged'] else record[start + picture :],
        thumbnail=record[start : start + picture],
        facts=Facts(**fields.pop('facts')),
        samples=samples and SampleUse(**samples),
        **fields,
    )

"""A look at the header must decide as ingestion does with all pixels."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from tests.components.ingestion import images
from tests.pipeline.prediction import prediction_setup
from thawline.components.ingestion import decoding, image_reading
from thawline.components.ingestion.bad_image import BadImage
from thawline.pipeline.prediction import encoded_images

IMAGES = decoding.ImageSettings(1024, 10**7)


def by_ingestion(data: bytes) -> bytes | str:
    """The image that it writes, or its reason."""
    try:
        found = decoding.canonicalise(data, *IMAGES)
        if found.unchanged and not image_reading.served_graph_decodes(found):
            found = decoding.canonicalise(data, *IMAGES, allow_unchanged=False)
    except BadImage as bad:
        return bad.reason
    return found.image


def by_prediction(data: bytes) -> bytes | str:
    """The same of what the graph gets to see."""
    try:
        image = encoded_images.to_servable(data, IMAGES)
        if image is data and not encoded_images._decodes(data):
            image = encoded_images.repair(data, IMAGES).image
    except BadImage as bad:
        return bad.reason
    return image


def turned_behind_its_pixels() -> bytes:
    """A PNG whose EXIF comes last, where it is only found by reading to the end."""
    plain = images.encoded(images.picture(1, (40, 20)), 'PNG')
    exif = images.encoded(images.picture(1, (40, 20)), 'PNG', exif=prediction_setup.turned())
    start = exif.index(b'eXIf') - 4
    chunk = exif[start : start + 12 + int.from_bytes(exif[start : start + 4], 'big')]
    end = plain.index(b'IEND') - 4
    return plain[:end] + chunk + plain[end:]


def described() -> bytes:
    """A PNG with text in front of its pixels, as drawing programs write it."""
    information = PngImagePlugin.PngInfo()
    information.add_text('Software', 'a program')
    return images.encoded(images.picture(1), 'PNG', pnginfo=information)


@pytest.mark.parametrize('name', [*prediction_setup.good(), *prediction_setup.bad()])
def test_every_kind_is_seen_as_ingestion_sees_it(name: str) -> None:
    data = (prediction_setup.good() | prediction_setup.bad())[name]
    assert by_prediction(data) == by_ingestion(data)


def test_canonical_files_stay_and_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    good = prediction_setup.good()
    monkeypatch.setattr(decoding, 'canonicalise', None)
    for data in (good['plain.jpg'], good['grey.png'], described()):
        assert encoded_images.to_servable(data, IMAGES) is data


def test_exif_behind_the_pixels_turns() -> None:
    data = turned_behind_its_pixels()
    image = Image.open(io.BytesIO(encoded_images.to_servable(data, IMAGES)))
    assert image.size == (20, 40)
    assert by_prediction(data) == by_ingestion(data)


def test_damaged_files_meet_the_same_fate() -> None:
    """A few bytes of sound files are changed at random; headers, tables and pixels are hit."""
    rng = np.random.default_rng(0)
    pool = [
        images.encoded(images.picture(seed, (48, 40), mode), kind, **options)
        for seed, mode in enumerate(('RGB', 'L'))
        for kind, options in (('JPEG', {}), ('PNG', {}), ('JPEG', {'progressive': True}))
    ]
    fates = set()
    for number in range(600):
        data = bytearray(pool[number % len(pool)])
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(0, len(data))] = rng.integers(0, 256)
        expected = by_ingestion(bytes(data))
        assert by_prediction(bytes(data)) == expected
        fates.add(expected if isinstance(expected, str) else 'used')
    assert {'used', 'broken image data'} <= fates

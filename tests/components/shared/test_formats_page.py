"""Each row of the table in docs/formats.md, tried on images of that kind."""

from __future__ import annotations

import re
import struct

import numpy as np
import pytest
import tensorflow as tf

from tests.components.ingestion import formats
from tests.components.ingestion.images import decoded
from thawline import ROOT
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.decoding import canonicalise
from thawline.components.shared import image_decoder

_ROW = re.compile(r'^\| (.+?) \| (.+?) \| (.+?) \|$', re.MULTILINE)
_LOSSLESS, _LOSSY, _REFUSED = formats.lossless(), formats.lossy(), formats.refused()
_STARTS = (b'8BPS', b'%PDF-1.7', b'<svg xmlns="http://www.w3.org/2000/svg"/>')


def _named(*beginnings: str) -> list[bytes]:
    """The samples that both decode, by the beginnings of their names."""
    both = _LOSSLESS | _LOSSY
    return [both[name] for name in both if name.startswith(beginnings)]


def _refused(*beginnings: str) -> list[bytes]:
    return [data for name, (data, _) in _REFUSED.items() if name.startswith(beginnings)]


def _small_first_picture() -> bytes:
    data = bytearray(_LOSSLESS['gif'])
    data[6:8] = struct.pack('<H', 41)
    return bytes(data)


# What the page calls a kind -> its images, and those of the exception that it names.
KINDS: dict[str, tuple[list[bytes], list[bytes]]] = {
    'JPEG grey or RGB, MPO': (_named('jpeg', 'mpo'), []),
    'JPEG CMYK': (_refused('jpeg cmyk'), []),
    'PNG of any kind: 1 to 16 bits, grey, RGB, palette, transparent, interlaced, animated': (
        _named('png'), [],
    ),
    'GIF': (_named('gif'), [_small_first_picture()]),
    'WebP': (_named('webp'), _refused('webp animated')),
    'BMP of 24 or 32 bits, uncompressed': (_named('bmp'), []),
    'other BMP': (_refused('bmp'), []),
    'TIFF, AVIF, PPM, PGM': (_refused('tiff', 'avif', 'ppm', 'pgm'), []),
    'HEIC, JPEG XL, JPEG 2000, PSD, PDF, SVG': (
        [*(data for name, (data, _) in formats.unknown().items() if name[0] in 'hj'),
         *(start + bytes(50) for start in _STARTS)],
        [],
    ),
}  # fmt: skip


def _table() -> dict[str, tuple[str, str]]:
    """Kind -> what the page says of ingestion, and of served bytes."""
    text = (ROOT / 'docs' / 'formats.md').read_text('utf-8')
    rows = _ROW.findall(text.partition('\n- **Orientation**')[0])
    return {kind: (reading, serving) for kind, reading, serving in rows[1:] if '---' not in kind}


def test_every_row_has_its_images() -> None:
    assert _table().keys() == KINDS.keys()
    assert all(images for images, _ in KINDS.values())


@pytest.mark.parametrize('kind', KINDS)
def test_row(kind: str) -> None:
    (reading, serving), (images, exceptions) = _table()[kind], KINDS[kind]
    assert bool(exceptions) is ('refused if' in serving)
    for data in images:
        if reading.startswith('read'):
            pixels = decoded(canonicalise(data, 1024, 10**6).image)
        else:
            assert reading.startswith('quarantined')
            with pytest.raises(BadImage):
                canonicalise(data, 1024, 10**6)
        if serving.startswith('the same'):
            served = image_decoder.decode(tf.constant(data)).numpy()
            apart = np.abs(pixels.astype(int) - served).mean()
            assert apart < (4 if data in _LOSSY.values() else 1e-9)
        else:
            assert serving == 'refused'
            exceptions = [*exceptions, data]
    for data in exceptions:
        with pytest.raises(tf.errors.InvalidArgumentError):
            image_decoder.decode(tf.constant(data))

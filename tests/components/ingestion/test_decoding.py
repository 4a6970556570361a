"""Every kind of image becomes upright 8-bit RGB, or says why it cannot."""

from __future__ import annotations

import io
import struct
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms, JpegImagePlugin

from tests.components.ingestion import formats
from tests.components.ingestion.images import decoded, encoded, picture, png_header
from tests.shared import SHARED, needs_shared
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.decoding import LUMA_SIDE, Canonical, canonicalise, sample_use
from thawline.components.shared.sample_depth import SampleDepth, SampleUse

TWELVE = SampleDepth(12)


def canonical(data: bytes, max_side: int = 64, max_pixels: int = 10_000) -> Canonical:
    return canonicalise(data, max_side, max_pixels)


def reason(data: bytes, **bounds: int) -> str:
    with pytest.raises(BadImage) as caught:
        canonical(data, **bounds)
    return caught.value.reason


@pytest.mark.parametrize(
    ('kind', 'options'),
    [('JPEG', {}), ('JPEG', {'progressive': True}), ('PNG', {}), ('PNG', {'optimize': True})],
)
@pytest.mark.parametrize('mode', ['RGB', 'L'])
def test_canonical_sources_pass_unchanged(kind: str, options: dict, mode: str) -> None:
    data = encoded(picture(mode=mode), kind, **options)
    result = canonical(data)
    assert result.image == data
    assert result.unchanged
    assert (result.height, result.width, result.source_format) == (20, 24, kind)


def test_pass_through_can_be_refused() -> None:
    data = encoded(picture(), 'PNG')
    result = canonicalise(data, 64, 10_000, allow_unchanged=False)
    assert not result.unchanged
    np.testing.assert_array_equal(decoded(result.image), decoded(data))


@pytest.mark.parametrize('kind', ['BMP', 'TIFF', 'PPM', 'GIF', 'WEBP', 'AVIF'])
def test_other_formats_are_encoded_anew(kind: str) -> None:
    result = canonical(encoded(picture(), kind))
    assert result.source_format == kind
    assert not result.unchanged
    assert np.abs(decoded(result.image) - decoded(encoded(picture(), 'PNG'))).mean() < 12
    if kind in ('BMP', 'TIFF', 'PPM'):
        np.testing.assert_array_equal(decoded(result.image), np.asarray(picture()))


def test_lossless_sources_stay_lossless_and_lossy_ones_become_jpeg() -> None:
    lossless = canonical(encoded(picture(), 'WEBP', lossless=True))
    np.testing.assert_array_equal(decoded(lossless.image), np.asarray(picture()))
    assert canonical(encoded(picture(), 'WEBP', quality=80)).image.startswith(b'\xff\xd8')


@pytest.mark.parametrize(
    'mode', ['1', 'L', 'P', 'RGB', 'CMYK', 'I;16', 'I', 'F', 'LAB', 'LA', 'RGBA']
)
def test_every_mode_becomes_rgb(mode: str) -> None:
    image = picture().convert('L').convert(mode) if mode in ('I;16', 'I', 'F') else None
    if mode == 'LAB':
        image = ImageCms.profileToProfile(
            picture(), ImageCms.createProfile('sRGB'), ImageCms.createProfile('LAB'),
            outputMode='LAB',
        )  # fmt: skip
    result = canonical(encoded(image or picture(mode=mode), 'TIFF'))
    with Image.open(io.BytesIO(result.image)) as reopened:
        assert (reopened.mode, reopened.size) == ('RGB', (24, 20))
    if mode in ('RGB', 'RGBA', 'CMYK', 'LAB'):
        assert np.abs(decoded(result.image) - np.asarray(picture()).astype(int)).mean() < 10


@pytest.mark.parametrize('name', [n for n in formats.lossless() if 'clear' in n or '16' in n])
def test_pngs_that_a_decoder_could_take_otherwise_are_encoded_anew(name: str) -> None:
    data = formats.lossless()[name]
    result = canonical(data)
    assert not result.unchanged and result.image != data
    again = canonicalise(result.image, 64, 10_000)
    assert again.unchanged  # 8 bits, without transparency
    again = canonicalise(data, 64, 10_000, allow_unchanged=False)
    assert again.image == result.image


def test_colour_of_16_bits_is_rounded_and_not_cut() -> None:
    samples = formats.deep_samples(2, 16)
    expected = np.rint(samples / 257)
    np.testing.assert_array_equal(decoded(canonical(formats.deep_png(samples, 2)).image), expected)
    for order in '<>':
        data = formats.deep_tiff(samples, order)
        np.testing.assert_array_equal(decoded(canonical(data).image), expected)
        twelve = canonicalise(formats.deep_tiff(samples // 16, order), 64, 10_000, SampleDepth(12))
        np.testing.assert_array_equal(decoded(twelve.image), np.rint(samples // 16 / 4095 * 255))


def test_opacity_of_a_deep_tiff_is_composited() -> None:
    samples = formats.deep_samples(6)
    samples[..., 3] = np.where(np.arange(40) < 20, 0, 65535)
    pixels = decoded(canonicalise(formats.deep_tiff(samples, extra=2), 64, 10_000, TWELVE).image)
    assert (pixels[:, :20] == 255).all()
    np.testing.assert_array_equal(pixels[:, 20:], np.rint(samples[:, 20:, :3] / 4095 * 255))


def test_compressed_deep_tiff_is_read_to_the_last_bit() -> None:
    """Pillow writes none of colour, so libtiff's way is tried with that of grey."""
    samples = formats.deep_samples(0)[..., 0]
    for compression in ('tiff_lzw', 'tiff_adobe_deflate', None):
        data = encoded(Image.fromarray(samples), 'TIFF', compression=compression)
        result = canonicalise(data, 64, 10_000, TWELVE)
        np.testing.assert_array_equal(decoded(result.image)[..., 0], np.rint(samples / 4095 * 255))


def test_white_may_be_zero() -> None:
    samples = formats.deep_samples(0)[..., 0]
    data = encoded(Image.fromarray(samples), 'TIFF', tiffinfo={262: 0})
    pixels = decoded(canonicalise(data, 64, 10_000, TWELVE).image)[..., 0]
    np.testing.assert_array_equal(pixels, 255 - np.rint(samples / 4095 * 255))


@pytest.mark.parametrize('kind', ['F', 'I'])
def test_wide_samples_are_scaled_by_the_range_that_is_given(kind: str) -> None:
    values = np.array([[-1, 0, 1, 3, 9]], np.float32 if kind == 'F' else np.int32)
    data = encoded(Image.fromarray(values), 'TIFF')
    result = canonicalise(data, 64, 10_000, SampleDepth(low=0, high=3))
    assert decoded(result.image)[0, :, 0].tolist() == [0, 0, 85, 255, 255]


def test_use_of_samples() -> None:
    assert sample_use(encoded(picture(), 'PNG'), 10_000) is None
    for name, bits in (('png 16', 12), ('png 16 rgba', 12), ('png 16 of full range', 16)):
        assert sample_use(formats.lossless()[name], 10_000) == SampleUse(bits)
    tiff = formats.deep_tiff(formats.deep_samples(2, 14))
    assert sample_use(tiff, 10_000) == SampleUse(14)
    assert sample_use(b'P5 2 1 4095 \x0f\xff\x00\x00', 10_000) == SampleUse(16)  # says its range
    with pytest.raises(BadImage):
        sample_use(formats.lossless()['png 16'][:80], 10_000)


def test_a_broken_png_of_16_bits_is_named() -> None:
    data = bytearray(formats.lossless()['png 16 rgb'])
    data[-30] ^= 1
    assert reason(bytes(data)) in (reasons.BROKEN, reasons.TRUNCATED)


def test_jpegs_are_encoded_at_the_quality_that_is_said() -> None:
    result = canonical(encoded(picture(mode='CMYK'), 'JPEG'))
    with Image.open(io.BytesIO(result.image)) as image:
        expected = encoded(picture(), 'JPEG', quality=95, subsampling='4:4:4')
        with Image.open(io.BytesIO(expected)) as reference:
            assert image.quantization == reference.quantization
            assert JpegImagePlugin.get_sampling(image) == JpegImagePlugin.get_sampling(reference)


def test_jpegs_of_up_to_twice_the_bound_are_not_shrunk_by_their_decoder() -> None:
    """It averages blocks, which blurs; above, it leaves at least the bound to shrink from."""
    noise = np.random.default_rng(0).integers(0, 256, (128, 128, 3)).astype(np.uint8)
    data = encoded(Image.fromarray(noise), 'JPEG', quality=95)
    whole = Image.open(io.BytesIO(data)).convert('RGB')
    expected = np.asarray(whole.resize((64, 64), Image.Resampling.LANCZOS)).astype(int)
    result = decoded(canonical(data, max_side=64, max_pixels=10**6).image)
    assert np.abs(result - expected).mean() < 4
    drafted = Image.open(io.BytesIO(data))
    drafted.draft(None, (64, 64))
    assert np.abs(np.asarray(drafted.convert('RGB')) - expected).mean() > 8


@pytest.mark.parametrize('orientation', range(1, 9))
@pytest.mark.parametrize('kind', ['JPEG', 'PNG', 'WEBP', 'TIFF'])
def test_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM, 5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }  # fmt: skip
    upright = picture(3)
    stored = upright.transpose(turns[orientation]) if orientation in turns else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    result = canonical(encoded(stored, kind, exif=exif))
    assert (result.source_width, result.source_height) == (24, 20)
    assert np.abs(decoded(result.image) - np.asarray(upright).astype(int)).mean() < 8
    assert Image.open(io.BytesIO(result.image)).getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize('kind', ['JPEG', 'PNG'])
def test_large_images_shrink_and_small_ones_do_not_grow(kind: str) -> None:
    large = canonical(encoded(picture(size=(300, 150)), kind), max_side=64, max_pixels=10**6)
    assert (large.width, large.height) == (64, 32)
    assert (large.source_width, large.source_height) == (300, 150)
    small = canonical(encoded(picture(size=(1, 7)), kind))
    assert (small.width, small.height) == (1, 7)


def test_extreme_shapes_keep_a_pixel() -> None:
    result = canonical(encoded(picture(size=(900, 1)), 'PNG'), max_side=10)
    assert (result.width, result.height) == (10, 1)


def test_transparency_is_composited_on_white() -> None:
    image = picture(mode='RGBA')
    image.putalpha(0)
    assert decoded(canonical(encoded(image, 'PNG')).image).min() == 255
    palette = Image.new('P', (4, 4), 1)
    palette.putpalette([10, 20, 30, 200, 0, 0])
    palette.info['transparency'] = 1
    assert decoded(canonical(encoded(palette, 'PNG', transparency=1)).image).min() == 255


def test_animations_give_their_first_frame() -> None:
    frames = [Image.new('RGB', (8, 8), colour) for colour in ('red', 'blue', 'green')]
    for kind in ('GIF', 'PNG', 'WEBP', 'TIFF'):
        extra = {} if kind == 'TIFF' else {'duration': 50}
        data = encoded(frames[0], kind, save_all=True, append_images=frames[1:], **extra)
        pixels = decoded(canonical(data).image)
        assert pixels[..., 0].min() > 240, kind
        assert pixels[..., 2].max() < 20, kind


def test_inverted_cmyk_jpeg_keeps_its_colours() -> None:
    data = encoded(picture(mode='CMYK'), 'JPEG', quality=95)
    result = canonical(data)
    assert not result.unchanged
    assert np.abs(decoded(result.image) - np.asarray(picture()).astype(int)).mean() < 8


@pytest.mark.parametrize('profile', ['sRGB', 'XYZ', ''])
def test_profiles_of_rgb_change_nothing(profile: str) -> None:
    """The served graph cannot apply one."""
    colours = b'no profile at all'
    if profile:
        colours = ImageCms.ImageCmsProfile(ImageCms.createProfile(profile)).tobytes()
    assert canonical(encoded(picture(), 'JPEG', icc_profile=colours)).unchanged
    large = canonical(encoded(picture(), 'PNG', icc_profile=colours), max_side=12)
    plain = canonical(encoded(picture(), 'PNG'), max_side=12)
    assert large.image == plain.image


def test_bad_images_name_the_reason() -> None:
    whole = encoded(picture(size=(60, 60)), 'JPEG')
    assert reason(b'') == reasons.EMPTY_FILE
    assert reason(b'Not an image, just text.\n') == reasons.NOT_AN_IMAGE
    assert reason(b'<!DOCTYPE html><html>404</html>') == reasons.NOT_AN_IMAGE
    assert reason(bytes(range(256)) * 4) == reasons.NOT_AN_IMAGE
    assert reason(whole[: len(whole) // 2]) == reasons.TRUNCATED
    assert reason(b'\xff\xd8\xff\xe0' + b'\0' * 20) == reasons.BROKEN
    assert reason(encoded(picture(), 'ICO')) == reasons.UNSUPPORTED
    assert reason(encoded(picture(), 'EPS')) == reasons.UNSUPPORTED
    pointer = b'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n'
    assert reason(pointer) == reasons.LFS_POINTER
    cut = encoded(picture(size=(60, 60)), 'PNG')
    assert reason(cut[: len(cut) // 2]) in (reasons.TRUNCATED, reasons.BROKEN)


def test_only_our_own_bound_of_pixels_counts() -> None:
    """Pillow's own, some 179 million, would answer first."""
    large = io.BytesIO()
    Image.new('1', (14_000, 14_000)).save(large, 'PNG')
    assert canonical(large.getvalue(), max_pixels=500_000_000).width == 64
    with pytest.raises(BadImage, match=r'data\.max_pixels: 100,000,000'):
        canonical(large.getvalue(), max_pixels=100_000_000)


def test_deep_and_ascii_forms_of_pgm() -> None:
    assert decoded(canonical(b'P2 2 1 255 0 255 ').image)[0, :, 0].tolist() == [0, 255]
    deep = canonical(b'P5 2 1 65535 \x00\x00\xff\xff')
    assert decoded(deep.image)[0, :, 0].tolist() == [0, 255]


def test_tiff_of_many_bands_is_named() -> None:
    bits, pixels = struct.pack('<13H', *[8] * 13), bytes(2 * 2 * 13)
    tags = {256: 2, 257: 2, 258: 0, 259: 1, 262: 1, 273: 0, 277: 13, 278: 2, 279: len(pixels)}
    body = 8 + 2 + 12 * len(tags) + 4
    tags |= {258: body, 273: body + len(bits)}
    entries = [
        struct.pack('<HHII', tag, 3 if tag == 258 else 4, 13 if tag == 258 else 1, value)
        for tag, value in tags.items()
    ]
    header = struct.pack('<2sHI', b'II', 42, 8) + struct.pack('<H', len(tags))
    data = b''.join([header, *entries, bytes(4), bits, pixels])
    with pytest.raises(BadImage, match='13 bands') as caught:
        canonical(data)
    assert caught.value.reason == reasons.UNSUPPORTED


def test_bomb_is_refused_by_its_header() -> None:
    bomb = png_header(50_000, 50_000)
    assert reason(bomb, max_pixels=100_000_000) == reasons.TOO_LARGE
    with pytest.raises(BadImage, match='101 x 100 pixels, more than data.max_pixels: 10,000'):
        canonical(encoded(picture(size=(101, 100)), 'PNG'))


def test_no_warning_leaks() -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter('always')
        canonical(encoded(picture(), 'PNG'))
        reason(png_header(10_000, 10_000), max_pixels=1000)  # Pillow warns of that many pixels.
    assert not seen


def test_luma_is_a_small_grey_preview() -> None:
    result = canonical(
        encoded(Image.new('RGB', (600, 300), (255, 0, 0)), 'PNG'), max_side=600, max_pixels=10**6
    )
    assert result.luma.dtype == np.uint8
    assert result.luma.shape == (LUMA_SIDE // 2, LUMA_SIDE)
    assert set(np.unique(result.luma)) == {76}  # 0.299 * 255


@given(st.binary(max_size=200), st.sampled_from(['JPEG', 'PNG', 'GIF', 'TIFF', 'WEBP', 'BMP']))
def test_damaged_bytes_never_raise_anything_else(junk: bytes, kind: str) -> None:
    whole = encoded(picture(), kind)
    for data in (junk, whole[:30] + junk, whole[: len(whole) // 2] + junk + whole[-20:]):
        try:
            result = canonical(data)
        except BadImage as bad:
            assert bad.reason
        else:
            assert decoded(result.image).shape == (result.height, result.width, 3)


# What the set's README says of each, checked by eye once; everything else there must be read.
ODD_BAD = {
    'lfs_pointer_rain142.jpg': reasons.LFS_POINTER,
    'made_random_bytes.jpg': reasons.NOT_AN_IMAGE,
    'made_text.png': reasons.NOT_AN_IMAGE,
    'made_truncated_half.jpg': reasons.TRUNCATED,
    'made_zero_bytes.jpg': reasons.EMPTY_FILE,
    'pillow_broken.png': reasons.BROKEN,
    'pillow_broken_data_stream.png': reasons.BROKEN,
    'pillow_decompression_bomb.gif': reasons.TOO_LARGE,
    'pillow_hopper.ico': reasons.UNSUPPORTED,
    'pillow_truncated_end_chunk.png': reasons.TRUNCATED,
    'pillow_truncated_image.png': reasons.TRUNCATED,
    'pillow_unknown_compression_method.png': reasons.BROKEN,
    'pillow_zero_height.j2k': reasons.UNSUPPORTED,
    'README.txt': reasons.NOT_AN_IMAGE,
}


@needs_shared
def test_odd_files() -> None:
    files = sorted((SHARED / 'data' / 'odd').iterdir())
    results, bad = {}, {}
    for file in files:
        try:
            results[file.name] = canonicalise(file.read_bytes(), 1024, 100_000_000)
        except BadImage as error:
            bad[file.name] = error.reason
    assert bad == ODD_BAD
    assert len(results) + len(bad) == len(files) >= 86
    for name, result in results.items():
        assert decoded(result.image).shape == (result.height, result.width, 3), name
    hopper = decoded(results['pillow_hopper.bmp'].image)
    same = [n for n in results if 'hopper_orientation' in n] + [
        'pillow_hopper.Lab.tif', 'pillow_hopper.tif', 'pillow_hopper.gif', 'pillow_hopper.webp',
        'pillow_avif_hopper.avif',
    ]  # fmt: skip
    for name in same:  # One motif in many coats: each must look like the plain one.
        assert np.abs(decoded(results[name].image) - hopper).mean() < 12, name
    red = decoded(results['pillow_pil_sample_rgb.jpg'].image)
    for name in results:
        if 'cmyk_16l' in name or 'cmyk_jpeg' in name or 'sample_cmyk' in name:
            assert np.abs(decoded(results[name].image) - red).mean() < 12, name
    deep = [decoded(results[n].image) for n in results if '16bit' in n and 'cropped.tif' in n]
    assert len(deep) == 2
    np.testing.assert_array_equal(deep[0], deep[1])  # Both byte orders.
    assert results['tulips_panorama_1024x187.jpg'].unchanged  # Adobe RGB, taken as it is
    assert results['cat1035_webp_named.png'].source_format == 'WEBP'
    assert results['pillow_frozenpond.mpo'].source_format == 'MPO'
    assert decoded(results['omniglot_1bit.png'].image).max() == 255

"""Ingestion with the content store: the same files as without, however the set grows."""

from __future__ import annotations

import contextlib
import dataclasses
import pathlib

import pytest

from tests import code_copy
from tests.components.ingestion import formats, near_images
from tests.components.ingestion.images import encoded, picture
from tests.components.ingestion.ingesting import ingest
from thawline.components.ingestion import decoded_image, image_reading, near_duplicates
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.image_reading import Settings
from thawline.components.ingestion.params import Boxes
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared import code_digest, content_store, property_names
from thawline.components.shared.content_store import Records, Store
from thawline.components.shared.sample_depth import SampleDepth

SETTINGS = Settings(64, 10_000, thumbnails=True)


def add_images(root: pathlib.Path, first: int, last: int, bits: int = 12) -> None:
    """Images as they are, to encode anew, of 16 bits with so many used, and one unusable."""
    for number in range(first, last):
        for label in ('a', 'b'):
            folder = root / label
            folder.mkdir(parents=True, exist_ok=True)
            seed = 2 * number + (label == 'b')
            image = near_images.picture(seed)
            image.save(folder / f'{number}.png')
            near_images.jpeg(image, 60).save(folder / f'{number}_again.bmp')
            deep = formats.deep_samples(0, bits, seed)
            (folder / f'{number}_deep.png').write_bytes(formats.deep_png(deep, 0))
    (root / 'a' / f'{last}.jpg').write_bytes(b'\xff\xd8\xffno image')


def files(out: pathlib.Path) -> dict[str, bytes]:
    """Content of all files of Examples, and what is known of those that cannot be used."""
    paths = [*(out / 'examples').rglob('*.gz'), *(out / 'quarantine').glob('*.csv')]
    return {str(path.relative_to(out)): path.read_bytes() for path in paths}


def test_examples_are_the_same_bytes_with_and_without_the_store(tmp_path: pathlib.Path) -> None:
    store, source = Store(tmp_path / 'store', 10**9), tmp_path / 'images'
    spec = SourceSpec(str(source))

    def run(name: str, with_store: bool) -> tuple[dict[str, bytes], int]:
        context = content_store.lend(store) if with_store else contextlib.nullcontext()
        with context:
            quarantine = ingest(spec, tmp_path / name, max_side=64)[2]
        read = quarantine.get_int_custom_property(property_names.FROM_STORE)
        return files(tmp_path / name), read

    add_images(source, 0, 4)
    first, read = run('first', True)
    assert read == 0 and first == run('plain', False)[0]
    add_images(source, 4, 6, bits=14)  # which changes the range of all
    grown, read = run('grown', True)
    assert read == 24 and grown == run('grown plain', False)[0]
    assert run('again', True) == (grown, 36)
    assert any('near_duplicates' in name for name in grown)
    for shard in store.folder.rglob('*.shard'):
        shard.write_bytes(shard.read_bytes()[:-9])
    assert run('damaged', True) == (grown, 0)


@pytest.mark.parametrize('depth', (None, SampleDepth(12)))
@pytest.mark.parametrize('name', ('png', 'turned', 'deep', 'large'))
def test_a_record_gives_the_image_back(name: str, depth: SampleDepth | None) -> None:
    data = {
        'png': encoded(picture(0), 'PNG'),
        'turned': encoded(picture(0), 'JPEG', exif=formats.exif(6)),
        'deep': formats.deep_png(formats.deep_samples(0), 0),
        'large': encoded(picture(0, (90, 80)), 'PNG'),
    }[name]
    settings = dataclasses.replace(SETTINGS, depth=depth)
    decoded = image_reading.decode(data, settings)
    record = decoded_image.to_record(decoded)
    assert decoded_image.from_record(record, data) == decoded
    assert (data in record) is False and bool(decoded.samples) == (name == 'deep' and not depth)


def test_what_changes_the_records(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All that decides an image beside its bytes: settings, depth of the set, code, libraries."""

    def digest(settings: Settings) -> tuple[object, object]:
        store = Store(tmp_path, 1)
        own = store.namespace('images', settings.for_store())
        return own, store.namespace('pairs', near_duplicates.for_store(settings, Boxes()))

    before = digest(SETTINGS)
    assert digest(Settings(64, 10_000, True)) == before
    others = [
        dataclasses.replace(SETTINGS, max_side=65),
        dataclasses.replace(SETTINGS, max_pixels=9_999),
        dataclasses.replace(SETTINGS, thumbnails=False),
        dataclasses.replace(SETTINGS, depth=SampleDepth()),
        dataclasses.replace(SETTINGS, depth=SampleDepth(12)),
        dataclasses.replace(SETTINGS, depth=SampleDepth(12, high=2.0)),
    ]
    digests = [digest(other) for other in others]
    assert len({str(one) for one in (before, *digests)}) == 7
    checkout = code_copy.copy_code(tmp_path)
    monkeypatch.setattr(code_digest, '_ROOT', checkout)
    assert digest(SETTINGS) == before
    for file in ('ingestion/decoding.py', 'shared/image_decoder.py', 'ingestion/thumbnail.py'):
        path = checkout / 'components' / file
        content = path.read_bytes()
        path.write_bytes(content + b'\n')
        assert all(a != b for a, b in zip(digest(SETTINGS), before, strict=True)), file
        path.write_bytes(content)
    padded = near_duplicates.for_store(SETTINGS, Boxes(padding=0.2))
    assert Store(tmp_path, 1).namespace('pairs', padded) != before[1]
    (checkout / 'components/ingestion/second_look.py').write_text('')
    assert digest(SETTINGS)[0] == before[0] and digest(SETTINGS)[1] != before[1]
    for library in ('pillow', 'numpy', 'tensorflow'):
        versions = {**code_digest.library_versions(image_reading.__name__), library: '0'}
        with monkeypatch.context() as patch:
            patch.setattr(code_digest, 'library_versions', lambda *_, v=versions: v)
            assert digest(SETTINGS)[0] != before[0], library


def test_unusable_images_are_not_in_the_store(tmp_path: pathlib.Path) -> None:
    records = Records(Store(tmp_path, 10**9).namespace('images', {}))
    with pytest.raises(BadImage):
        image_reading.decode_once(b'no image', SETTINGS, records)
    records.publish()
    assert records.added == 0
    records.close()

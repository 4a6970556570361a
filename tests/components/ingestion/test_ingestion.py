"""The executor on real Beam: sources in, split examples and a quarantine report out."""

from __future__ import annotations

import collections
import os
import pathlib
import shutil
import tracemalloc
from collections.abc import Iterator

import pytest
import tensorflow as tf

from tests.components.ingestion import memory_files
from tests.components.ingestion.images import class_folders, encoded, picture, png_header
from tests.components.ingestion.ingesting import ingest, strings
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion import tfrecord
from thawline.components.ingestion.beam_pipeline import _outcome, parse_outcomes
from thawline.components.ingestion.decoding import canonicalise
from thawline.components.ingestion.image_reading import served_graph_decodes
from thawline.components.ingestion.params import Columns, Split
from thawline.components.ingestion.quarantine import Rejected, from_jsonl
from thawline.components.ingestion.readable_image import ReadableImage
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared import image_table, progress
from thawline.components.shared.errors import ConfigError, DataError

FEATURES = {
    'image', 'label', 'image_id', 'path', 'group', 'cluster', 'split', 'height', 'width',
    'source_format',
    'brightness', 'contrast', 'sharpness',
}  # fmt: skip


@pytest.fixture
def memory() -> Iterator[dict[str, bytes]]:
    memory_files.FILES.clear()
    yield memory_files.FILES
    memory_files.FILES.clear()


def everything(found: dict[str, list[tf.train.Example]]) -> list[tf.train.Example]:
    return [e for examples in found.values() for e in examples]


def test_folder_source_with_every_bad_file(tmp_path: pathlib.Path) -> None:
    root = class_folders(tmp_path / 'data', {'cat': 12, 'dog': 12})
    whole = encoded(picture(size=(60, 60)), 'JPEG')
    bad = {
        'truncated.jpg': (whole[: len(whole) // 2], reasons.TRUNCATED),
        'zero.jpg': (b'', reasons.EMPTY_FILE),
        'text.jpg': (b'just words', reasons.NOT_AN_IMAGE),
        'bomb.png': (png_header(50_000, 50_000), reasons.TOO_LARGE),
        'pointer.jpg': (b'version https://git-lfs.github.com/spec/v1\n', reasons.LFS_POINTER),
    }
    for name, (data, _) in bad.items():
        (root / 'cat' / name).write_bytes(data)
    (root / 'cat' / 'gone.jpg').symlink_to(tmp_path / 'nowhere')
    (root / 'notes.txt').write_text('x')
    (root / 'dog' / 'big.jpg').write_bytes(encoded(picture(9, (200, 100)), 'JPEG'))
    seen: list[progress.Progress] = []
    with progress.listening(seen.append):
        found, summary, quarantine = ingest(
            SourceSpec(str(root)), tmp_path, split=Split(folds=0), max_side=64
        )
    rejected = from_jsonl((tmp_path / 'quarantine' / 'quarantine.jsonl').read_text())
    expected = {f'cat/{name}': reason for name, (_, reason) in bad.items()}
    expected |= {'cat/gone.jpg': reasons.MISSING_FILE}
    assert {r.path: r.reason for r in rejected} == expected
    assert (summary['total'], summary['written'], summary['quarantined']) == (31, 25, 6)
    assert quarantine.get_int_custom_property('quarantined') == 6
    assert sum(len(by_class) for by_class in summary['splits'].values()) == 6
    assert (tmp_path / 'quarantine' / 'quarantine.csv').read_text().count('\n') == 7
    assert (seen[-1].what, seen[-1].done, seen[-1].total) == ('images', 31, 31)
    for split, examples in found.items():
        assert set(strings(examples, 'split')) == {split}
        for example in examples:
            assert set(example.features.feature) == FEATURES
    big = next(e for e in everything(found) if strings([e], 'path') == ['dog/big.jpg'])
    feature = big.features.feature
    size = [feature[side].int64_list.value[0] for side in ('height', 'width')]
    assert size == [100, 200]  # Of the source
    image = tf.io.decode_image(feature['image'].bytes_list.value[0])
    assert image.shape == (32, 64, 3)
    assert strings([big], 'group') == strings([big], 'image_id')


def test_same_input_gives_the_same_files(tmp_path: pathlib.Path) -> None:
    spec = SourceSpec(str(class_folders(tmp_path / 'data', {'a': 10, 'b': 10})))
    first, _, _ = ingest(spec, tmp_path / '1')
    second, _, _ = ingest(spec, tmp_path / '2')
    assert first == second
    threads, _, _ = ingest(
        spec, tmp_path / '4', '--direct_running_mode=multi_threading', '--direct_num_workers=2'
    )
    for split, examples in first.items():
        key = tf.train.Example.SerializeToString
        assert sorted(map(key, threads[split])) == sorted(map(key, examples))


def test_manifest_with_groups_and_metadata(tmp_path: pathlib.Path) -> None:
    root = class_folders(tmp_path / 'data', {'a': 20, 'b': 20})
    rows = [f'{c}/{i:03d}.png,{c},patient{c}{i // 4},{i}' for c in 'ab' for i in range(20)]
    file = root / 'labels.csv'
    file.write_text('\n'.join(['path,label,patient,age now', *rows, 'a/999.png,a,x,1']))
    spec = SourceSpec(str(file), columns=Columns(group='patient'))
    found, summary, _ = ingest(spec, tmp_path)
    splits: dict[str, set[str]] = collections.defaultdict(set)
    for split, examples in found.items():
        for group in strings(examples, 'group'):
            splits[group].add(split)
    assert len(splits) == 10
    assert all(len(s) == 1 for s in splits.values())
    assert all(set(by_class) == {'a', 'b'} for by_class in summary['splits'].values())
    ages = strings(everything(found), 'meta_age_now')
    assert sorted(map(int, ages)) == sorted(2 * list(range(20)))
    assert summary['reasons'] == {reasons.MISSING_FILE: 1}
    assert '1 row is not used: missing file' in summary['notes']
    table = image_table.read(str(tmp_path / 'examples'))
    assert table is not None
    names = ['image_id', 'path', 'group', 'split', 'label']
    columns = zip(*(strings(everything(found), name) for name in names), strict=True)
    written = sorted(columns)
    assert sorted(tuple(row[name] for name in names) for row in table.to_pylist()) == written
    assert {row[2] for row in written} == {f'patient{c}{n}' for c in 'ab' for n in range(5)}


def sure(examples: list[tf.train.Example]) -> dict[str, float]:
    """Confidence of each label by the path of the image, to six digits."""
    values = (e.features.feature['label_confidence'].float_list.value for e in examples)
    return dict(zip(strings(examples, 'path'), (round(v[0], 6) for v in values), strict=True))


def test_confidence_is_in_every_example_or_in_none(tmp_path: pathlib.Path) -> None:
    root = class_folders(tmp_path / 'data', {'a': 8, 'b': 8})
    given = {f'{c}/{i:03d}.png': (0.6 if i % 3 else 1.0) for c in 'ab' for i in range(8)}
    rows = [f'{path},{path[0]},{value if value < 1 else ""}' for path, value in given.items()]
    file = root / 'labels.csv'
    file.write_text('\n'.join(['path,label,agreement', *rows]))
    spec = SourceSpec(str(file), columns=Columns(confidence='agreement'))
    found, _, _ = ingest(spec, tmp_path / '1')
    assert sure(everything(found)) == given
    certain, _, _ = ingest(SourceSpec(str(file)), tmp_path / '2')
    assert all('label_confidence' not in e.features.feature for e in everything(certain))


def test_any_beam_file_system(tmp_path: pathlib.Path, memory: dict[str, bytes]) -> None:
    root = f'{memory_files.PREFIX}bucket/set'
    rows = []
    for seed in range(16):
        path = f'{"ab"[seed % 2]}/{seed}.png'
        memory[f'{root}/{path}'] = encoded(picture(seed), 'PNG')
        rows.append(f'{path},{path[0]}')
    memory[f'{root}/a/.hidden.png'] = memory[f'{root}/a/'] = b''
    folder, _, _ = ingest(SourceSpec(root), tmp_path / '1')
    assert len(everything(folder)) == 16
    outside = f'{memory_files.PREFIX}other/x.png'
    extra = ['a/999.png,a', '../x.png,a', f'{outside},a', f'{root}/a/0.png,a']
    memory[f'{root}/labels.csv'] = '\n'.join(['path,label', *rows, *extra]).encode()
    spec = SourceSpec(f'{root}/labels.csv')
    manifest, summary, _ = ingest(spec, tmp_path / '2')
    paths = [sorted(strings(everything(found), 'path')) for found in (folder, manifest)]
    assert paths[0] == paths[1]
    assert summary['reasons'] == {
        reasons.ESCAPES_ROOT: 2, reasons.DUPLICATE_ROW: 1, reasons.MISSING_FILE: 1,
    }  # fmt: skip


def test_remote_errors(memory: dict[str, bytes]) -> None:
    with pytest.raises(DataError, match='does not exist or holds no files'):
        list_source(SourceSpec(f'{memory_files.PREFIX}bucket/nothing'))
    with pytest.raises(DataError, match='does not exist'):
        list_source(SourceSpec(f'{memory_files.PREFIX}bucket/x.csv'))
    with pytest.raises(ConfigError, match='nosuch://bucket/x'):
        list_source(SourceSpec('nosuch://bucket/x'))
    assert memory == {}


def write_records(path: pathlib.Path, count: int, compression: str = '', **names: str) -> None:
    image, label = names.get('image', 'image'), names.get('label', 'label')
    with tf.io.TFRecordWriter(str(path), compression) as writer:
        for index in range(count):
            example = tf.train.Example()
            feature = example.features.feature
            data = encoded(picture(hash((path.name, index)) % 2**31), 'JPEG')
            feature[image].bytes_list.value.append(data)
            feature[label].bytes_list.value.append(b'ab'[index % 2 : index % 2 + 1])
            feature['site'].int64_list.value.append(index)
            writer.write(example.SerializeToString())


def test_tfrecords(tmp_path: pathlib.Path) -> None:
    write_records(tmp_path / 'x.tfrecord-0', 8)
    write_records(tmp_path / 'x.tfrecord-1.gz', 8, 'GZIP')
    broken = tmp_path / 'x.tfrecord-2'
    write_records(broken, 4)
    broken.write_bytes(broken.read_bytes()[:-30])
    with tf.io.TFRecordWriter(str(tmp_path / 'x.tfrecord-3')) as writer:
        writer.write(b'\xff\xff not an example')
        writer.write(tf.train.Example().SerializeToString())
    spec = SourceSpec(str(tmp_path / 'x.tfrecord-*'), columns=Columns(metadata=('site',)))
    found, summary, _ = ingest(spec, tmp_path)
    assert summary['written'] == 19
    assert summary['reasons'] == {reasons.BAD_RECORD: 2, reasons.NOT_AN_IMAGE: 1}
    assert summary['total'] == 22
    assert 'x.tfrecord-1.gz#000007' in strings(everything(found), 'path')
    table = image_table.read(str(tmp_path / 'examples'))
    assert table is not None
    # Without a group of its own an image is its own group.
    assert table['group'] == table['image_id'] and len(table) == 19
    assert {'0', '7'} <= set(strings(everything(found), 'meta_site'))


def test_confidence_of_tfrecords(tmp_path: pathlib.Path) -> None:
    floats = [tf.train.FloatList(value=[v]) for v in (0.25, 1.0, 0.0, 2.0)]
    values: list[tf.train.Feature | None] = [
        None, tf.train.Feature(), *(tf.train.Feature(float_list=one) for one in floats),
        tf.train.Feature(int64_list=tf.train.Int64List(value=[1])),
        tf.train.Feature(bytes_list=tf.train.BytesList(value=[b'0.75'])),
        tf.train.Feature(bytes_list=tf.train.BytesList(value=[b'\xff' * 999])),
    ]  # fmt: skip
    with tf.io.TFRecordWriter(str(tmp_path / 'd.tfrecord')) as writer:
        for index, value in enumerate(values + [None] * 8):
            example = tf.train.Example()
            feature = example.features.feature
            feature['image'].bytes_list.value.append(encoded(picture(index), 'PNG'))
            feature['label'].bytes_list.value.append(b'ab'[index % 2 : index % 2 + 1])
            if value is not None:
                feature['p'].CopyFrom(value)
            writer.write(example.SerializeToString())
    spec = SourceSpec(str(tmp_path / 'd.tfrecord'), columns=Columns(confidence='p'))
    found, summary, _ = ingest(spec, tmp_path)
    expected = [1.0, 1.0, 0.25, 1.0, None, None, 1.0, 0.75, None, *[1.0] * 8]
    assert sure(everything(found)) == {
        f'd.tfrecord#{i:06d}': value for i, value in enumerate(expected) if value is not None
    }
    assert summary['reasons'] == {reasons.BAD_RECORD: 3}
    rejected = from_jsonl((tmp_path / 'quarantine' / 'quarantine.jsonl').read_text())
    assert "Received: '2.0'" in rejected[1].detail
    assert all(len(r.detail) <= 200 for r in rejected)


def test_tfrecord_names_and_errors(tmp_path: pathlib.Path) -> None:
    write_records(tmp_path / 'd.tfrecord', 8, image='image/encoded', label='image/class/text')
    found, _, _ = ingest(SourceSpec(str(tmp_path / 'd.tfrecord')), tmp_path / '1')
    assert len(everything(found)) == 8
    named = SourceSpec(str(tmp_path / 'd.tfrecord'), columns=Columns(image='photo'))
    with pytest.raises(DataError, match='No readable image is left.*8 x not an image'):
        ingest(named, tmp_path / '2')
    with pytest.raises(DataError, match='Did you mean'):
        list_source(SourceSpec(str(tmp_path / 'e.tfrecord')))
    with pytest.raises(DataError, match='No TFRecord file matches'):
        list_source(SourceSpec(str(tmp_path / 'e*.tfrecord')))
    (tmp_path / 'f.tfrecord').write_bytes(b'')
    with pytest.raises(DataError, match='are empty'):
        list_source(SourceSpec(str(tmp_path / 'f.tfrecord')))


@pytest.mark.parametrize('key', ['image', 'label', 'split', 'group', 'sure'])
def test_records_with_lists_are_not_read_by_their_first_value(
    tmp_path: pathlib.Path, key: str
) -> None:
    example = tf.train.Example()
    example.features.feature['image'].bytes_list.value.append(encoded(picture(), 'PNG'))
    example.features.feature['label'].int64_list.value.append(1)
    example.features.feature['sure'].float_list.value.append(1.0)
    several = tf.train.Example.FromString(example.SerializeToString())
    feature = several.features.feature[key]
    kind = feature.WhichOneof('kind') or 'bytes_list'
    value = {'bytes_list': b'train', 'int64_list': 0, 'float_list': 0.5}[kind]
    del getattr(feature, kind).value[:]
    getattr(feature, kind).value.extend([value] * 3)
    path = tmp_path / 'a.tfrecord'
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())
        writer.write(several.SerializeToString())
    first, second = tfrecord.records(str(path), 'a', Columns(confidence='sure'))
    assert not isinstance(first, Rejected)
    assert second == Rejected('a#000001', reasons.BAD_RECORD, f'{key} has 3 values, expected one')


def test_class_numbers_are_labels_where_there_is_no_text_and_errors_list_features(
    tmp_path: pathlib.Path,
) -> None:
    example = tf.train.Example()
    example.features.feature['image/encoded'].bytes_list.value.append(encoded(picture(), 'PNG'))
    path = tmp_path / 'a.tfrecord'
    with tf.io.TFRecordWriter(str(path)) as writer:
        writer.write(example.SerializeToString())
        example.features.feature['image/class/label'].int64_list.value.append(7)
        writer.write(example.SerializeToString())
    without, numbered = tfrecord.records(str(path), 'a', Columns())
    assert isinstance(without, Rejected) and 'image/encoded' in without.detail
    assert not isinstance(numbered, Rejected) and numbered[0].label == '7'


def test_what_is_read_is_bounded(tmp_path: pathlib.Path) -> None:
    """A pipe would be waited for, and a few kilobytes of gzip can be gigabytes."""
    root = class_folders(tmp_path / 'data', {'cat': 12, 'dog': 12})
    os.mkfifo(root / 'cat' / 'pipe.jpg')
    with (root / 'cat' / 'huge.jpg').open('wb') as file:
        file.truncate(2_500_000_000)
    _, summary, _ = ingest(SourceSpec(str(root)), tmp_path / 'run', max_pixels=10_000)
    assert summary['reasons'] == {reasons.TOO_LARGE: 1, reasons.UNREADABLE: 1}
    bomb = tmp_path / 'bomb.tfrecord.gz'
    options = tf.io.TFRecordOptions('GZIP')
    with tf.io.TFRecordWriter(str(bomb), options) as writer:
        writer.write(bytes(50_000_000))
    tracemalloc.start()
    (rejected,) = tfrecord.records(str(bomb), 'a', Columns(), most=1_000_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(rejected, Rejected) and '50,000,004 bytes' in rejected.detail
    assert peak < 20_000_000


@pytest.mark.parametrize('content', [None, b'', b'no Parquet'])
def test_examples_without_a_table_that_can_be_read(
    content: bytes | None, tmp_path: pathlib.Path
) -> None:
    if content is not None:
        (tmp_path / 'images.parquet').write_bytes(content)
    assert image_table.read(str(tmp_path)) is None


def test_nothing_readable(tmp_path: pathlib.Path) -> None:
    for name in ('a', 'b'):
        (tmp_path / 'data' / name).mkdir(parents=True)
        for index in range(3):
            (tmp_path / 'data' / name / f'{index}.jpg').write_bytes(b'no image')
    with pytest.raises(DataError, match=r'No readable image .* 6 x not an image \(a/0.jpg'):
        ingest(SourceSpec(str(tmp_path / 'data')), tmp_path)


def test_a_class_of_which_no_image_can_be_read_stops(tmp_path: pathlib.Path) -> None:
    root = class_folders(tmp_path / 'data', {'cat': 30, 'dog': 30, 'bird': 3})
    for file in (root / 'bird').iterdir():
        file.write_bytes(file.read_bytes()[:40])
    (root / 'cat' / '000.png').write_bytes(b'')
    with pytest.raises(DataError, match="class 'bird': 3 x ") as caught:
        ingest(SourceSpec(str(root)), tmp_path / 'run')
    assert caught.value.unusable.count('bird/') == 3
    assert 'cat/000.png' in caught.value.unusable


@pytest.mark.parametrize('feature', ['image', 'other'])
def test_a_class_of_which_no_record_can_be_read_stops(tmp_path: pathlib.Path, feature: str) -> None:
    write_records(tmp_path / 'good.tfrecord', 12)
    with tf.io.TFRecordWriter(str(tmp_path / 'bad.tfrecord')) as writer:
        for _ in range(3):
            example = tf.train.Example()
            example.features.feature[feature].bytes_list.value.append(b'no image')
            example.features.feature['label'].bytes_list.value.append(b'bird')
            writer.write(example.SerializeToString())
    with pytest.raises(DataError, match="class 'bird': 3 x ") as caught:
        ingest(SourceSpec(str(tmp_path / '*.tfrecord')), tmp_path / 'run')
    assert caught.value.unusable.count('bad.tfrecord#') == 3
    assert caught.value.unusable.startswith('path,reason,detail\n')


def test_one_image_with_two_labels_is_handled_alike_in_folders_and_lists(
    tmp_path: pathlib.Path,
) -> None:
    root = class_folders(tmp_path / 'data', {'cat': 12, 'dog': 12})
    shutil.copy(root / 'cat' / '000.png', root / 'dog' / 'copy.png')
    rows = [f'{file.relative_to(root)},{file.parent.name}' for file in root.glob('*/0*.png')]
    (root / 'list.csv').write_text('\n'.join(['path,label', *rows, 'cat/000.png,dog']))
    for number, source in enumerate((root, root / 'list.csv')):
        _, summary, _ = ingest(SourceSpec(str(source)), tmp_path / str(number))
        assert summary['reasons'] == {reasons.CONFLICTING_LABELS: 2}
        assert summary['written'] == 23
        stopping = SourceSpec(str(source), conflicting_labels='stop')
        with pytest.raises(DataError, match='different labels.*cat/000.png') as caught:
            ingest(stopping, tmp_path / f'{number}-stop')
        assert caught.value.unusable


def test_one_class_survives(tmp_path: pathlib.Path) -> None:
    root = class_folders(tmp_path / 'data', {'a': 3})
    (root / 'b').mkdir()
    for index in range(3):
        (root / 'b' / f'{index}.jpg').write_bytes(b'')
    with pytest.raises(DataError, match="class 'b': 3 x empty file"):
        ingest(SourceSpec(str(root)), tmp_path)


def test_layout_and_normalised_labels(tmp_path: pathlib.Path) -> None:
    root = class_folders(
        tmp_path / 'data', {'train/Cat': 8, 'train/dog': 8, 'test/cat': 4, 'test/dog': 4}
    )
    found, summary, _ = ingest(SourceSpec(str(root), normalise_labels=True), tmp_path)
    assert {p.partition('/')[0] for p in strings(found['test'], 'path')} == {'test'}
    assert {p.partition('/')[0] for p in strings(found['val'], 'path')} == {'train'}
    assert all(set(c) == {'Cat', 'dog'} for c in summary['splits'].values())


def test_what_tensorflow_refuses_is_encoded_anew() -> None:
    good = canonicalise(encoded(picture(), 'PNG'), 64, 10_000)
    assert served_graph_decodes(good)
    broken = type(good)(**{**vars(good), 'image': good.image[:60]})
    assert not served_graph_decodes(broken)


def test_outcomes_travel_as_lines() -> None:
    row, bad = ReadableImage('a\n"b', 'id', None, 'ü', 'val'), Rejected('x\u2028', 'truncated', 'ü')
    lines = [_outcome(row).value, _outcome(bad).value]
    assert all(len(line.splitlines()) == 1 for line in lines)
    assert parse_outcomes(lines) == ([row], [bad])

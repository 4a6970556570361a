"""CSV manifests, good and bad."""

from __future__ import annotations

import csv
import io
import os
import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.components.ingestion.images import class_folders
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.manifest_table import parse
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared.errors import ConfigError, DataError

ROWS = [f'{c}/{i:03d}.png,{c}' for c in ('cat', 'dog') for i in range(3)]


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return class_folders(tmp_path / 'set', {'cat': 4, 'dog': 4})


def write(root: pathlib.Path, *rows: str, header: str = 'path,label') -> pathlib.Path:
    file = root / 'labels.csv'
    file.write_text('\n'.join([header, *rows]) + '\n')
    return file


def listing(file: pathlib.Path, **options: object) -> Listing:
    return list_source(SourceSpec(str(file), **options))  # type: ignore[arg-type]


def error(file: pathlib.Path, **options: object) -> str:
    with pytest.raises(DataError) as caught:
        listing(file, **options)
    return str(caught.value)


def rejected(file: pathlib.Path, **options: object) -> dict[str, str]:
    return {r.path: r.reason for r in listing(file, **options).rejected}


def test_paths_are_relative_to_the_csv(root: pathlib.Path) -> None:
    found = listing(write(root, *ROWS))
    assert [(i.relative_path, i.label) for i in found.items] == [
        tuple(row.split(',')) for row in sorted(ROWS)
    ]
    assert found.items[0].path == str(root / 'cat' / '000.png')
    assert found.rejected == ()


def test_root_may_be_elsewhere(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    file = write(tmp_path, *ROWS)
    assert len(listing(file, root=str(root)).items) == 6
    assert 'data.root' in error(file)
    assert 'does not exist' in error(file, root=str(root / 'nowhere'))


def test_all_columns(root: pathlib.Path) -> None:
    splits = ['train', 'Valid', 'TEST', '', 'dev', 'val']
    pairs = zip(ROWS, splits, strict=True)
    rows = [f'{row},{split},p{n},7' for n, (row, split) in enumerate(pairs)]
    found = listing(write(root, *rows, header='path,label,split,group,age'))
    assert [i.split for i in found.items] == ['train', 'val', 'test', None, 'val', 'val']
    assert [i.group for i in found.items] == [f'p{n}' for n in range(6)]
    assert {i.metadata['age'] for i in found.items} == {'7'}
    chosen = Columns(metadata=())
    assert listing(root / 'labels.csv', columns=chosen).items[0].metadata == {}


def test_confidence(root: pathlib.Path) -> None:
    written = ['1', '0.5', ' ', '6e-1', '1.0', '']
    rows = [f'{row},{sure}' for row, sure in zip(ROWS, written, strict=True)]
    file = write(root, *rows, header='path,label,agreement')
    found = listing(file, columns=Columns(confidence='agreement'))
    assert [i.confidence for i in found.items] == [1.0, 0.5, 1.0, 0.6, 1.0, 1.0]
    assert found.items[0].metadata == {}  # it is no metadata too
    unnamed = listing(file).items[1]
    assert (unnamed.confidence, unnamed.metadata) == (None, {'agreement': '0.5'})


@pytest.mark.parametrize('bad', ['0', '-0.5', '1.01', 'nan', '0,5', 'sure'])
def test_bad_confidence_is_quarantined_with_its_line_and_value(
    root: pathlib.Path, bad: str
) -> None:
    file = write(root, *[f'{row};' for row in ROWS], f'cat/003.png,cat;{bad}')
    file.write_text(file.read_text().replace('png,', 'png;').replace('path,label', 'path;label;p'))
    found = listing(file, columns=Columns(confidence='p'))
    assert len(found.items) == 6
    (one,) = found.rejected
    assert (one.path, one.reason) == ('cat/003.png', reasons.MALFORMED_ROW)
    assert one.detail.startswith('line 8 of labels.csv: data.columns.confidence must be above 0')
    assert f'Received: {bad!r}' in one.detail


def test_rows_that_differ_in_confidence_alone_conflict(root: pathlib.Path) -> None:
    rows = [*(f'{row},' for row in ROWS), 'cat/003.png,cat,0.5', 'cat/003.png,cat,0.6']
    file = write(root, *rows, header='path,label,p')
    found = rejected(file, columns=Columns(confidence='p'))
    assert found == {'cat/003.png': reasons.CONFLICTING_ROWS}


@pytest.mark.parametrize('delimiter', [',', ';', '\t', '|'])
@pytest.mark.parametrize('ends', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('mark', [b'', b'\xef\xbb\xbf'])
def test_dialects(root: pathlib.Path, delimiter: str, ends: str, mark: bytes) -> None:
    text = ends.join(line.replace(',', delimiter) for line in ['path,label', *ROWS]) + ends
    file = root / 'labels.csv'
    file.write_bytes(mark + text.encode())
    assert len(listing(file).items) == 6


def test_utf16_with_its_mark(root: pathlib.Path) -> None:
    file = root / 'labels.csv'
    file.write_bytes('\n'.join(['path,label', *ROWS]).encode('utf-16'))
    assert len(listing(file).items) == 6


def test_not_utf8(root: pathlib.Path) -> None:
    file = root / 'labels.csv'
    file.write_bytes('path,label\ncat/000.png,café\n'.encode('cp1252'))
    message = error(file)
    assert 'not UTF-8: byte 0xe9 at offset 26, line 2' in message
    assert f'iconv -f WINDOWS-1252 -t UTF-8 {file}' in message


@pytest.mark.parametrize(
    ('header', 'columns', 'key', 'hint'),
    [
        ('path,cause', Columns(), 'data.columns.label', "'cause'"),
        ('where,label', Columns(), 'data.columns.path', "'where', 'label'"),
        ('path,label', Columns(group='patient'), 'data.columns.group', "'patient'"),
        ('path,label', Columns(split='fold'), 'data.columns.split', "'fold'"),
        ('path,label', Columns(confidence='sure'), 'data.columns.confidence', "'sure'"),
        ('path,label', Columns(metadata=('age',)), 'data.columns.metadata', "'age'"),
    ],
)
def test_missing_column(
    root: pathlib.Path, header: str, columns: Columns, key: str, hint: str
) -> None:
    message = error(write(root, *ROWS, header=header), columns=columns)
    assert key in message
    assert hint in message
    assert str(root / 'labels.csv') in message


def test_close_column_names_are_offered(root: pathlib.Path) -> None:
    assert "Did you mean 'Lable'?" in error(write(root, *ROWS, header='path,Lable'))


@pytest.mark.parametrize(
    ('header', 'path', 'label'),
    [
        ('filename,class', 'filename', 'class'),
        ('id,image,choice', 'image', 'choice'),
        ('ID,Label', 'ID', 'Label'),
        ('image_id,breed', 'image_id', 'breed'),
    ],
)
def test_usual_names_of_columns_are_guessed(
    root: pathlib.Path, header: str, path: str, label: str
) -> None:
    extra = 'x,' if header.count(',') == 2 else ''
    found = listing(write(root, *(extra + row for row in ROWS), header=header))
    assert len(found.items) == 6 and found.rejected == ()
    assert found.columns is not None
    assert (found.columns.path, found.columns.label) == (path, label)
    assert any(repr(path) in note and 'data.columns' in note for note in found.notes)


def test_columns_that_were_named_are_not_guessed(root: pathlib.Path) -> None:
    file = write(root, *ROWS, header='filename,class')
    assert "no column 'file'" in error(file, columns=Columns(path='file'))


def test_paths_without_a_suffix_stand_for_the_one_image(root: pathlib.Path) -> None:
    (root / 'cat' / '003.jpg').write_bytes(b'x')  # beside 003.png
    file = write(root, *(row.replace('.png', '') for row in [*ROWS, 'cat/003.png,cat']))
    assert {i.relative_path for i in listing(file).items} == {r.partition(',')[0] for r in ROWS}
    assert rejected(file) == {'cat/003': reasons.MISSING_FILE}


def test_a_quote_that_is_not_closed_loses_no_row(root: pathlib.Path) -> None:
    rows = [f'{row},fine' for row in ROWS]
    rows[2] = f'{ROWS[2]},"5 inch'
    rows[4] = f'{ROWS[4]},7" tall'
    for last in (rows[5], f'{ROWS[5]},"a, b"'):
        file = write(root, *rows[:5], last, header='path,label,comment')
        assert f'{file}, line 4' in error(file)
    rows[2] = f'{ROWS[2]},"5"" and\na second line"'
    found = listing(write(root, *rows, header='path,label,comment'))
    assert len(found.items) == 6
    assert found.items[2].metadata == {'comment': '5" and\na second line'}


def test_what_excel_writes(root: pathlib.Path) -> None:
    rows = [row.replace(',', ';') for row in ROWS]
    assert len(listing(write(root, 'path;label', *rows, header='sep=;')).items) == 6
    file = write(root, *(f'{row},,' for row in ROWS), header='path,label,,')
    found = listing(file)
    assert len(found.items) == 6 and found.items[0].metadata == {}
    assert len(listing(write(root, *(f'{row},,' for row in ROWS))).items) == 6
    # Line numbers are those of the file.
    file = write(root, 'path;label', *rows, 'cat/9;cat;x', header='sep=;')
    assert rejected(file) == {'labels.csv:9': reasons.MALFORMED_ROW}


@pytest.mark.parametrize(
    ('name', 'advice'),
    [('a.zip', 'unpack'), ('a.tar.gz', 'unpack'), ('a.xlsx', 'CSV'), ('a.pkl', 'CSV')],
)
def test_other_files_say_what_to_do(tmp_path: pathlib.Path, name: str, advice: str) -> None:
    (tmp_path / name).write_bytes(b'x')
    with pytest.raises(ConfigError, match=advice):
        listing(tmp_path / name)


def test_missing_file_is_quarantined(root: pathlib.Path) -> None:
    file = write(root, *ROWS, 'cat/999.png,cat', 'cat,cat')
    assert rejected(file) == {'cat/999.png': reasons.MISSING_FILE, 'cat': reasons.MISSING_FILE}
    assert 'names no usable image' in error(write(root, 'a.png,cat', 'b.png,dog'))


def test_paths_that_escape_the_root(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    outside = tmp_path / 'secret.png'
    outside.write_bytes((root / 'cat' / '000.png').read_bytes())
    (root / 'cat' / 'link.png').symlink_to(outside)
    (root / 'cat' / 'inner.png').symlink_to(root / 'cat' / '003.png')
    file = write(
        root, *ROWS, '../secret.png,cat', f'{outside},cat', 'cat/link.png,cat', 'cat/inner.png,cat',
        'gs://bucket/x.png,cat', 'cat/../../secret.png,cat', '..\\secret.png,cat',
    )  # fmt: skip
    found = listing(file)
    assert {r.reason for r in found.rejected} == {reasons.ESCAPES_ROOT}
    assert len(found.rejected) == 5
    # Links are followed, as in a folder source.
    assert {'cat/inner.png', 'cat/link.png'} <= {i.relative_path for i in found.items}


def test_absolute_and_odd_paths_inside_the_root(root: pathlib.Path) -> None:
    file = write(root, *ROWS, f'{root}/cat/003.png,cat', './dog/../dog/003.png,dog')
    assert {i.relative_path for i in listing(file).items} >= {'cat/003.png', 'dog/003.png'}
    assert len(listing(write(root, *[r.replace('/', '\\') for r in ROWS])).items) == 6


def test_duplicate_rows(root: pathlib.Path) -> None:
    file = write(root, *ROWS, ROWS[0], f'./{ROWS[0]}')
    found = listing(file)
    assert len(found.items) == 6
    assert [r.reason for r in found.rejected] == [reasons.DUPLICATE_ROW] * 2
    assert found.rejected[0].detail.startswith('line 8 of labels.csv')
    assert '2 rows are not used: duplicate row' in found.notes


def test_conflicting_rows(root: pathlib.Path) -> None:
    found = listing(write(root, *ROWS, 'cat/003.png,cat', 'cat/003.png,dog'))
    assert [(r.path, r.reason) for r in found.rejected] == [
        ('cat/003.png', reasons.CONFLICTING_LABELS)
    ] * 2
    assert "lines 8, 9 of labels.csv: 'cat' and 'dog'" in found.rejected[0].detail
    rows = [f'{r},' for r in ROWS]
    rows += ['cat/003.png,cat,val', 'cat/003.png,cat,test']
    file = write(root, *rows, header='path,label,split')
    assert set(rejected(file).values()) == {reasons.CONFLICTING_ROWS}


def test_no_label_no_path_and_ragged_rows(root: pathlib.Path) -> None:
    file = write(root, *ROWS, 'cat/003.png,', ',cat', 'dog/003.png', '', 'a,b,c')
    assert rejected(file) == {
        'cat/003.png': reasons.NO_LABEL,
        'labels.csv:9': reasons.MALFORMED_ROW,
        'labels.csv:10': reasons.MALFORMED_ROW,
        'labels.csv:12': reasons.MALFORMED_ROW,
    }


def test_unlabelled_manifest(root: pathlib.Path) -> None:
    file = write(root, *[r.split(',')[0] for r in ROWS], header='path')
    found = listing(file, columns=Columns(label=''))
    assert {i.label for i in found.items} == {None}
    assert 'the images carry no labels' in found.notes


def test_label_variants(root: pathlib.Path) -> None:
    file = write(root, *ROWS, 'cat/003.png, cat', 'dog/003.png,DOG')
    message = error(file)
    assert "' cat' (1), 'cat' (3)" in message
    assert "'DOG' (1), 'dog' (3)" in message
    found = listing(file, normalise_labels=True)
    assert {i.label for i in found.items} == {'cat', 'dog'}
    assert len(found.items) == 8


def test_a_consistent_space_is_no_variant(root: pathlib.Path) -> None:
    found = listing(write(root, *[r.replace(',', ', ') for r in ROWS], header='path, label'))
    assert {i.label for i in found.items} == {'cat', 'dog'}


def test_unknown_split_and_bad_tables(root: pathlib.Path) -> None:
    rows = [f'{r},fold1' for r in ROWS]
    message = error(write(root, *rows, header='path,label,split'))
    assert 'line 2' in message
    assert "'fold1'" in message
    assert 'more than once' in error(write(root, *ROWS, header='path,path'))
    assert 'no rows' in error(write(root))
    assert 'not even a header' in error(write(root, header=''))
    assert 'become the feature' in error(
        write(root, *[f'{r},1,2' for r in ROWS], header='path,label,a b,a-b')
    )


def test_no_such_csv(root: pathlib.Path) -> None:
    write(root, *ROWS)
    assert 'Did you mean' in error(root / 'label.csv')
    os.mkdir(root / 'folder.csv')
    assert 'is a folder' in error(root / 'folder.csv')


CELLS = st.text(st.characters(exclude_categories=('Cs', 'Cc')), min_size=1, max_size=12).filter(
    lambda s: s.strip() and s == s.strip()
)


@given(
    st.lists(CELLS, min_size=2, max_size=4, unique=True),
    st.lists(st.lists(CELLS, min_size=4, max_size=4), min_size=1, max_size=5),
    st.sampled_from(['\n', '\r\n']),
)
def test_what_csv_writes_is_parsed(header: list[str], rows: list[list[str]], ends: str) -> None:
    out = io.StringIO(newline='')
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator=ends)
    writer.writerows([header, *(row[: len(header)] for row in rows)])
    table = parse(out.getvalue().encode(), 'x.csv')
    assert table.header == tuple(header)
    assert [list(cells.values()) for _, cells in table.rows] == [r[: len(header)] for r in rows]
    assert table.malformed == ()


@given(st.binary(max_size=80))
def test_any_bytes_parse_or_say_why(content: bytes) -> None:
    try:
        table = parse(content, 'x.csv')
    except DataError as problem:
        assert 'x.csv' in str(problem)
    else:
        assert all(len(cells) == len(table.header) for _, cells in table.rows)

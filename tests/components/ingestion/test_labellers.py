"""Labels by several people: the majority, agreement, and the tables that have them."""

from __future__ import annotations

import pathlib
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.components.ingestion.images import class_folders
from tests.components.ingestion.ingesting import ingest, strings
from thawline.components.ingestion import image_identity, labellers
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.shared.errors import ConfigError, DataError

# Four observers of twelve units, of the paper that `krippendorff_alpha` names.
OBSERVERS = ('123321412...', '1233224125.3', '.3332342251.', '12332441251.')
VOTES = st.lists(st.tuples(st.sampled_from('ABCD'), st.sampled_from('xyz')), min_size=1)


def test_alpha_is_that_of_the_paper() -> None:
    units = [[c for c in column if c != '.'] for column in zip(*OBSERVERS, strict=True)]
    assert labellers.krippendorff_alpha(units) == pytest.approx(0.743, abs=0.0005)


def test_alpha_of_chance_and_of_nothing() -> None:
    assert labellers.krippendorff_alpha(['aa', 'bb', 'ccc', 'a']) == 1.0
    assert labellers.krippendorff_alpha(['ab', 'ba'] * 500) < -0.99  # type: ignore[operator]
    by_chance = ['aa', 'ab', 'ba', 'bb'] * 2500
    assert labellers.krippendorff_alpha(by_chance) == pytest.approx(0, abs=0.001)
    assert labellers.krippendorff_alpha(['aa', 'aa']) is None
    assert labellers.krippendorff_alpha(['a', 'b', '']) is None


def test_majority() -> None:
    decision = labellers.majority([('ada', 'ant'), ('bob', 'bee'), ('eve', 'ant')])
    assert (decision.label, decision.confidence) == ('ant', pytest.approx(2 / 3))
    assert labellers.majority([('ada', 'ant')]).confidence == 1.0
    tie = labellers.majority([('ada', 'ant'), ('bob', 'bee')])
    assert (tie.label, tie.confidence, str(tie)) == (None, 0.5, "'ant' 1, 'bee' 1")
    # Who says it twice counts once; who says both counts for both.
    assert labellers.majority([('ada', 'ant'), ('ada', 'ant'), ('bob', 'bee')]).label is None
    both = labellers.majority([('ada', 'ant'), ('ada', 'bee'), ('bob', 'bee')])
    assert (both.label, both.confidence) == ('bee', pytest.approx(2 / 3))


@given(VOTES, st.randoms())
def test_the_majority_does_not_depend_on_the_order(
    votes: list[tuple[str, str]], random: Any
) -> None:
    decision = labellers.majority(votes)
    shuffled = votes.copy()
    random.shuffle(shuffled)
    assert labellers.majority(shuffled) == decision
    assert 0 < decision.confidence <= 1
    if decision.label is not None:
        assert all(decision.counts[decision.label] > n
                   for label, n in decision.counts.items() if label != decision.label)  # fmt: skip


@pytest.fixture
def root(tmp_path: pathlib.Path) -> pathlib.Path:
    return class_folders(tmp_path / 'set', {'x': 8})


def wide(root: pathlib.Path, *rows: str, **columns: Any) -> Listing:
    """A column a labeller; 4 images are ants and 3 are bees, by all, and the rows come after."""
    sure = [f'x/{n:03d}.png,{c},{c},{c}' for n, c in enumerate(['ant'] * 4 + ['bee'] * 3)]
    (root / 'wide.csv').write_text('\n'.join(['path,ada,bob,eve', *sure, *rows]))
    named = Columns(**{'labels': ('ada', 'bob', 'eve'), **columns})
    return list_source(SourceSpec(str(root / 'wide.csv'), columns=named))


def test_a_column_for_each_labeller(root: pathlib.Path) -> None:
    found = wide(root, 'x/007.png, bee ,ant,bee')
    (item,) = (i for i in found.items if i.relative_path == 'x/007.png')
    assert (item.label, item.confidence) == ('bee', pytest.approx(2 / 3))
    assert sorted({i.confidence for i in found.items}) == [pytest.approx(2 / 3), 1.0]  # type: ignore[type-var]
    assert item.metadata == {}
    first, second = found.label_notes
    assert '3 labellers' in first and 'agree on 7 (87.5 %' in first and 'alpha 0.8' in first
    assert 'ada 100 %' in second and 'bob 88 %' in second


def test_empty_cells_are_no_vote(root: pathlib.Path) -> None:
    found = wide(root, 'x/007.png,,,bee')
    assert next(i for i in found.items if i.relative_path == 'x/007.png').confidence == 1.0
    found = wide(root, 'x/007.png,,,')
    assert [(r.path, r.reason) for r in found.rejected] == [('x/007.png', reasons.NO_LABEL)]


def test_a_tie_is_left_out_until_somebody_settles_it(
    root: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    found = wide(root, 'x/007.png,ant,bee,')
    (tie,) = found.rejected
    assert (tie.path, tie.reason) == ('x/007.png', reasons.NO_MAJORITY)
    assert tie.detail == "line 9 of wide.csv: 'ant' 1, 'bee' 1"
    assert any('1 image has no majority' in note for note in found.label_notes)
    assert '1 row is not used unless labels.csv labels them: labellers disagree' in found.notes
    image = image_identity.image_id((root / 'x' / '007.png').read_bytes())
    labels = tmp_path / 'labels.csv'
    labels.write_text(f'image_id,label\n{image},bee\n')
    columns = Columns(labels=('ada', 'bob', 'eve'))
    spec = SourceSpec(str(root / 'wide.csv'), columns=columns, labels=str(labels))
    examples, summary, _ = ingest(spec, tmp_path / 'run')
    assert summary['written'] == 8 and summary['quarantined'] == 0
    assert any('labellers' in remark for remark in summary['labels'])
    every = [e for images in examples.values() for e in images]
    assert sorted(strings(every, 'label')) == ['ant'] * 4 + ['bee'] * 4
    assert {e.features.feature['label_confidence'].float_list.value[0] for e in every} == {1.0}


def long(root: pathlib.Path, *rows: str, header: str = 'path,label,who', **options: Any) -> Listing:
    (root / 'long.csv').write_text('\n'.join([header, *rows]))
    return list_source(SourceSpec(str(root / 'long.csv'), **options))


ROWS = [f'x/{n:03d}.png,{c},{who}' for n, c in enumerate(['ant'] * 3 + ['bee'] * 3) for who in 'ab']


def test_a_row_for_each_labeller(root: pathlib.Path) -> None:
    more = ['x/006.png,ant,a', 'x/006.png,bee,b', 'x/006.png,bee,c', 'x/007.png,ant,a']
    found = long(root, *ROWS, *more, columns=Columns(labeller='who'))
    decided = {i.relative_path: (i.label, i.confidence) for i in found.items}
    assert len(decided) == 8 and not found.rejected
    assert decided['x/006.png'] == ('bee', pytest.approx(2 / 3))
    assert decided['x/007.png'] == ('ant', 1.0)
    assert 'of 7 images with labels of several, they agree on 6' in found.label_notes[0]


def test_a_usual_column_of_labellers_is_guessed_where_rows_repeat(root: pathlib.Path) -> None:
    found = long(root, *ROWS, 'x/006.png,ant,a', header='path,label,Annotator')
    assert len(found.items) == 7 and not found.rejected
    assert any("labeller: 'Annotator'" in note for note in found.notes)
    assert found.columns is not None and found.columns.labeller == 'Annotator'
    alone = long(root, *ROWS[::2], header='path,label,annotator')
    assert alone.label_notes == () and alone.items[0].metadata == {'annotator': 'a'}


def test_rows_of_an_image_that_differ_otherwise_conflict(root: pathlib.Path) -> None:
    rows = [f'{row},' for row in ROWS]
    rows += ['x/006.png,ant,a,train', 'x/006.png,ant,b,val']
    found = long(root, *rows, header='path,label,who,split', columns=Columns(labeller='who'))
    assert {r.reason for r in found.rejected} == {reasons.CONFLICTING_ROWS}


def test_variants_of_a_label_are_one_vote_or_an_error(root: pathlib.Path) -> None:
    with pytest.raises(DataError, match="'ANT'"):
        wide(root, 'x/007.png,ANT,ant,bee')
    rows = ['x/006.png,ANT,a', 'x/006.png,ant,b', 'x/006.png,bee,c']
    found = long(root, *ROWS, *rows, columns=Columns(labeller='who'), normalise_labels=True)
    assert next(i for i in found.items if i.relative_path == 'x/006.png').label == 'ant'


def test_columns_that_cannot_be(root: pathlib.Path) -> None:
    with pytest.raises(ConfigError, match=r'data\.columns\.labeller .* read as folder'):
        list_source(SourceSpec(str(root), columns=Columns(labeller='who')))
    with pytest.raises(DataError, match=r"'zoe'.*data.columns.labels"):
        wide(root, labels=('ada', 'zoe'))
    with pytest.raises(DataError, match=r'data\.columns\.labels'):
        long(root, 'x,y', header='path,ada')
    for wrong in (
        {'labels': ('ada',)}, {'labels': ('ada', 'ada')},
        {'labels': ('ada', 'bob'), 'confidence': 'p'}, {'labeller': 'who', 'confidence': 'p'},
    ):  # fmt: skip
        with pytest.raises(pydantic.ValidationError):
            Columns(**wrong)  # type: ignore[arg-type]

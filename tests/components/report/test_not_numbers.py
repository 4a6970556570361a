"""Models that return NaN or infinities: the report is the page on which a person learns of it."""

from __future__ import annotations

import dataclasses
import pathlib
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner, Result

from tests.components import transformed as making
from tests.components.evaluation import evaluating
from tests.components.report import report_node
from tests.components.report.report_node import Told
from tests.components.transformed import Row, Transformed
from tests.made_runs import Runs
from thawline.components.evaluation.gate.params import Gate
from thawline.pipeline import cli

SPLITS = {'train': making.rows(4, 0), 'val': making.rows(6, 1), 'test': making.rows(4, 2)}
CLASSES = making.CLASSES
NEED_NUMBERS = {'log_loss', 'auc_ovr', 'top_3_accuracy', 'ece'}
# What no reader should meet in place of a number.
PYTHONS = re.compile(r'\b(nan|NaN|inf|None)\b')
SOUND, BROKEN = '20260102-100000.000', '20260102-110000.000'


@dataclasses.dataclass(frozen=True)
class Broken:
    """The report on a model, and what the model itself answers where its answers are numbers.

    Attributes:
        bad: ids of images without such an answer.
        hits: ids of images with the right one.
    """

    told: Told
    bad: set[str]
    hits: set[str]


@pytest.fixture(scope='module', params=['all', 'some'])
def broken(
    request: pytest.FixtureRequest,
    transformed: Transformed,
    tmp_path_factory: pytest.TempPathFactory,
) -> Broken:
    """A head that is NaN, or one so large that it overflows on some images."""
    home = tmp_path_factory.mktemp('broken')
    kernel = np.nan if request.param == 'all' else 1e38
    model = evaluating.exported(home / 'model', transformed, CLASSES, kernel=kernel)
    evaluated = [*SPLITS['val'], *SPLITS['test']]
    served = evaluating.serve(model, [evaluating.example(row, 'val') for row in evaluated])
    finite = np.isfinite(served['probabilities']).all(axis=1)
    bad = {row.image_id for row, one in zip(evaluated, finite, strict=True) if not one}
    assert len(bad) == 50 if request.param == 'all' else 0 < len(bad) < 50
    right = np.array([row.label.encode() for row in evaluated], object) == served['label']
    hits = {row.image_id for row, one in zip(evaluated, right & finite, strict=True) if one}
    told = report_node.report(home, model, SPLITS, CLASSES, gate=Gate(val_accuracy=0.0))
    return Broken(told, bad, hits)


def ids(split: str) -> set[str]:
    return {row.image_id for row in SPLITS[split]}


def test_the_verdict_and_its_reasons_come_first(broken: Broken) -> None:
    told = broken.told
    rule = told.rules['finite_probabilities']
    assert not told.content['verdict']['blessed'] and rule['holds'] is False
    assert rule['value'] == len(broken.bad)
    sections = ['accuracy', 'training', 'confusion', 'classes', 'calibration', 'pictures', 'cards']
    order = ['<h1 id="decision">Not blessed', rule['sentence']]
    order += [f'<section id="{name}"' for name in sections]
    places = [told.page.index(words) for words in order]
    assert places == sorted(places)
    hits = len(broken.hits & ids('val'))
    assert f'({hits} of 30 images correct' in told.rules['val_accuracy']['sentence']
    assert told.facts['No answer']['value'] == f'{len(broken.bad)} of 50 images'


@pytest.mark.parametrize('split', ['val', 'test'])
def test_images_without_numbers_are_wrong_and_what_needs_them_is_unknown(
    broken: Broken, split: str
) -> None:
    part, mine = broken.told.content['parts'][split], ids(split)
    answered = len(mine - broken.bad)
    assert part['accuracy']['n'] == len(mine)
    assert part['accuracy']['share'] == pytest.approx(len(mine & broken.hits) / len(mine))
    assert sum(row['recall']['n'] for row in part['classes']) == len(mine)
    assert part['metrics']['balanced_accuracy'] == pytest.approx(part['accuracy']['share'])
    assert sum(cell['count'] for cell in part['confusion']) == answered
    assert sum(one['accuracy']['n'] for one in part['calibration']) == answered
    assert answered < len(mine)
    unknown = {name for name, value in part['metrics'].items() if value is None}
    assert unknown == NEED_NUMBERS
    for slices in {one['column'] for one in part['slices']}:
        of = [one['accuracy'] for one in part['slices'] if one['column'] == slices]
        hits = sum(round(one['share'] * one['n']) for one in of)
        assert hits == len(mine & broken.hits)


def test_pictures_are_of_images_with_an_answer(broken: Broken) -> None:
    content = broken.told.content
    mistakes, uncertain, *_ = content['galleries']
    shown = {*mistakes['pictures'], *uncertain['pictures']}
    assert not shown & broken.bad
    assert bool(shown) == (len(broken.bad) < 50)
    for name, picture in content['pictures'].items():
        answer = name not in broken.bad and picture['split'] != 'train'
        assert (picture['answer'] is not None, picture['score'] is not None) == (answer, answer)
        assert picture['thumbnail']


def test_the_page_has_a_dash_where_a_number_is_not_known(broken: Broken) -> None:
    page = re.sub(r'data:image[^"]*', '', broken.told.page)
    rows = dict(re.findall(r'<th scope="row">([^<]*)</th>(<td class="number">.*)</tr>', page))
    dash = '<td class="number">\N{EN DASH}</td>'
    assert rows['Log loss'] == dash * 2 and rows['Calibration error (ECE)'] == dash * 2
    assert '%</td>' in rows['Macro F1']
    assert not PYTHONS.search(page.replace('NaN or infinite', ''))


@pytest.fixture
def runs(broken: Broken, tmp_path: pathlib.Path) -> Runs:
    """A run that answers all right, and then the broken one."""

    def answers(row: Row, split: str) -> tuple[str, str, str, str]:
        return row.image_id, split, row.label, row.label

    rows = [answers(row, split) for split in ('val', 'test') for row in SPLITS[split]]
    found = Runs(tmp_path)
    for run in (SOUND, BROKEN):
        found.add(run, rows, CLASSES)
    folder = found.output / 'artifacts' / BROKEN
    for name in ('report', 'evaluation'):
        shutil.rmtree(folder / name)
        shutil.copytree(broken.told.home / name, folder / name)
    return found


def thawline(runs: Runs, *arguments: str) -> Result:
    done = CliRunner().invoke(cli.main, [*arguments, str(runs.home)], env={'COLUMNS': '200'})
    assert done.exit_code == 0, done.output
    return done


def test_report_passes_it_on_in_every_form(broken: Broken, runs: Runs) -> None:
    text = thawline(runs, 'report', BROKEN, '--format', 'md').stdout
    assert text.startswith('## \N{CROSS MARK} Not blessed')
    assert 'Finite probabilities' in text and not PYTHONS.search(
        text.replace('NaN or infinite', '')
    )
    told = report_node.strictly(thawline(runs, 'report', BROKEN, '--format', 'json').stdout)
    assert told == broken.told.content
    assert thawline(runs, 'report', BROKEN, '--format', 'html').stdout == broken.told.page


def test_compare_counts_what_has_no_answer_as_wrong(broken: Broken, runs: Runs) -> None:
    done = thawline(runs, 'compare', SOUND, BROKEN)
    assert done.stdout.startswith('B is worse than A')
    page = (runs.output / 'comparisons' / f'{SOUND}-{BROKEN}.html').read_text('utf-8')
    assert 'No answer in B' in page
    gallery = page[page.index('Now wrong') :]
    assert gallery.count('class="picture-card"') == 50 - len(broken.hits)
    text = thawline(runs, 'compare', BROKEN, SOUND, '--format', 'md').stdout
    assert text.startswith('## B is better than A')
    assert f'- No answer in A: {len(broken.bad)} (' in text
    assert not PYTHONS.search(text.replace('NaN or infinite', ''))

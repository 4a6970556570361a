"""`make mutants` on a small file: what tests notice counts, and what they do not is named."""

from __future__ import annotations

import pytest

from thawline.components.shared.errors import UserError
from thawline.pipeline.tools import mutants
from thawline.pipeline.tools.mutants import Part, Score

FILE = 'components/shared/percentages.py'


def test_faults_that_tests_notice_and_faults_that_they_do_not(tmp_path) -> None:
    tests = 'tests/components/shared/test_percentages.py'
    all_tests, _ = mutants.run(Part((FILE,), (tests,)), tmp_path)
    assert all_tests.killed >= 5 and all_tests.share == all_tests.killed / all_tests.mutants
    fewer, survivors = mutants.run(
        Part((FILE,), (tests,), (f'{tests}::test_a_page_says',)), tmp_path
    )
    assert fewer.mutants == all_tests.mutants == fewer.killed + len(survivors)
    assert fewer.killed < all_tests.killed


def test_a_sample_is_the_mutants_of_these_names_alone(tmp_path) -> None:
    part = Part((FILE,), ('tests/components/shared/test_percentages.py',), sample='*__mutmut_*2')
    score, _ = mutants.run(part, tmp_path)
    names = mutants._exit_codes(tmp_path / 'mutants')
    assert 0 < score.mutants == sum(name.endswith('2') for name in names) < len(names)


@pytest.mark.parametrize(
    ('tests', 'sample'),
    [('no_such.py', '*'), ('test_errors.py', '*'), ('test_percentages.py', '*no such*')],
)
def test_tests_that_cannot_run_or_reach_nothing_are_no_score(tmp_path, tests, sample) -> None:
    with pytest.raises(UserError, match='mutmut.log'):
        mutants.run(Part((FILE,), (f'tests/components/shared/{tests}',), sample=sample), tmp_path)


def test_page_keeps_the_rows_of_the_other_parts(tmp_path) -> None:
    page = tmp_path / 'mutants.md'
    mutants.write_page({'gate': Score(90, 2, 6, 2), 'split': Score(1, 0, 1, 0)}, page)
    mutants.write_page({'split': Score(3, 0, 1, 0)}, page)
    rows = [line for line in page.read_text('utf-8').splitlines() if line.startswith('| ')]
    assert rows[1:] == [
        '| gate | 100 | 90 | 2 | 6 | 2 | 92.0 % |',
        '| split | 4 | 3 | 0 | 1 | 0 | 75.0 % |',
    ]


def test_every_part_is_on_the_page_and_good_enough() -> None:
    rows = mutants._read_rows(mutants._PAGE)
    shares = {name: float(rows[name].split('|')[-2].strip(' %')) for name in mutants.PARTS}
    assert min(shares.values()) >= 90

"""Two runs on the same images: counts, words, what is left out, the page and the Markdown."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import scipy.stats
from sklearn import metrics

from tests import made_report
from tests.made_runs import compared_run, image_rows, not_numbers, rows
from thawline.components.evaluation.gate.record import RuleResult, Verdict
from thawline.components.report import formatting
from thawline.components.shared.errors import ConfigError
from thawline.components.statistics import paired, paired_outcome
from thawline.pipeline.reports import comparison, comparison_page, comparison_summary, markdown

CLASSES = ('ant', 'bee')


@pytest.fixture
def sides(tmp_path):
    """B is right on 12 test images more and on one val image less."""
    first = compared_run(tmp_path, 'a', [*rows(20, 14, 'test'), *rows(5, 5)], CLASSES, {'seed': 0})
    second = compared_run(tmp_path, 'b', [*rows(32, 2, 'test'), *rows(4, 6)], CLASSES, {'seed': 1})
    return first, second


@pytest.fixture
def told(sides):
    return comparison.compare(*sides)


def facts(told: comparison.Comparison) -> dict[str, str]:
    return {fact.term: fact.value for card in told.cards for fact in card.facts}


def test_numbers_are_those_of_scikit_learn_and_scipy(sides, told):
    for split, part in told.splits.items():
        for interval, one in ((part.first, sides[0]), (part.second, sides[1])):
            found = one.predictions
            mine = found.splits == split
            share = metrics.accuracy_score(found.labels[mine], found.answers[mine])
            assert interval.share == pytest.approx(share)
    test = told.splits['test']
    assert (test.test.won, test.test.lost) == (12, 0)
    assert test.test.p_value == pytest.approx(scipy.stats.binomtest(0, 12).pvalue)
    assert test.test.difference.value == pytest.approx(12 / 34)
    assert told.unseen.test == test.test
    measured = {one.name: one for one in test.metrics}
    loss = measured['log_loss']
    assert loss.difference.value == pytest.approx(loss.second - loss.first)
    assert loss.difference.lower < loss.difference.value < loss.difference.upper < 0


def test_a_model_that_the_serving_check_refused_is_not_called_blessed(sides):
    refused = dataclasses.replace(sides[1], serving_problems=('18.7 ms for one image',))
    if not refused.verdict.blessed:
        refused = dataclasses.replace(
            refused, verdict=dataclasses.replace(refused.verdict, blessed=True)
        )
    told = comparison.compare(sides[0], refused)
    assert facts(told)['Verdict on B'] == 'refused by the serving check'
    (detail,) = (f.detail for c in told.cards for f in c.facts if f.term == 'Verdict on B')
    assert '18.7 ms' in detail


def test_the_words_are_those_of_the_gate(told):
    assert comparison_summary.decision(told) == 'B is better than A'
    assert comparison_summary.headline(told) == paired_outcome.describe(
        paired.compare(12, 0, 34), 'B', 'A'
    )
    assert comparison_summary.holds(told) is True


def test_the_other_way_round_b_is_worse(sides):
    told = comparison.compare(sides[1], sides[0])
    assert comparison_summary.decision(told) == 'B is worse than A'
    assert comparison_summary.holds(told) is False


def test_only_images_that_neither_has_seen_judge(tmp_path, sides):
    """Most test images of B were in train, or in val, of A, which is right on these."""
    first = compared_run(tmp_path, 'c', rows(20, 0, 'test'), CLASSES, trained=[
        *((f'test{i}', 'train', 'ant', '') for i in range(20, 30)),
        *((f'test{i}', 'val', 'ant', '') for i in range(30, 34)),
    ])  # fmt: skip
    told = comparison.compare(first, sides[1])
    assert (told.unseen.test.n, told.splits['test'].first.n) == (20, 20)
    # B's own past counts as well: the candidate's settings may have been tuned elsewhere.
    seen = [(f'test{i}', 'val', 'ant', '') for i in range(5)]
    tuned = dataclasses.replace(sides[1], learned_from=(*sides[1].learned_from, image_rows(seen)))
    told = comparison.compare(first, tuned)
    assert told.unseen.test == paired.compare(0, 0, 15)
    assert comparison_summary.decision(told) == 'Too few to judge'
    assert '15 images' in comparison_summary.headline(told)
    titles = [title for title, _ in comparison_summary.rows(told)]
    assert titles == ['New to both', 'Test']
    alike = [title for title, _ in comparison_summary.rows(comparison.compare(*sides))]
    assert alike == ['New to both', 'Validation']


def test_val_images_judge_nothing(tmp_path):
    first = compared_run(tmp_path, 'a', rows(10, 30), CLASSES)
    second = compared_run(tmp_path, 'b', rows(40, 0), CLASSES)
    told = comparison.compare(first, second)
    assert comparison_summary.decision(told) == 'Too few to judge'
    assert [title for title, _ in comparison_summary.rows(told)] == ['Validation']
    assert 'p = ' not in markdown.render_comparison(told)
    assert comparison_summary.holds(told) is None
    comparison_page.render(told, {})


def test_images_that_were_held_out_chose_nothing(tmp_path):
    first = compared_run(tmp_path, 'a', rows(10, 30), CLASSES)
    second = compared_run(tmp_path, 'b', rows(40, 0), CLASSES)
    assert facts(comparison.compare(first, second))['Val of A or B'] == '40'
    judged = [
        dataclasses.replace(
            run,
            folds=5,
            predictions=dataclasses.replace(run.predictions, folds=np.arange(40) % 5),
        )
        for run in (first, second)
    ]
    told = comparison.compare(*judged)
    assert 'Val of A or B' not in facts(told)
    assert comparison_summary.decision(told) == 'B is better than A'
    assert told.splits['val'].folds == 5
    text = markdown.render_comparison(told)
    assert 'All metrics, cross-validation' in text and 'validation images' not in text
    assert 'Recall, cross-validation' in comparison_page.render(told, {})


def test_columns_line_up_under_the_longest_title(sides):
    first, second = (dataclasses.replace(run, folds=5) for run in sides)
    lines = comparison_summary.accuracy_lines(comparison.compare(first, second))
    assert [line.split('  ')[0] for line in lines] == ['New to both', 'Cross-validation']
    assert len({line.index('  A ') for line in lines}) == 1


def test_images_of_one_cluster_count_as_what_they_are(tmp_path):
    first = compared_run(tmp_path, 'a', rows(20, 40, 'test'), CLASSES)
    second = compared_run(tmp_path, 'b', rows(60, 0, 'test'), CLASSES)
    alone = comparison.compare(first, second).splits['test']
    together = dataclasses.replace(
        second,
        predictions=dataclasses.replace(
            second.predictions, clusters=np.array([f'c{i // 10}' for i in range(60)])
        ),
    )
    in_clusters = comparison.compare(first, together).splits['test']

    def width(difference):
        return difference.upper - difference.lower

    measured = zip(alone.metrics, in_clusters.metrics, strict=True)
    for of_alone, of_cluster in (
        (alone.classes[0], in_clusters.classes[0]),
        *(pair for pair in measured if pair[0].difference is not None),
    ):
        assert of_cluster.difference.value == pytest.approx(of_alone.difference.value)
        if of_alone.difference.lower is not None and width(of_alone.difference) > 0:
            assert width(of_cluster.difference) > 1.5 * width(of_alone.difference)
    assert width(in_clusters.classes[0].first) > 1.5 * width(alone.classes[0].first)


def test_without_a_record_of_what_was_seen_nothing_is_judged(sides):
    for first, second in (
        (dataclasses.replace(sides[0], learned_from=None), sides[1]),
        (sides[0], dataclasses.replace(sides[1], images=None)),
    ):
        told = comparison.compare(first, second)
        assert told.unseen is None
        assert comparison_summary.decision(told) == 'Cannot be judged'
        assert 'no record' in comparison_summary.headline(told)
        comparison_page.render(told, {})


def test_the_level_is_that_of_the_gate(sides):
    strict = RuleResult('paired_test', '', True, 0.5, 1e-6, None, '')
    second = dataclasses.replace(sides[1], verdict=Verdict(True, '', (strict,)))
    told = comparison.compare(sides[0], second)
    assert told.unseen.test == paired.compare(12, 0, 34, 1e-6)
    assert comparison_summary.decision(told) == 'No difference shown: may be chance'


def test_a_run_does_not_differ_from_itself(sides):
    told = comparison.compare(sides[0], sides[0])
    assert comparison_summary.decision(told) == 'No difference shown: may be chance'
    assert '34 images' in comparison_summary.headline(told)
    assert told.flips == ()
    assert facts(told)['Configuration'] == 'the same'
    assert comparison_page.render(told, {}).count('<p class="empty">No pictures.</p>') == 2
    assert 'Images that flipped, 0 of 0' in markdown.render_comparison(told)


def test_images_of_one_run_only_are_counted_and_left_out(tmp_path):
    first = compared_run(tmp_path, 'a', rows(10, 0), CLASSES)
    second = compared_run(tmp_path, 'b', rows(6, 1, start=7), CLASSES)  # 7 to 13
    told = comparison.compare(first, second)
    assert told.splits['val'].first.n == 3
    assert facts(told)['Only in A'] == '7'
    assert facts(told)['Only in B'] == '4'


def test_unlabelled_relabelled_and_moved_images(tmp_path):
    first = compared_run(
        tmp_path, 'a',
        [('1', 'val', 'ant', 'ant'), ('2', 'val', 'ant', 'ant'), ('3', 'test', 'ant', 'ant')],
        CLASSES,
    )  # fmt: skip
    second = compared_run(
        tmp_path, 'b',
        [('1', 'val', 'bee', 'bee'), ('2', 'val', None, 'ant'), ('3', 'val', 'ant', 'ant')],
        CLASSES,
    )  # fmt: skip
    told = comparison.compare(first, second)
    assert list(told.splits) == ['val']
    assert told.splits['val'].first.n == 2
    assert (told.splits['val'].test.won, told.splits['val'].test.lost) == (1, 0)
    said = facts(told)
    assert said['Not comparable'] == said['Other label in A'] == said['Other split in A'] == '1'
    assert said['Val of A or B'] == '2'


def test_other_classes_are_said_and_only_shared_ones_judged(tmp_path):
    """A takes one image for a class that B does not know, and B has an image of a new class."""
    first = compared_run(
        tmp_path, 'a', [*rows(20, 0, 'test'), ('w', 'test', 'ant', 'wasp')], ('ant', 'wasp')
    )
    second = compared_run(
        tmp_path, 'b',
        [*rows(19, 1, 'test'), ('w', 'test', 'ant', 'ant'), ('z', 'test', 'bee', 'bee')], CLASSES,
    )  # fmt: skip
    told = comparison.compare(first, second)
    assert told.splits['test'].first.n == 21
    assert told.unseen.test == paired.compare(1, 1, 21)
    assert '21 images of the shared classes' in comparison_summary.headline(told)
    said = facts(told)
    assert said['Classes only in A'] == said['Classes only in B'] == '1'
    assert [one.first_answer for one in told.flips if one.gained] == ['wasp']
    assert [one.name for one in told.splits['test'].classes] == ['ant']


@pytest.mark.parametrize(
    ('other', 'classes', 'part'),
    [
        (rows(3, 0, start=50), CLASSES, '(3 and 3 images)'),
        (
            [('val0', 'val', 'wasp', 'wasp')], ('moth', 'wasp'),
            'ant, bee against moth, wasp',
        ),
        ([('val0', 'val', None, 'ant')], CLASSES, 'none of the 1 images'),
    ],
)  # fmt: skip
def test_nothing_in_common(tmp_path, other, classes, part):
    first = compared_run(tmp_path, 'a', rows(3, 0), CLASSES)
    second = compared_run(tmp_path, 'b', other, classes)
    with pytest.raises(ConfigError, match='runs a and b cannot be compared') as error:
        comparison.compare(first, second)
    assert part in str(error.value)


def test_a_run_without_an_answer_is_wrong_and_its_measures_are_not_known(sides):
    """The first image, of test, was answered right by both."""
    whole, broken = sides[0], not_numbers(sides[1])
    for first, second, mine in ((whole, broken, 'B'), (broken, whole, 'A')):
        told = comparison.compare(first, second)
        (flip,) = (one for one in told.flips if None in (one.first_score, one.second_score))
        assert (flip.id, flip.split, flip.gained) == ('test0', 'test', mine == 'A')
        answers = {'A': flip.first_answer, 'B': flip.second_answer}
        assert answers[mine] == formatting.ABSENT
        assert told.flips[-1] == flip, 'no mistake is less sure'
        assert facts(told)[f'No answer in {mine}'] == '1'
        known = {one.name for one in told.splits['test'].metrics if one.difference is not None}
        assert known == {'balanced_accuracy', 'macro_f1'}
        assert 'log_loss' in {one.name for one in told.splits['val'].metrics if one.difference}
        assert 'NaN' not in re.sub('NaN or infinite', '', markdown.render_comparison(told))
        assert 'No answer in' in comparison_page.render(told, {})


def test_two_runs_without_any_answer_do_not_differ(sides):
    broken = []
    for one in sides:
        probabilities = np.full_like(one.predictions.probabilities, np.nan)
        found = dataclasses.replace(one.predictions, probabilities=probabilities)
        broken.append(dataclasses.replace(one, predictions=found))
    told = comparison.compare(*broken)
    assert (told.unseen.first.share, told.flips) == (0.0, ())
    assert comparison_summary.decision(told) == 'No difference shown: may be chance'
    assert (facts(told)['No answer in A'], facts(told)['No answer in B']) == ('44', '44')
    comparison_page.render(told, {})


def test_what_differs_in_the_configuration(told):
    card = told.cards[-1]
    assert [fact.detail for fact in card.facts if fact.term == 'Configuration'] == ['seed: 0 → 1']


def test_the_page_shows_each_flip_under_its_direction(told):
    page = comparison_page.render(told, {'test20': made_report.thumbnail(1)})
    assert '<h1 id="decision">B is better than A</h1>' in page
    assert page.count(made_report.thumbnail(1)) == 1
    assert page.count('<span class="gone">deleted</span>') == 12
    assert (
        page.index('Now correct')
        < page.index('data-picture="test20"')
        < page.index('data-picture="val4"')
    )
    assert 'A predicted bee, score 80.0\u00a0%' in page


def test_the_page_has_room_for_so_many_and_says_so(told, monkeypatch):
    monkeypatch.setattr(comparison_page, 'MOST', 5)
    page = comparison_page.render(told, {})
    assert '5 of 12 are shown' in page
    assert len(comparison_page.shown_flips(told.flips)) == page.count('class="picture-card"') == 6


def test_hostile_names_stay_text(tmp_path):
    classes = made_report.HOSTILE
    bad = made_report.HOSTILE_PATH
    first = compared_run(tmp_path, 'a', [(bad, 'val', classes[0], classes[1])], classes)
    second = compared_run(tmp_path, 'b', [(bad, 'val', classes[0], classes[0])], classes)
    told = comparison.compare(first, second)
    page = comparison_page.render(told, {})
    assert '<img src=x' not in page
    assert not re.search(r'<script>alert', page)
    assert 'default-src &#39;none&#39;' in page or "default-src 'none'" in page
    text = markdown.render_comparison(told)
    assert '<' not in re.sub(r'p < 0', '', text)
    table = text.split('### Images that flipped')[1].split('###')[0]
    cells = [len(re.findall(r'(?<!\\)\|', line)) for line in table.splitlines() if line[:1] == '|']
    assert cells == [5, 5, 5]


def test_markdown_says_the_same(told):
    text = markdown.render_comparison(told)
    assert text.startswith('## B is better than A: garden insects\n')
    assert '| New to both | 34 | 58.8\u00a0% | 94.1\u00a0% | +35.3 points |' in text
    assert '- Configuration: 1 changed (seed: 0 → 1)' in text

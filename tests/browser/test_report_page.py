from __future__ import annotations

import dataclasses

import pytest

from tests import made_report
from tests.components.report.test_thresholds import answers
from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.verdict import judge
from thawline.components.evaluation.metrics import Answers
from thawline.components.report import thresholds
from thawline.components.report.content import ReportContent
from thawline.components.saved_model.decision_rule import Rule
from thawline.components.statistics.proportions import wilson

# Text of every visible element against the ground that lies behind it (WCAG 2.2, 1.4.3).
CONTRASTS = """() => {
  const linear = (c) => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const luminance = (c) => 0.2126 * linear(c[0] / 255) + 0.7152 * linear(c[1] / 255)
    + 0.0722 * linear(c[2] / 255);
  const parse = (text) => {
    const numbers = text.match(/[\\d.]+/g).map(Number);
    return numbers.length < 4 ? [...numbers, 1] : numbers;
  };
  const ground = (element) => {
    const layers = [];
    for (let one = element; one; one = one.parentElement) {
      layers.push(parse(getComputedStyle(one).backgroundColor));
      if (layers.at(-1)[3] === 1) break;
    }
    return layers.reverse().reduce((below, one) =>
      [0, 1, 2].map((i) => one[i] * one[3] + below[i] * (1 - one[3])), [255, 255, 255]);
  };
  const bad = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || element.closest('script, style, svg')) continue;
    if (!element.checkVisibility({ visibilityProperty: true })) continue;
    if (element.closest(':disabled')) continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(parse(style.color)), luminance(ground(element))].sort();
    const ratio = (b + 0.05) / (a + 0.05);
    if (ratio < 4.5) bad.push(`${ratio.toFixed(2)} ${element.className} ${element.textContent}`);
  }
  return bad;
}"""


def test_a_hostile_report_runs_nothing_and_shows_names_as_they_are(visit):
    seen = visit(made_report.hostile())
    seen.page.locator('#confusion .split:visible td[data-label]').first.click()
    seen.page.locator('#pictures button.picture').first.click()
    assert seen.page.locator('dialog dd').first.inner_text() == made_report.HOSTILE_CLASS
    assert made_report.HOSTILE_PATH in seen.page.locator('dialog').evaluate('e => e.textContent')
    assert seen.page.locator('img[src="x"]').count() == 0
    assert seen.page.locator('#confusion [role=grid] tbody th').first.inner_text() == (
        made_report.HOSTILE_CLASS
    )
    assert (seen.trouble, seen.network) == ([], [])


def test_a_cell_shows_its_images_by_click_and_by_keyboard(visit):
    seen = visit(made_report.content())
    told = made_report.content().splits['val']
    wrong = next(cell for cell in told.confusion if cell.label != cell.answer)
    panel = seen.page.locator('#confusion .split:visible .cell-images')
    place = f'td[data-label="{wrong.label}"][data-answer="{wrong.answer}"]'
    seen.page.locator(f'#confusion .split:visible {place}').click()
    heading = panel.locator('h4').inner_text()
    assert heading.startswith(f'{wrong.count} image')
    assert f'class {wrong.label:03d}, predicted class {wrong.answer:03d}' in heading
    shown = panel.locator('button.picture')
    assert [one.get_attribute('data-picture') for one in shown.all()] == list(wrong.pictures)

    seen.page.keyboard.press('Home')
    focus = 'document.activeElement.dataset'
    assert seen.page.evaluate(f'{focus}.answer') == '0'
    seen.page.keyboard.press('ArrowRight')
    seen.page.keyboard.press('ArrowDown')
    assert seen.page.evaluate(f'[{focus}.label, {focus}.answer]') == [str(wrong.label + 1), '1']
    seen.page.keyboard.press('Enter')
    assert f'labelled class {wrong.label + 1:03d}' in panel.locator('h4').inner_text()
    assert (seen.trouble, seen.network) == ([], [])


def test_tabs_follow_the_arrow_keys(visit):
    seen = visit(made_report.content())
    tabs = seen.page.locator('#pictures [role=tab]')
    tabs.first.focus()
    seen.page.keyboard.press('ArrowRight')
    assert [one.get_attribute('aria-selected') for one in tabs.all()] == ['false', 'true', 'false']
    assert seen.page.locator('#pictures [role=tabpanel]:visible').count() == 1
    assert seen.page.locator('#pictures [role=tabpanel]:visible .picture').count() == 10
    seen.page.keyboard.press('End')
    assert 'No pictures' in seen.page.locator('#pictures [role=tabpanel]:visible').inner_text()
    seen.page.keyboard.press('ArrowRight')
    assert tabs.first.get_attribute('aria-selected') == 'true'


def test_the_first_stop_of_the_tab_key_skips_to_the_verdict(visit):
    seen = visit(made_report.content())
    seen.page.keyboard.press('Tab')
    assert seen.page.evaluate('document.activeElement.className') == 'skip'
    seen.page.keyboard.press('Enter')
    assert seen.page.evaluate('location.hash') == '#verdict'


def test_the_switch_changes_every_section_by_keyboard(visit):
    seen = visit(made_report.content())
    assert seen.page.locator('.split[data-split=test]:visible').count() == 0
    seen.page.locator('#split-val').focus()
    seen.page.keyboard.press('ArrowRight')
    assert seen.page.locator('.split[data-split=test]:visible').count() == 4
    assert seen.page.locator('.split[data-split=val]:visible').count() == 0


def test_the_dialog_pages_with_arrow_keys_and_gives_the_focus_back(visit):
    seen = visit(made_report.content())
    dialog = seen.page.locator('dialog')
    seen.page.locator('#pictures button.picture').first.focus()
    seen.page.keyboard.press('Enter')
    assert 'garden/0001.jpg' in dialog.inner_text()
    assert dialog.locator('.alike li').count() == 4
    assert dialog.locator('img.overlay').is_visible()
    seen.page.keyboard.press('ArrowRight')
    assert '2 of 12' in dialog.inner_text()
    dialog.locator('.previous').click()
    assert '1 of 12' in dialog.inner_text()
    seen.page.keyboard.press('Escape')
    assert not dialog.is_visible()
    assert seen.page.evaluate('document.activeElement.dataset.picture') == 'p0'
    assert seen.trouble == []


def test_the_overlay_is_shown_by_choice(visit):
    seen = visit(made_report.content())
    over = seen.page.locator('#pictures .overlay').first
    assert not over.is_visible()
    seen.page.locator('#overlays').check()
    assert over.is_visible()


def test_a_table_sorts_filters_and_shortens(visit):
    seen = visit(made_report.content(60, n=1200, values=300))
    part = seen.page.locator('#classes .split:visible')
    rows = part.locator('tbody tr:visible')
    assert rows.count() == 25
    part.get_by_role('button', name='Recall', exact=True).click()
    values = [float(v) for v in rows.locator('td:nth-child(2)').evaluate_all(
        'cells => cells.map((c) => c.dataset.value)')]  # fmt: skip
    recalls = sorted(
        row.recall.share for row in made_report.content(60, n=1200).splits['val'].classes
    )
    assert values == pytest.approx(recalls[:25])
    part.get_by_role('button', name='Show all 60 classes').click()
    assert rows.count() == 60
    part.get_by_role('searchbox').fill('CLASS 01')
    assert rows.count() == 10

    slices = seen.page.locator('#slices .split:visible details')
    slices.locator('summary').click()
    slices.get_by_role('combobox', name='Column').select_option('meta_site')
    assert slices.locator('tbody tr:visible').count() == 25
    slices.get_by_role('combobox', name='Column').select_option('meta_site')
    slices.get_by_role('checkbox', name='Hide small groups').check()
    assert slices.locator('tbody tr:visible').count() == 0


def test_of_many_classes_the_matrix_shows_the_most_confused_and_those_searched_for(visit):
    seen = visit(made_report.content(500, n=5000, values=1000))
    grid = seen.page.locator('#confusion .split:visible [role=grid]')
    assert grid.locator('tbody tr').count() == 20
    search = seen.page.locator('#confusion .split:visible').get_by_role('searchbox').first
    search.fill('class 123')
    assert 'class 123' in grid.locator('tbody th').all_inner_texts()
    assert grid.locator('tbody tr').count() < 20
    search.fill('no such')
    assert 'No class' in seen.page.locator('#confusion .split:visible .matrix-place').inner_text()
    search.fill('')
    seen.page.locator('#confusion .split:visible').get_by_role('combobox').first.select_option('40')
    assert grid.locator('tbody tr').count() == 40
    assert (seen.trouble, seen.network) == ([], [])


def test_without_script_the_words_the_charts_and_the_pictures_are_there(visit):
    seen = visit(made_report.content(), java_script_enabled=False)
    text = seen.page.locator('main').inner_text()
    for words in ('Not blessed', 'What would change it', 'Most confused pairs', 'The matrix needs'):
        assert words in text
    assert seen.page.locator('#pictures img[data-thumbnail]').count() == 22
    assert seen.page.locator('.split[data-split=test]:visible').count() == 0
    assert (seen.trouble, seen.network) == ([], [])


def test_on_paper_the_decision_is_one_line_and_the_slider_is_gone(visit):
    seen = visit(two_classes()[0], viewport={'width': 720, 'height': 1000})
    seen.page.emulate_media(media='print')
    size = seen.page.locator('h1').evaluate('e => parseFloat(getComputedStyle(e).fontSize)')
    assert seen.page.locator('h1').bounding_box()['height'] < 1.5 * size
    assert seen.page.locator('#threshold input').is_hidden()
    assert seen.page.locator('#threshold td[data-row="0"]').first.is_visible()


def test_on_paper_everything_is_open_and_nothing_is_dark(visit):
    seen = visit(made_report.content(60, n=1200), color_scheme='dark')
    seen.page.emulate_media(media='print', color_scheme='dark')
    assert seen.page.locator('#classes tbody tr:visible').count() == 120
    assert seen.page.locator('#pictures .tab:visible').count() == 3
    assert seen.page.locator('.bar-top').is_hidden()
    ink = seen.page.evaluate('getComputedStyle(document.body).color')
    assert ink == 'rgb(29, 28, 26)'


def two_classes() -> tuple[ReportContent, dict[str, Answers]]:
    rule = Rule(1.0, 0.37, 1)
    splits = {'val': answers(rule, 300, 1), 'test': answers(rule, 200, 2)}
    two = thresholds.two_classes(splits, ('ants', 'bees'), rule, True, True)
    report = made_report.content(('ants', 'bees'), n=120, epochs=0)
    return dataclasses.replace(report, two_classes=two), splits


def test_the_slider_counts_what_the_predictions_say(visit):
    told, splits = two_classes()
    seen = visit(told)
    slider = seen.page.get_by_role('slider', name='Threshold')
    place = seen.page.locator('[data-threshold]')

    def shown(split: str) -> list[str]:
        return [
            place.locator(f'[data-split={split}][data-row="{row}"]').inner_text()
            for row in range(6)
        ]

    def expected(split: str, threshold: float) -> list[str]:
        bee, truth = splits[split].probabilities[:, 1], splits[split].labels == 1
        taken = bee >= threshold
        hits, alarms = int((truth & taken).sum()), int((~truth & taken).sum())
        shares = (wilson(hits, int(truth.sum())), wilson(hits, hits + alarms))
        return [
            str(hits), str(alarms), str(truth.sum() - hits), str((~truth).sum() - alarms),
            *(f'{100 * of.share:.1f}\u00a0%\n{100 * of.lower:.1f} to {100 * of.upper:.1f}\u00a0%'
              for of in shares),
        ]  # fmt: skip

    served = place.locator('[data-served]')
    assert [shown(split) for split in splits] == [expected(split, 0.37) for split in splits]
    assert served.is_visible() and slider.get_attribute('aria-valuetext') == '0.370, as served'
    ring = place.locator('.moving[data-curve=roc][data-split=val]')
    before = ring.get_attribute('cy')
    slider.focus()
    for _ in range(20):
        seen.page.keyboard.press('ArrowRight')
    assert place.locator('output').inner_text() == '0.570'
    assert [shown(split) for split in splits] == [expected(split, 0.57) for split in splits]
    assert not served.is_visible() and ring.get_attribute('cy') != before
    seen.page.keyboard.press('End')
    assert place.locator('output').inner_text() == '1.000'
    assert shown('val')[:2] == ['0', '0'] and shown('val')[5].startswith('–')  # noqa: RUF001
    place.get_by_role('button').click()
    assert [shown(split) for split in splits] == [expected(split, 0.37) for split in splits]
    assert (seen.trouble, seen.network) == ([], [])


def test_without_script_the_threshold_shows_what_is_served(visit):
    told, splits = two_classes()
    seen = visit(told, java_script_enabled=False)
    assert seen.page.locator('#threshold input').is_hidden()
    hits = ((splits['val'].labels == 1) & (splits['val'].answers == 1)).sum()
    cell = seen.page.locator('#threshold td[data-split=val][data-row="0"]')
    assert cell.inner_text() == str(hits)
    assert seen.page.locator('#threshold svg.chart').count() == 2


def test_slices_are_sorted_by_gap_and_trivial_ones_are_folded(visit):
    told = made_report.content()
    seen = visit(told)
    part = seen.page.locator('#slices .split:visible')
    rows = part.locator('tbody tr:visible')
    gaps = [float(v) for v in rows.locator('td:nth-child(3)').evaluate_all(
        'cells => cells.map((c) => c.dataset.value)')]  # fmt: skip
    weak = [of for of in told.splits['val'].slices if not of.small and of.gap.value <= -0.01]
    assert gaps == sorted(of.gap.value for of in weak) and gaps
    assert not part.locator('details').evaluate('e => e.open')
    part.locator('summary').click()
    assert rows.count() == len(told.splits['val'].slices)


def inside(box: dict[str, float], width: int, height: int) -> bool:
    return (
        box['x'] >= 0
        and box['y'] >= 0
        and box['x'] + box['width'] <= width
        and box['y'] + box['height'] <= height
    )


def refused_by_test(threshold: float = 0.5) -> ReportContent:
    verdict = judge(
        Counts(HitCount(390, 400), HitCount(330, 400), {}),
        Gate(val_accuracy=threshold, test_contradiction='refuse'),
    )
    return dataclasses.replace(made_report.content(), verdict=verdict)


@pytest.mark.parametrize(('width', 'height'), [(1280, 800), (390, 844), (390, 667)])
@pytest.mark.parametrize(
    ('told', 'title', 'split'),
    [
        (made_report.content(), 'Not blessed', 'val'),
        (made_report.content(threshold=0.5), 'Blessed', 'val'),
        (refused_by_test(), 'Not blessed', 'test'),
        (
            dataclasses.replace(made_report.content(threshold=0.5), serving_problems=('slow',)),
            'Refused by the serving check',
            'val',
        ),
    ],
    ids=['val', 'blessed', 'test', 'serving'],
)
def test_the_number_that_decides_is_seen_without_scrolling(
    visit, told, title, split, width, height
):
    seen = visit(told, viewport={'width': width, 'height': height})
    assert seen.page.locator('h1').inner_text() == title
    number = seen.page.locator('.accuracy b').first
    assert number.inner_text() == f'{100 * told.splits[split].accuracy.share:.1f}\u00a0%'
    assert inside(number.bounding_box(), width, height)
    assert inside(seen.page.locator('h1').bounding_box(), width, height)
    if width == 1280:
        boxes = [one.bounding_box() for one in seen.page.locator('.finding').all()]
        assert len(boxes) == 3 and all(inside(box, width, height) for box in boxes)
    # The split that decided is the one that is shown, and no other.
    assert seen.page.locator('[name=split]:checked').get_attribute('value') == split
    shown = seen.page.locator('.split:visible')
    assert {one.get_attribute('data-split') for one in shown.all()} == {split}
    assert (seen.trouble, seen.network) == ([], [])


def test_the_suspicious_images_are_a_click_away(visit):
    seen = visit(made_report.content())
    seen.page.get_by_role('link', name='The suspicious images').click()
    assert seen.page.locator('#gallery-labels').is_visible()
    assert seen.page.locator('#pictures [role=tabpanel]:visible').count() == 1


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [1280, 390])
@pytest.mark.parametrize('name', ['blessed', 'refused', 'hostile'])
def test_it_fits_the_screen_with_enough_contrast(visit, screenshots, name, width, scheme):
    told = {
        'blessed': lambda: two_classes()[0],
        'refused': made_report.content,
        'hostile': made_report.hostile,
    }[name]()
    seen = visit(told, viewport={'width': width, 'height': 900}, color_scheme=scheme,
                 reduced_motion='reduce')  # fmt: skip
    seen.page.locator('#confusion .split:visible td[data-label]').first.click()
    assert seen.page.evaluate('document.documentElement.scrollWidth') == width
    assert seen.page.evaluate(CONTRASTS) == []
    seen.page.evaluate('scrollTo(0, 0)')
    seen.page.screenshot(path=screenshots / f'report-{name}-{width}-{scheme}.png', full_page=True)
    seen.page.locator('#pictures button.picture').first.click()
    assert seen.page.evaluate(CONTRASTS) == []
    box = seen.page.locator('dialog').bounding_box()
    assert box['x'] >= 0 and box['x'] + box['width'] <= width
    seen.page.screenshot(path=screenshots / f'dialog-{name}-{width}-{scheme}.png')
    assert (seen.trouble, seen.network) == ([], [])

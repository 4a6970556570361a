"""The comparison of two runs in a real browser."""

from __future__ import annotations

import pytest

from tests import made_report
from tests.browser.conftest import Visit
from tests.browser.test_report_page import CONTRASTS
from tests.made_runs import compared_run, rows
from thawline.pipeline.reports import comparison, comparison_page


@pytest.fixture
def compared(browser, tmp_path):
    """Opens a comparison with hostile names; keyword arguments are those of a context."""
    names = made_report.HOSTILE
    wrong = (made_report.HOSTILE_PATH, 'val', names[0], names[1])
    right = (made_report.HOSTILE_PATH, 'val', names[0], names[0])
    classes = (*names, 'ant', 'bee')
    first = compared_run(
        tmp_path, 'a', [wrong, *rows(20, 9), *rows(5, 5, 'test')], classes, {'seed': 0}
    )
    second = compared_run(
        tmp_path, 'b', [right, *rows(29, 0), *rows(4, 6, 'test')], classes, {'seed': 1}
    )
    told = comparison.compare(first, second)
    thumbnails = {one.id: made_report.thumbnail(i) for i, one in enumerate(told.flips[:-1])}
    file = tmp_path / 'comparison.html'
    file.write_text(comparison_page.render(told, thumbnails), encoding='utf-8')
    contexts = []

    def opened(**options) -> Visit:
        contexts.append(browser.new_context(**options))
        return Visit(contexts[-1], file.as_uri())

    yield opened
    for context in contexts:
        context.close()


def test_a_flipped_image_opens_large_with_both_answers(compared):
    seen = compared()
    hostile = seen.page.locator('#pictures button.picture', has_text=made_report.HOSTILE_CLASS)
    hostile.first.click()
    assert seen.page.locator('dialog dd').first.inner_text() == made_report.HOSTILE_CLASS
    assert f'A predicted {made_report.HOSTILE[1]}' in seen.page.locator('dialog').inner_text()
    assert seen.page.locator('img[src="x"]').count() == 0
    assert (seen.trouble, seen.network) == ([], [])


def test_tabs_and_splits_by_keyboard(compared):
    seen = compared()
    tabs = seen.page.locator('#pictures [role=tab]')
    assert tabs.all_inner_texts() == ['Now correct10', 'Now wrong1']
    tabs.first.focus()
    seen.page.keyboard.press('ArrowRight')
    assert seen.page.locator('#pictures .picture-card:visible').count() == 1
    seen.page.locator('#split-val').focus()
    seen.page.keyboard.press('ArrowRight')
    assert seen.page.locator('#metrics caption:visible').inner_text() == 'All metrics, test'
    assert (seen.trouble, seen.network) == ([], [])


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [1280, 390])
def test_it_fits_and_can_be_read(compared, screenshots, scheme, width):
    seen = compared(viewport={'width': width, 'height': 900}, color_scheme=scheme)
    assert seen.page.evaluate('document.documentElement.scrollWidth') <= width
    assert seen.page.evaluate(CONTRASTS) == []
    seen.page.screenshot(path=screenshots / f'comparison-{width}-{scheme}.png', full_page=True)
    assert (seen.trouble, seen.network) == ([], [])

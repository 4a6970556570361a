"""The page of `thawline serve` in a real browser, on a real model behind a real server."""

from __future__ import annotations

import base64
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser.conftest import Visit
from tests.browser.test_report_page import CONTRASTS
from tests.pipeline.server.conftest import served_model  # noqa: F401 - a fixture

ANSWERED = '.answer .five button'


@pytest.fixture(scope='module')
def address(
    browser: Any,
    served_model: pathlib.Path,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """Of a server in a thread; `browser` first, for without one nothing is made."""
    from tests.pipeline.server import server_setup
    from thawline.pipeline.server.limits import RequestLimits

    base = tmp_path_factory.mktemp('page') / 'models'
    server_setup.put(served_model, base, 1)
    site = server_setup.site(base, limits=RequestLimits(body=300_000))
    with server_setup.listening(site) as found:
        yield f'{found}/'


@pytest.fixture
def visit(browser: Any, address: str) -> Iterator[Callable[..., Visit]]:
    contexts = []

    def opened(**options: Any) -> Visit:
        contexts.append(browser.new_context(**options))
        return Visit(contexts[-1], address)

    yield opened
    for context in contexts:
        context.close()


def picture(name: str = 'cat.png', seed: int = 0, side: int = 90) -> dict[str, Any]:
    from tests.pipeline.server import server_setup

    return {'name': name, 'mimeType': 'image/png', 'buffer': server_setup.png(side, seed)}


def events(seen: Visit, kind: str, name: str) -> None:
    """A drop or a paste of one picture, as the browser would tell the page of it."""
    from tests.pipeline.server import server_setup

    seen.page.evaluate(
        """async ([kind, name, text]) => {
          const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
          const carried = new DataTransfer();
          carried.items.add(new File([bytes], name, { type: 'image/png' }));
          const target = kind === 'paste' ? document : document.getElementById('drop');
          const made = kind === 'paste'
            ? new ClipboardEvent(kind, { clipboardData: carried, bubbles: true })
            : new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true });
          target.dispatchEvent(made);
        }""",
        [kind, name, base64.b64encode(server_setup.png(40)).decode()],
    )


def outside(seen: Visit, address: str) -> list[str]:
    return [one for one in seen.network if not one.startswith((address, 'blob:'))]


def test_who_comes_before_the_model_is_loaded_gets_the_page_when_it_is(
    browser: Any,
    served_model: pathlib.Path,  # noqa: F811 - the fixture
    tmp_path: pathlib.Path,
) -> None:
    from tests.pipeline.server import server_setup

    base = tmp_path / 'models'
    base.mkdir()
    context = browser.new_context()
    with server_setup.listening(server_setup.site(base), loaded=False) as address:
        seen = Visit(context, f'{address}/')
        assert seen.page.text_content('h1') == 'Loading the model'
        server_setup.put(served_model, base, 1)
        seen.page.wait_for_selector('#choose', state='attached')
        assert seen.page.text_content('h1') == 'Try the model'
    context.close()


def test_pictures_are_answered_with_the_most_probable_classes(visit, address):
    from tests.components.transformed import CLASSES

    seen = visit()
    seen.page.locator('#choose').set_input_files([picture(), picture('<b>two</b>.png', 1)])
    seen.page.locator(ANSWERED).nth(9).wait_for()
    assert seen.page.locator('#status').inner_text() == '2 images'
    first = seen.page.locator('.answer').first
    assert first.locator('figcaption').inner_text() in ('<b>two</b>.png', 'cat.png')
    assert sorted(first.locator('.five .name').all_inner_texts()) == sorted(CLASSES)
    shares = [float(t.strip('\xa0%')) for t in first.locator('.five .share').all_inner_texts()]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx(100, abs=0.5)
    assert first.locator('h2 .name').inner_text() == first.locator('.five .name').first.inner_text()
    assert (seen.trouble, outside(seen, address)) == ([], [])


def test_the_evidence_follows_the_chosen_class_by_keyboard(visit):
    seen = visit()
    seen.page.locator('#choose').set_input_files(picture())
    buttons = seen.page.locator(ANSWERED)
    buttons.nth(4).wait_for()
    assert buttons.first.get_attribute('aria-pressed') == 'true'
    canvas = seen.page.locator('.shot canvas')
    assert canvas.get_attribute('aria-label').startswith('Regions behind')
    coloured = """canvas => canvas.getContext('2d')
      .getImageData(0, 0, canvas.width, canvas.height).data.some((v) => v > 0)"""
    # Not `wait_for_function`: it evaluates text, which the page's policy forbids.
    while not canvas.evaluate(coloured):
        seen.page.wait_for_timeout(20)
    buttons.nth(2).focus()
    seen.page.keyboard.press('Enter')
    seen.page.locator('.five li:nth-child(3) [aria-pressed=true]').wait_for()
    assert buttons.first.get_attribute('aria-pressed') == 'false'
    seen.page.locator('#evidence').uncheck()
    assert not canvas.is_visible()
    seen.page.locator('#clear').click()
    assert seen.page.locator('.answer').count() == 0
    assert seen.page.evaluate('document.activeElement.id') == 'choose'
    assert seen.trouble == []


@pytest.mark.parametrize('kind', ['drop', 'paste'])
def test_pictures_can_be_dropped_and_pasted(visit, kind):
    seen = visit()
    events(seen, kind, 'given.png')
    seen.page.locator(ANSWERED).first.wait_for()
    assert seen.page.locator('figcaption').inner_text() == 'given.png'
    assert seen.trouble == []


def test_what_is_no_picture_or_too_large_is_said(visit):
    seen = visit()
    text = {'name': 'notes.png', 'mimeType': 'image/png', 'buffer': b'hello'}
    large = {'name': 'large.png', 'mimeType': 'image/png', 'buffer': bytes(300_001)}
    seen.page.locator('#choose').set_input_files([text, large])
    seen.page.locator('.failed').nth(1).wait_for()
    said = ' '.join(seen.page.locator('.failed .text').all_inner_texts())
    assert 'not an image: text' in said and 'larger than' in said
    # The browser itself reports the refused request.
    assert all('400' in one for one in seen.trouble), seen.trouble


def test_the_first_stops_of_the_tab_key(visit):
    seen = visit()
    seen.page.keyboard.press('Tab')
    assert seen.page.evaluate('document.activeElement.className') == 'skip'
    seen.page.keyboard.press('Tab')
    assert seen.page.evaluate('document.activeElement.id') == 'choose'


def test_a_camera_is_offered_where_a_finger_points(visit):
    assert not visit().page.locator('label[for=camera]').is_visible()
    phone = visit(has_touch=True, is_mobile=True, viewport={'width': 390, 'height': 800})
    assert phone.page.locator('label[for=camera]').is_visible()
    assert phone.page.locator('#camera').get_attribute('capture') == 'environment'


def test_without_script_it_says_what_is_missing(visit, address):
    seen = visit(java_script_enabled=False)
    text = seen.page.locator('main').inner_text()
    assert 'needs JavaScript' in text and f'{address}v1/models/cats:predict' in text


@pytest.mark.parametrize('scheme', ['light', 'dark'])
@pytest.mark.parametrize('width', [1280, 390])
def test_it_fits_the_screen_with_enough_contrast(visit, screenshots, width, scheme):
    seen = visit(viewport={'width': width, 'height': 900}, color_scheme=scheme,
                 reduced_motion='reduce')  # fmt: skip
    assert seen.page.evaluate(CONTRASTS) == []
    seen.page.screenshot(path=screenshots / f'serve-empty-{width}-{scheme}.png', full_page=True)
    text = {'name': 'notes.png', 'mimeType': 'image/png', 'buffer': b'hello'}
    seen.page.locator('#choose').set_input_files([picture(), text, picture('long ' * 30, 1)])
    seen.page.locator(ANSWERED).nth(9).wait_for()
    seen.page.locator('.failed').wait_for()
    assert seen.page.evaluate('document.documentElement.scrollWidth') == width
    assert seen.page.evaluate(CONTRASTS) == []
    seen.page.screenshot(path=screenshots / f'serve-{width}-{scheme}.png', full_page=True)

"""A real browser for the report's page; without one the tests skip and say why."""

from __future__ import annotations

import os
import pathlib
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from thawline.components.report import page
from thawline.components.report.content import ReportContent

NAMES = ('chromium', 'chromium-browser', 'google-chrome', 'chrome')


@pytest.fixture(scope='session')
def browser() -> Iterator[Any]:
    api = pytest.importorskip(
        'playwright.sync_api', reason='Playwright for Python is not installed'
    )
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None:
        pytest.skip(f'no browser is installed; looked for {", ".join(NAMES)}')
    with api.sync_playwright() as playwright:
        # Chromium's sandbox needs rights that root in a container lacks.
        started = playwright.chromium.launch(executable_path=found, args=['--no-sandbox'])
        yield started
        started.close()


class Visit:
    """One page with all that went wrong on it."""

    def __init__(self, context: Any, address: str):
        self.page = context.new_page()
        self.trouble: list[str] = []
        self.requests: list[str] = []
        self.page.on('console', lambda said: self.trouble.append(f'{said.type}: {said.text}'))
        self.page.on('pageerror', lambda error: self.trouble.append(f'error: {error}'))
        self.page.on('dialog', self._dismiss)
        self.page.on('request', lambda asked: self.requests.append(asked.url))
        self.page.goto(address)

    def _dismiss(self, shown: Any) -> None:
        self.trouble.append(f'dialog: {shown.message}')
        shown.dismiss()

    @property
    def network(self) -> list[str]:
        """Requests beyond the file itself; pictures that lie in the file are none."""
        return [one for one in self.requests[1:] if not one.startswith('data:')]


@pytest.fixture
def visit(browser: Any, tmp_path: pathlib.Path) -> Iterator[Callable[..., Visit]]:
    """Opens a report from its file; keyword arguments are those of a browser's context."""
    contexts = []

    def opened(told: ReportContent, **options: Any) -> Visit:
        file = tmp_path / 'report.html'
        file.write_text(page.render(told), encoding='utf-8')
        contexts.append(browser.new_context(**options))
        return Visit(contexts[-1], file.as_uri())

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture(scope='session')
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Where screenshots go: continuous integration keeps THAWLINE_SCREENSHOTS."""
    asked = os.environ.get('THAWLINE_SCREENSHOTS')
    folder = pathlib.Path(asked) if asked else tmp_path_factory.mktemp('screenshots')
    folder.mkdir(parents=True, exist_ok=True)
    return folder

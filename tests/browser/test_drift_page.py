"""The page of new images in a browser."""

from __future__ import annotations

import dataclasses
import pathlib
from typing import Any

from tests.pipeline.drift.test_page import RECORD
from thawline.pipeline.drift import page, wording


def test_pictures_without_a_label_say_what_is_predicted(
    browser: Any, tmp_path: pathlib.Path
) -> None:
    record = dataclasses.replace(RECORD, sentence=wording.sentence(RECORD))
    file = tmp_path / 'drift.html'
    file.write_text(page.render(record, {}), 'utf-8')
    shown = browser.new_page()
    trouble: list[str] = []
    shown.on('console', lambda said: trouble.append(said.text))
    shown.on('pageerror', lambda error: trouble.append(str(error)))
    shown.goto(file.as_uri())
    shown.click('[data-picture="new-ab"]')
    new = shown.inner_text('dialog')
    assert 'Predicted' in new and 'Labelled' not in new and '✓' not in new
    shown.keyboard.press('Escape')
    shown.get_by_role('tab', name='Only earlier').click()
    shown.click('[data-picture="earlier-cd"]')
    earlier = shown.inner_text('dialog')
    assert 'Labelled' in earlier and 'Predicted' not in earlier
    assert trouble == []
    shown.close()

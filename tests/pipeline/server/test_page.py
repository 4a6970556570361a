"""The page's text, without a server."""

from __future__ import annotations

import base64
import hashlib
import re

from thawline.components.saved_model.card import EvaluatedAccuracy, ModelOrigin
from thawline.pipeline.server import page
from thawline.pipeline.server.page import ModelInfo

HOSTILE = '<img src=x onerror=alert(1)> "quoted" </script>'
LINEAGE = ModelOrigin(
    run='20261121-142548.995',
    accuracy={
        'val': EvaluatedAccuracy(0.906, 0.874, 0.931, 395),
        'test': EvaluatedAccuracy(None, 0.0, 1.0, 0),
    },
)


def shown(**changes: object) -> ModelInfo:
    values = {
        'name': 'cats', 'version': 3, 'classes': ('a', HOSTILE), 'resize': 'crop',
        'abstain_below': None, 'lineage': None, 'max_bytes': 2**20, 'address': 'http://h/',
    }  # fmt: skip
    return ModelInfo(**{**values, **changes})  # type: ignore[arg-type]


def test_names_are_text_and_only_its_own_code_runs() -> None:
    made = page.model_page(shown(name=HOSTILE, address=f'http://{HOSTILE}/'))
    assert HOSTILE not in made.html and '<img src=x' not in made.html
    for tag, kind in (('style', 'style-src'), ('script type="module"', 'script-src')):
        (code,) = re.findall(f'<{tag}>(.*?)</{tag.split()[0]}>', made.html, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
        assert f"{kind} 'sha256-{digest}'" in made.policy
    assert not re.search(r'(src|href)="https?:', made.html)


def test_many_classes_are_counted() -> None:
    text = page.model_page(shown(classes=[f'class {i}' for i in range(1006)])).html
    assert 'class 5<' in text and 'class 6<' not in text and 'and 1,000 more classes' in text


def test_it_tells_what_the_card_knows() -> None:
    assert page.accuracy_sentence(None) == page.accuracy_sentence(ModelOrigin(run='r')) == ''
    text = page.accuracy_sentence(LINEAGE)
    for part in ('90.6 %', '395 validation images', '87.4 to 93.1 %', '20261121-142548.995'):
        assert part in text
    assert 'test images' not in text
    made = page.model_page(shown(lineage=LINEAGE, abstain_below=0.912)).html
    assert text in made and '91.2&nbsp;%' in made

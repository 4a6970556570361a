"""Every format through the signatures of an exported model: as ingestion has it, or refused."""

from __future__ import annotations

import pathlib
import subprocess
import sys
from collections.abc import Mapping

import numpy as np
import pytest

from tests.components import transformed as making
from tests.components.ingestion import formats
from tests.components.ingestion.images import encoded, picture
from tests.components.saved_model import call_signatures
from tests.components.training import tiny
from tests.components.transformed import CLASSES, SIZE, Row
from thawline.components.backbones import classifier as classifiers
from thawline.components.ingestion.decoding import canonicalise
from thawline.components.saved_model import card, signatures
from thawline.components.shared.sample_depth import SampleDepth

DEPTH = SampleDepth(12)
EXACT = formats.lossless() | {
    f'exif {turn} {order}': encoded(
        picture(1, formats.SIZE), 'PNG', exif=formats.exif(turn, order)
    )
    for turn in range(1, 9)
    for order in '<>'
}  # fmt: skip
NEAR = formats.lossy() | {
    f'jpeg exif {turn} {order}': encoded(
        picture(1, formats.SIZE), 'JPEG', quality=95, exif=formats.exif(turn, order)
    )
    for turn in range(1, 9)
    for order in '<>'
}  # fmt: skip
REFUSED = formats.refused() | formats.unknown()
Answers = Mapping[str, Mapping[str, np.ndarray]]


def example(data: bytes) -> bytes:
    return making.example(Row(data, CLASSES[0], ''))


def canonical(data: bytes) -> bytes:
    return canonicalise(data, 1024, 10**6, DEPTH).image


def texts(*values: bytes) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


@pytest.fixture(scope='module')
def model(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """Of a set whose 16-bit images use 12 bits."""
    root = tmp_path_factory.mktemp('deep')
    graph = making.transform(root / 'transformed', resize='stretch', depth=DEPTH, graph_alone=True)
    made = classifiers.build(tiny.backbone(side=SIZE), 'top', len(CLASSES), 0.2, seed=0)
    rng = np.random.default_rng(0)
    made.set_head(rng.normal(size=(8, len(CLASSES))), rng.normal(size=len(CLASSES)))
    signatures.export(made, CLASSES, graph.output, SIZE, 'stretch', root / 'model')
    return root / 'model'


WAYS = ('v2', 'session')


@pytest.fixture(scope='module')
def answers_by_way(model: pathlib.Path) -> dict[str, Answers]:
    """Of one process that has TensorFlow alone."""
    asked = {}
    for name, data in (EXACT | NEAR).items():
        for kind, image in (('as sent', data), ('as ingested', canonical(data))):
            asked[f'{name}, {kind}, pixels', 'transform_features'] = texts(example(image))
            asked[f'{name}, {kind}, bytes', 'serving_bytes'] = texts(image)
            asked[f'{name}, {kind}, default', 'serving_default'] = texts(example(image))
    for name, (data, _) in REFUSED.items():
        asked[f'{name}, bytes', 'serving_bytes'] = texts(data)
        asked[f'{name}, default', 'serving_default'] = texts(example(data))
    batch = [*EXACT.values(), *NEAR.values()]
    asked['batch', 'serving_bytes'] = texts(*batch)
    folder, names = model.parent, list(asked)
    numbered = {f'{i}|{signature}': asked[_, signature] for i, (_, signature) in enumerate(names)}
    np.savez(folder / 'asked.npz', **numbered)  # type: ignore[arg-type]
    program = str(pathlib.Path(call_signatures.__file__).resolve())
    jobs = [(way, str(model), 'asked.npz', f'{way}.npz') for way in WAYS]
    ended = subprocess.run(
        [sys.executable, '-I', program, *(part for job in jobs for part in job)],
        cwd=folder, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr[-3000:]
    return {way: _read(folder / f'{way}.npz', [name for name, _ in names]) for way in WAYS}


def _read(path: pathlib.Path, names: list[str]) -> Answers:
    result: Answers = {name: {} for name in names}
    with np.load(path) as file:
        for key in file.files:
            number, output = key.split('|')
            result[names[int(number)]][output] = file[key]
    return result


@pytest.fixture(scope='module', params=WAYS)
def answers(request: pytest.FixtureRequest, answers_by_way: dict[str, Answers]) -> Answers:
    """By call; as TensorFlow Serving loads the model, too."""
    return answers_by_way[request.param]


@pytest.mark.parametrize('name', EXACT)
def test_lossless_formats_are_served_as_they_are_ingested(answers: Answers, name: str) -> None:
    for kind, output in (
        ('pixels', 'pixels'), ('bytes', 'probabilities'), ('default', 'probabilities'),
    ):  # fmt: skip
        sent, ingested = (
            answers[f'{name}, {way}, {kind}'][output].astype(float)
            for way in ('as sent', 'as ingested')
        )
        if name.startswith('exif'):  # turned behind the resize, whose sums then round otherwise
            np.testing.assert_allclose(sent, ingested, atol=1 if kind == 'pixels' else 0.02)
        else:
            np.testing.assert_array_equal(sent, ingested)


@pytest.mark.parametrize('name', NEAR)
def test_lossy_formats_are_served_nearly_as_they_are_ingested(answers: Answers, name: str) -> None:
    pixels = [
        answers[f'{name}, {kind}, pixels']['pixels'].astype(int)
        for kind in ('as sent', 'as ingested')
    ]
    assert np.abs(pixels[0] - pixels[1]).mean() < 4


@pytest.mark.parametrize('name', REFUSED)
def test_the_rest_is_refused_by_name(answers: Answers, name: str) -> None:
    for kind in ('bytes', 'default'):
        (message,) = answers[f'{name}, {kind}'].values()
        assert set(answers[f'{name}, {kind}']) == {'InvalidArgumentError'}
        assert REFUSED[name][1] in str(message)


def test_a_batch_may_mix_all_of_them(answers: Answers) -> None:
    single = [answers[f'{name}, as sent, bytes']['probabilities'][0] for name in EXACT | NEAR]
    np.testing.assert_allclose(answers['batch']['probabilities'], single, atol=1e-6)


def test_exposure_is_kept(answers: Answers) -> None:
    """12 of 16 bits: the model of a set that uses all of them would see near darkness."""
    dim = answers['png 16, as sent, pixels']['pixels']
    assert 100 < dim.mean() < 150
    assert answers['png 16 of full range, as sent, pixels']['pixels'].mean() > 220


def test_the_card_has_the_depth(model: pathlib.Path) -> None:
    assert card.read(model).depth == DEPTH

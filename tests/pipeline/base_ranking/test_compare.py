"""`thawline bases`: what it compares, what it says, and a whole comparison of tiny images."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import pathlib

import numpy as np
import PIL.Image
import pytest
import rich.console
import yaml

from tests.components.ingestion.images import encoded, picture
from tests.pipeline.test_cli import thawline
from thawline.components.backbones import registry
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.statistics import clustered
from thawline.components.training.cross_validation import ProbeScores
from thawline.pipeline.base_ranking import compare, ingested_images, ranking
from thawline.pipeline.base_ranking.candidates import Candidate, MissingBase
from thawline.pipeline.base_ranking.embedding import BaseCost
from thawline.pipeline.base_ranking.images import ImageSample
from thawline.pipeline.commands import bases_table
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project

N = 200
GROUPS = np.arange(N)


def project(home: pathlib.Path, model: str = '{backbone: mobilenet_v2, weights: w/my.h5}'):
    text = f'name: x\ndata: {{source: images}}\npreprocessing: {{image_size: 96}}\nmodel: {model}\n'
    return Project.of(loading.parse(text, 'thawline.yaml'), home)


def row(candidate: Candidate, right: int, milliseconds: float) -> compare.MeasuredBase:
    """A base that is right on the first `right` images."""
    hits, guess = right > GROUPS, GROUPS < 60
    share, majority = clustered.estimate(hits, GROUPS), clustered.estimate(guess, GROUPS)
    transfer = ProbeScores(share, share, majority, hits, hits, guess, np.zeros((N, 2)), (0.1,))
    return compare.MeasuredBase(
        candidate, transfer, BaseCost(milliseconds, 2_000_000, 8.0), 'd', 's', 9.0, 2.0
    )


def comparison(*rows: compare.MeasuredBase, random: int = 70, missing=()) -> compare.BaseComparison:
    floor = row(Candidate('mobilenet_v2_035', 96, 'random', 'random'), random, 1.0)
    ids = np.array([f'{i:03d}'.encode() for i in range(N)], dtype=object)
    images = LabelledSet(ids, (GROUPS >= 60).astype(np.int64), ids)
    sample = ImageSample(images, ids, ('a', 'b'), 250)
    transfers, times = [r.transfer for r in rows], [r.cost.milliseconds for r in rows]
    verdict = ranking.rank(transfers, times, floor.transfer, GROUPS)
    return compare.BaseComparison(rows, floor, tuple(missing), sample, verdict)


SMALL = Candidate('mobilenet_v2', 96, '/p/w/my.h5', 'w/my.h5')
LARGE = Candidate('resnet50', 224, 'imagenet', 'imagenet')


def said(
    found: compare.BaseComparison,
    tmp_path: pathlib.Path,
    width: int = 120,
    model: str = '{backbone: mobilenet_v2, weights: w/my.h5}',
) -> str:
    out = io.StringIO()
    console = rich.console.Console(file=out, width=width, color_system=None)
    bases_table.show(console, found, project(tmp_path, model).config)
    return out.getvalue()


@pytest.mark.parametrize('text', ['12', '128,x', '', '128,,224', '-128', '1e2', '4096', '²'])
def test_sizes_that_make_no_sense(text):
    with pytest.raises(ConfigError, match='--sizes '):
        compare.parse_sizes(text)


def test_sizes_and_names():
    assert compare.parse_sizes(None) == () and compare.parse_sizes('128, 224,128') == (128, 224)
    assert compare.parse_bases(None) == registry.names()
    assert compare.parse_bases('resnet50, mobilenet_v2') == ('resnet50', 'mobilenet_v2')
    with pytest.raises(ConfigError, match='did you mean resnet50'):
        compare.parse_bases('resnet_50')
    with pytest.raises(ConfigError, match='--bases '):
        compare.parse_bases(' , ')


def test_the_project_as_it_is_takes_part(tmp_path):
    (tmp_path / 'w').mkdir()
    (tmp_path / 'w' / 'my.h5').touch()
    found, missing = compare.find_candidates(project(tmp_path), ('mobilenet_v2',), ())
    assert [(c.image_size, c.weights) for c in found] == [(96, 'w/my.h5'), (224, 'w/my.h5')]
    assert found[0].load == str(tmp_path / 'w' / 'my.h5') and not missing
    found, _ = compare.find_candidates(project(tmp_path), ('mobilenet_v2',), (128,))
    assert [c.image_size for c in found] == [128]


def test_weights_beside_the_projects_own_are_found(tmp_path, monkeypatch):
    monkeypatch.setenv('KERAS_HOME', str(tmp_path / 'none'))
    (tmp_path / 'w').mkdir()
    file = registry.entry('resnet50').cached_imagenet_file(224)
    (tmp_path / 'w' / file.name).touch()
    found, _ = compare.find_candidates(project(tmp_path), ('resnet50', 'resnet50_v2'), ())
    assert [c.backbone for c in found] == ['resnet50']


def test_nothing_ingested_yet(tmp_path):
    assert ingested_images.find(project(tmp_path)) is None


def test_time_left_follows_work_and_counts_each_new_size_once():
    one = row(dataclasses.replace(SMALL, image_size=224), 150, 10.0)  # 9 s, 2 of them decoding
    forward = 10.0 / 1000 * 100
    same = compare.seconds_left(one, 100, [one.candidate])
    assert same == pytest.approx(forward + 6.0)
    two = compare.seconds_left(one, 100, [LARGE, LARGE])
    assert two == pytest.approx(2 * (forward * 3900 / 300 + 6.0))
    assert compare.seconds_left(one, 100, [SMALL, SMALL]) == pytest.approx(
        2 * (forward * (96 / 224) ** 2 + 6.0) + 2.0
    )
    assert compare.seconds_left(one, 100, []) == 0


def test_the_better_base_is_recommended_with_lines_that_parse(tmp_path):
    missing = [MissingBase('convnext_tiny', 'weights are not here (111 MB)', 'convnext.h5')]
    output = said(
        comparison(row(SMALL, 150, 2.0), row(LARGE, 180, 30.0), missing=missing), tmp_path
    )
    assert '★ resnet50 224' in output and 'mobilenet_v2 96 (now)' in output
    assert 'use resnet50 224: ' in output and 'within one standard error' in output
    assert 'current mobilenet_v2 96: +15.0 points' in output
    assert 'pretraining helps' in output and '+55.0 points' in output
    assert 'convnext.h5' in output and '--download' in output
    lines = yaml.safe_load(output.split('in thawline.yaml:')[1])
    assert lines == {
        'preprocessing': {'image_size': 224},
        'model': {'backbone': 'resnet50', 'weights': 'imagenet'},
    }
    loading.parse('name: x\ndata: {source: i}\n' + yaml.safe_dump(lines), 'x')


def test_the_cheaper_of_equals_is_recommended(tmp_path):
    output = said(comparison(row(SMALL, 180, 2.0), row(LARGE, 180, 20.0)), tmp_path)
    assert '★ mobilenet_v2 96 (now)' in output
    assert 'keep mobilenet_v2 96' in output
    near = row(SMALL, 180, 2.0)
    hits = near.transfer.probe_hits.copy()
    hits[170:180], hits[180:189] = False, True
    transfer = dataclasses.replace(
        near.transfer, probe=clustered.estimate(hits, GROUPS), probe_hits=hits
    )
    output = said(
        comparison(dataclasses.replace(near, transfer=transfer), row(LARGE, 180, 20.0)), tmp_path
    )
    assert 'within one standard error of the best (resnet50 224: +0.5 points' in output
    assert 'at 10 % of its time' in output


@pytest.mark.parametrize(
    ('right', 'random', 'part'),
    [(150, 148, 'random weights'), (61, 58, 'largest class')],
)
def test_transfer_that_does_not_help_is_warned_of(tmp_path, right, random, part):
    output = said(comparison(row(SMALL, right, 2.0), random=random), tmp_path)
    assert part in output.partition('warning: ')[2].partition('in thawline.yaml')[0]
    assert 'pretraining helps' not in output


def test_a_narrow_terminal_loses_no_base_and_no_bar(tmp_path):
    wide = row(Candidate('mobilenet_v3_large', 96, 'imagenet', 'imagenet'), 200, 130.0)
    heavy = dataclasses.replace(wide, cost=BaseCost(130.0, 5_400_000, 111.0))
    found = comparison(row(SMALL, 150, 2.0), row(LARGE, 180, 30.0), heavy)
    output = said(found, tmp_path, 80, '{backbone: mobilenet_v3_large}')
    table = output.split('keep ')[0]
    assert 'resnet50 224' in table and '75.0 %' in table and '┃' in table
    assert 'mobilenet_v3_large 96 (now)' in table and '100.0 %' in table and ' 111 ' in table
    assert '…' not in table
    assert max(len(line) for line in table.splitlines()) <= 80


@pytest.mark.parametrize(
    ('share', 'lower', 'upper', 'bar'),
    [(0.5, 0.4, 0.6, '████▒┃▒'), (0.0, 0.0, 0.1, '┃▒'), (1.0, 0.9, 1.0, '█████████┃')],
)
def test_bars(share, lower, upper, bar):
    estimate = clustered.Estimate(share, 0.0, lower, upper, 10)
    assert bases_table.bar_of(estimate, 0.0, 1.0, 10) == bar


def test_a_whole_comparison_leaves_out_what_does_not_load(tmp_path):
    rng = np.random.default_rng(0)
    colours = rng.integers(0, 2, 40)
    raw = []
    for i, label in enumerate(colours):
        image = np.asarray(picture(i, (24, 24))) // 4  # uint8 [24, 24, 3]
        image[..., label] += 150
        raw.append(encoded(PIL.Image.fromarray(image), 'PNG'))
    ids = np.array([f'{i:02d}'.encode() for i in range(40)], dtype=object)
    data = np.empty(40, object)
    data[:] = raw
    images = LabelledSet(data, colours.astype(np.int64), ids)
    sample = ImageSample(images, ids, ('green', 'red'), 40)
    (tmp_path / 'broken.h5').write_bytes(b'no weights')
    broken = Candidate('mobilenet_v2', 32, str(tmp_path / 'broken.h5'), 'broken.h5')
    works = Candidate('mobilenet_v2_035', 32, 'random', 'w.h5')
    told = []
    found = compare.compare_bases(
        [works, broken], [], sample, 'stretch', 0,
        lambda row, rest: told.append((row.candidate.weights, len(rest))),
        lambda candidate: contextlib.nullcontext(),
    )  # fmt: skip
    assert [r.candidate.weights for r in found.bases] == ['w.h5']
    assert [m.backbone for m in found.missing] == ['mobilenet_v2 32']
    assert 'broken.h5' in found.missing[0].reason
    assert told == [('w.h5', 2), ('random', 0)]
    # The same network with the same seed: a base that is no better than random weights.
    np.testing.assert_array_equal(
        found.bases[0].transfer.probe_hits, found.random.transfer.probe_hits
    )
    assert not found.ranking.best_over_random.significant
    noted = json.loads(json.dumps(compare.to_json(found, project(tmp_path).config)))
    assert noted['images']['classes'] == {
        'green': int((colours == 0).sum()),
        'red': int(sum(colours)),
    }
    assert noted['bases'][0]['probe_hits'].count('1') == found.bases[0].transfer.probe_hits.sum()
    assert noted['recommended'] == 'mobilenet_v2_035 32'
    with pytest.raises(ConfigError, match='no base could be measured: mobilenet_v2 32: .*broken'):
        compare.compare_bases(
            [broken], [], sample, 'stretch', 0, lambda *_: None, contextlib.nullcontext
        )


@pytest.mark.parametrize(
    ('arguments', 'part'),
    [
        (('--bases', 'resnet'), 'There is no backbone'),
        (('--sizes', '12'), '--sizes '),
        (('--weights', 'nowhere'), 'nowhere'),
        (('--bases', 'mobilenet_v2'), 'lost.h5'),
    ],
)
def test_mistakes_are_one_clear_message(tmp_path, arguments, part):
    (tmp_path / 'thawline.yaml').write_text(
        'name: x\ndata: {source: images}\nmodel: {backbone: mobilenet_v2, weights: lost.h5}\n'
    )
    done = thawline('bases', *arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith('error: ') and part in done.stderr
    assert 'Traceback' not in done.stderr

"""`thawline predict`: which model is meant, what is refused, what is output."""

from __future__ import annotations

import pathlib

import pytest

from tests.components.evaluation import evaluating
from tests.components.transformed import CLASSES, Transformed
from tests.pipeline.prediction import prediction_setup
from tests.pipeline.test_cli import thawline
from thawline.components.shared.errors import ConfigError, DataError, NotFound
from thawline.pipeline.commands import predict
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.terminal.exit_codes import Outcome


def project(home: pathlib.Path, more: str = '') -> Project:
    parsed = loading.parse(f'name: x\ndata: {{source: images}}\n{more}', 'thawline.yaml')
    return Project.of(parsed, home)


def test_a_whole_prediction(
    transformed: Transformed,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    model = evaluating.exported(tmp_path / 'model', transformed, CLASSES) / 'Format-Serving'
    prediction_setup.write(tmp_path / 'in', prediction_setup.good() | prediction_setup.bad())
    where = project(tmp_path)
    target = pathlib.Path('in/out.csv')  # among the images

    def execute(force: bool = False) -> Outcome:
        return predict.predict(where, ['in'], str(model), target, 0.6, force)

    assert execute() is Outcome.BLESSED
    output = capfd.readouterr().out.replace('\n', ' ')
    good, bad = prediction_setup.good(), prediction_setup.bad()
    rows = prediction_setup.read(target)
    assert [row['path'] for row in rows] == sorted(f'in/{name}' for name in good)
    abstained = sum(row['abstained'] for row in rows)
    assert f'note: no record of the files in {model}' in output
    assert f'✓ {len(rows)} images in {tmp_path}/in/out.csv, {abstained} of them abstained' in output
    assert f'; {len(bad)} quarantined (see {tmp_path}/in/out.quarantine.csv) in ' in output
    assert set(prediction_setup.quarantined(target)) == {f'in/{name}' for name in bad}

    with pytest.raises(ConfigError, match='out.csv exists already; .* --force'):
        execute()
    before = target.read_bytes()
    assert execute(force=True) is Outcome.BLESSED
    assert target.read_bytes() == before  # and is not among the images that it is about
    assert not [path for path in (tmp_path / 'in').iterdir() if path.name.startswith('.')]

    prediction_setup.write(tmp_path / 'poor', {'a.jpg': b''})
    with pytest.raises(DataError, match='none of 1 images could be used: 1 x empty file'):
        predict.predict(where, ['poor'], str(model), pathlib.Path('p.csv'))
    assert not pathlib.Path('p.csv').exists()
    assert prediction_setup.quarantined(pathlib.Path('p.csv')) == {'poor/a.jpg': 'empty file'}


def test_what_cannot_be_written_is_refused_first(tmp_path: pathlib.Path) -> None:
    where = project(tmp_path)
    for target, why in (
        ('out.xlsx', 'must end in one of .csv, .jsonl, .parquet'),
        (str(tmp_path / 'no' / 'out.csv'), 'there is no folder'),
        ('gs://bucket/out.csv', 'must be a file on this machine'),
    ):
        with pytest.raises((ConfigError, NotFound), match=why):
            predict.predict(where, ['in'], 'staging', pathlib.Path(target))


def test_a_model_that_does_not_name_its_classes(tmp_path: pathlib.Path) -> None:
    model = tmp_path / 'model'
    model.mkdir()
    (model / 'saved_model.pb').write_bytes(b'x')
    with pytest.raises(ConfigError, match='has no assets.extra/thawline.json'):
        predict.predict(project(tmp_path), ['in'], str(model), tmp_path / 'out.csv')
    (model / 'assets.extra').mkdir()
    (model / 'assets.extra' / 'thawline.json').write_text('{"format": 9}', 'utf-8')
    with pytest.raises(ConfigError, match='cannot be read: .*has format 9; known: 1'):
        predict.predict(project(tmp_path), ['in'], str(model), tmp_path / 'out.csv')


def test_command_line(tmp_path: pathlib.Path) -> None:
    prediction_setup.write(
        tmp_path, {'in/a.jpg': b'x', 'thawline.yaml': b'name: x\ndata: {source: in}'}
    )
    done = thawline('predict', 'in', '--config', '.', cwd=tmp_path)
    assert done.returncode == 2 and 'promote one with thawline promote' in done.stderr
    done = thawline('predict', 'in', '.', cwd=tmp_path)  # the project as in other commands
    assert done.returncode == 2 and 'promote one with thawline promote' in done.stderr
    done = thawline('predict', 'nowhere', '--model', 'staging', cwd=tmp_path)
    assert done.returncode == 2 and 'thawline run' in done.stderr
    assert thawline('predict', cwd=tmp_path).returncode == 2
    done = thawline('predict', 'in', '--abstain-below', '1.5', cwd=tmp_path)
    assert done.returncode == 2 and '1.5' in done.stderr


def test_words_of_the_last_line(tmp_path: pathlib.Path) -> None:
    from thawline.components.ingestion.quarantine import Rejected
    from thawline.pipeline.prediction.batch import PredictionResult

    target = tmp_path / 'out.parquet'
    assert predict.summary(PredictionResult(1204, None, ()), target) == f'1,204 images in {target}'
    line = predict.summary(PredictionResult(2, 1, (Rejected('a', 'b'),)), target)
    assert line.endswith(f'1 of them abstained; 1 quarantined (see {tmp_path}/out.quarantine.csv)')


def test_nodes_by_choice(tmp_path: pathlib.Path) -> None:
    from thawline.pipeline import graph

    base = 'model: {backbone: mobilenet_v2_035, weights: random}\n'

    def nodes(more: str) -> dict:
        wired = graph.build(project(tmp_path, base + more))
        return {node.id: node for node in wired.components}

    assert 'BulkInferrer' not in nodes('')
    wired = nodes('serving: {bulk: {data: new/images}}')
    assert list(wired)[-2:] == ['UnlabelledExampleGen', 'BulkInferrer']
    source = wired['UnlabelledExampleGen'].exec_properties['source']
    assert source == str(tmp_path / 'new' / 'images')
    inputs = {'examples', 'model', 'model_blessing', 'infra_blessing', 'serving_record'}
    assert inputs == set(wired['BulkInferrer'].inputs)
    assert wired['Report'] in wired['UnlabelledExampleGen'].upstream_nodes

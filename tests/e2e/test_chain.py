"""The whole chain, as a user runs it: blessed and pushed, served from the cache, refused."""

from __future__ import annotations

import json
import pathlib
import re

import PIL.Image
import pytest

from tests.e2e.conftest import CLASSES, Project, draw_classes
from thawline.pipeline.drift.record import DriftRecord

pytestmark = pytest.mark.e2e

NODES = (
    'ImageExampleGen', 'StatisticsGen', 'SchemaGen', 'ExampleValidator', 'DataGate', 'Transform',
    'Embedder', 'DataAudit', 'Trainer', 'Baseline', 'Evaluator', 'Exporter', 'ServingCheck',
    'Pusher', 'LastReport', 'Report',
)  # fmt: skip


@pytest.fixture(scope='module')
def project(make_project) -> Project:
    return make_project()


@pytest.fixture(scope='module')
def first(project):
    return project.thawline('run', fresh=True)


def test_first_run_is_blessed_and_pushed(project, first):
    assert first.returncode == 0, first.stdout + first.stderr
    for node in NODES:
        assert re.search(rf'^✓ {node}\s', first.stdout, re.MULTILINE), node
    assert re.search(r'Embedder\s.*120 images, .*\d features, [\d.]+ ms per image', first.stdout)
    assert re.search(r'120 images, 0 quarantined; train \d+, val \d+, test \d+', first.stdout)
    assert re.search(
        r'val accuracy [\d.]+ % \([\d.]+ to [\d.]+ %\), gate 60\.0 %: BLESSED', first.stdout
    )
    assert 'BLESSED and pushed' in first.stdout
    assert 'Traceback' not in first.stdout + first.stderr
    (version,) = project.versions()
    assert (version / 'saved_model.pb').is_file()
    assert (version / 'assets.extra' / 'tf_serving_warmup_requests').is_file()
    card = json.loads((version / 'assets.extra' / 'thawline.json').read_text('utf-8'))
    assert card['lineage']['blessed'] and card['lineage']['run'] and card['lineage']['data']
    assert re.search(r'ServingCheck\s.*\d+ ms per image', first.stdout)
    log = re.search(r'log\s+(\S+)', first.stdout)
    assert log and 'StatisticsGen' in pathlib.Path(log[1]).read_text('utf-8')


def test_training_leaves_a_record_and_curves(project, first):
    folder = project.artifact('Trainer', 'model_run')
    record = json.loads((folder / 'training.json').read_text('utf-8'))
    assert record['classes'] == sorted(CLASSES)
    assert record['kept'] in ('probe', 'fine_tuned', 'interpolated')
    assert list((folder / 'tensorboard').glob('events.out.tfevents.*'))
    assert not list((project.output / 'checkpoints').rglob('*.npz')), 'left after a good training'


def test_first_run_leaves_a_report(project, first):
    folder = project.artifact('Report', 'report')
    found = json.loads((folder / 'content.json').read_text('utf-8'))
    assert found['verdict']['blessed'] and found['classes'] == sorted(CLASSES)
    assert (folder / 'report.html').stat().st_size < 15_000_000
    assert all(picture['thumbnail'] for picture in found['pictures'].values())
    terms = {fact['term']: fact for card in found['cards'] for fact in card['facts']}
    assert 'first report' in terms['Last run']['value']
    assert terms['Serving check']['value'] == 'passed'
    for node in ('ImageExampleGen', 'Trainer', 'Evaluator'):
        assert node in terms['Time of the nodes']['detail']


def test_new_images_are_held_against_those_of_the_model(project, first):
    draw_classes(project.home / 'new', 12, seed=5)
    (project.home / 'new' / 'moss' / 'cut.jpg').write_bytes(b'\xff\xd8\xff')
    done = project.thawline('drift', 'new', '--model', 'last', '--to', 'same')
    assert done.returncode == 0, done.stdout + done.stderr
    same = DriftRecord.read(project.home / 'same')
    assert (same.verdict, same.images, same.independent) == ('no drift', 36, 36)
    assert [bad.path for bad in same.rejected] == ['new/moss/cut.jpg'] and 'cut.jpg' in done.stdout
    assert {'appearance', 'predicted class', 'brightness'} <= {of.name for of in same.compared}
    assert [of.name for of in same.classes] == sorted(CLASSES)
    page = (project.home / 'same' / 'drift.html').read_text('utf-8')
    assert page.count('data:image/jpeg') >= 48 and 'new/slate/' in page

    # Darker ones; and stored features of other code, which are computed anew.
    for path in (project.home / 'new').glob('*/0*'):
        PIL.Image.open(path).point(lambda value: value // 2).save(path)
    spec = project.artifact('Embedder', 'embeddings') / 'embeddings.json'
    stored = spec.read_text('utf-8')
    spec.write_text(stored.replace('"code": "', '"code": "other '), 'utf-8')
    try:
        done = project.thawline('drift', 'new', '--model', 'last', '--to', 'darker')
    finally:
        spec.write_text(stored, 'utf-8')
    assert done.returncode == 8, done.stdout + done.stderr
    darker = DriftRecord.read(project.home / 'darker')
    assert {'appearance', 'brightness'} <= {of.name for of in darker.compared if of.drifted}
    assert darker.earlier == same.earlier and darker.different[0].name.startswith('new/')
    assert project.thawline('drift', 'nowhere', '--model', 'last').returncode == 2


def test_nothing_changed_is_served_from_the_cache(project, first):
    again = project.thawline('run')
    assert again.returncode == 0, again.stdout + again.stderr
    cached = [node for node in NODES if re.search(rf'^✓ {node}\s+cached', again.stdout, re.M)]
    asking = ('Baseline', 'Pusher', 'LastReport')  # the metadata, and staging
    assert cached == [node for node in NODES if node not in asking]
    assert len(project.versions()) == 1
    listed = project.thawline('runs')
    assert listed.returncode == 0
    version = project.versions()[0].name
    assert f'blessed, pushed as {version}' in listed.stdout
    assert f'blessed, already there as {version}' in listed.stdout
    assert f'already in staging as version {version}' in again.stdout


def test_refused_model_is_not_pushed_and_the_last_good_one_stays(project, first):
    before = project.versions()
    project.write(gate='{val_accuracy: 1.0}')
    refused = project.thawline('run')
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert 'NOT BLESSED' in refused.stdout
    assert 'NOT PUSHED' in refused.stdout
    for node in ('Embedder', 'Trainer'):
        assert re.search(rf'^✓ {node}\s+cached', refused.stdout, re.MULTILINE), node
    assert project.versions() == before
    assert 'not blessed' in project.thawline('runs').stdout


def test_other_rates_embed_no_image_again(project, first):
    project.write(training='{augmentation: light, fine_tune: {blocks: 1, epochs: 1}}')
    tuned = project.thawline('run', '--to', 'Trainer')
    assert tuned.returncode == 0, tuned.stdout + tuned.stderr
    assert re.search(r'^✓ Embedder\s+cached', tuned.stdout, re.MULTILINE)
    assert re.search(r'^✓ Trainer\s+[\d.]+ s', tuned.stdout, re.MULTILINE)


def test_part_of_the_chain_without_an_earlier_run_is_refused(make_project):
    refused = make_project(images=12).thawline('run', '--only', 'Trainer')
    assert refused.returncode == 2, refused.stdout + refused.stderr
    assert 'no earlier run' in refused.stdout
    assert 'Traceback' not in refused.stdout


def test_challenger_is_compared_with_the_blessed_model(project, first):
    project.write(training='{seed: 1, augmentation: none, mode: probe}')
    refused = project.thawline('run', '--from', 'Trainer')
    assert refused.returncode == 2 and '--from Embedder' in refused.stdout, 'no views any more'
    challenger = project.thawline('run', '--from', 'Embedder')
    assert challenger.returncode in (0, 3), challenger.stdout + challenger.stderr
    assert re.search(r'Baseline\s.*compared with model \d+', challenger.stdout)
    assert '✓ ImageExampleGen' not in challenger.stdout
    assert re.search(r'Evaluator\s.*val accuracy', challenger.stdout)
    folder = project.artifact('Report', 'report')
    cards = {
        card['name']: card for card in json.loads((folder / 'content.json').read_text())['cards']
    }
    changed = {fact['term']: fact['detail'] for fact in cards['changes']['facts']}
    assert 'training.seed: 0 → 1' in changed['Configuration']


def test_reviewed_schema_is_used_and_a_new_label_stops_the_run(project, first):
    project.write()
    written = project.thawline('schema', 'infer')
    assert written.returncode == 0, written.stderr
    schema = project.home / 'schema.pbtxt'
    text = schema.read_text('utf-8')
    assert 'image_domain' in text and all(f'"{name}"' in text for name in CLASSES)
    accepted = project.thawline('run', '--to', 'DataGate')
    assert accepted.returncode == 0, accepted.stdout + accepted.stderr
    assert 'reviewed schema' in accepted.stdout
    schema.write_text(re.sub(r'\s*value: "slate"', '', text), 'utf-8')
    stopped = project.thawline('run')
    assert stopped.returncode == 4, stopped.stdout + stopped.stderr
    assert 'thawline schema accept class:slate' in stopped.stdout
    assert 'Traceback' not in stopped.stdout
    schema.unlink()

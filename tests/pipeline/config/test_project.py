"""Where the files of a project are."""

from __future__ import annotations

import pathlib

from thawline import ROOT
from thawline.pipeline.config import config, loading
from thawline.pipeline.config.project import Project


def parsed(text: str) -> config.Config:
    return loading.parse('name: x\ndata: {source: images}\n' + text, 'thawline.yaml')


def test_paths_are_relative_to_the_file(tmp_path):
    plain = parsed('')
    project = Project.of(plain, tmp_path)
    assert project.output == tmp_path / 'runs' / 'x'
    assert project.source_spec().source == str(tmp_path / 'images')
    assert Project.of(parsed('output: ../elsewhere'), tmp_path).output == tmp_path / '../elsewhere'
    absolute = parsed('output: /data/x')
    assert Project.of(absolute, tmp_path).output == pathlib.Path('/data/x')


def test_urls_packages_and_names_are_left_as_they_are(tmp_path):
    remote = loading.parse('name: x\ndata: {source: "gs://bucket/images"}', 'thawline.yaml')
    assert Project.of(remote, tmp_path).source_spec().source == 'gs://bucket/images'
    assert Project.of(remote, tmp_path).weights() == 'imagenet'
    own = parsed('model: {backbone: mobilenet_v2, weights: w/base.h5}')
    assert Project.of(own, tmp_path).weights() == str(tmp_path / 'w' / 'base.h5')
    assert Project.of(own, tmp_path).base().backbone == 'mobilenet_v2'


def test_another_content_of_the_weights_file_is_another_digest(tmp_path):
    own = parsed('model: {backbone: mobilenet_v2, weights: base.h5}')
    project = Project.of(own, tmp_path)
    (tmp_path / 'base.h5').write_bytes(b'one')
    first = project.weights_digest()
    (tmp_path / 'base.h5').write_bytes(b'two')
    assert first and project.weights_digest() != first
    assert Project.of(parsed(''), tmp_path).weights_digest() == ''


def test_reviewed_schema_is_pinned_by_its_content(tmp_path):
    plain = parsed('')
    project = Project.of(plain, tmp_path)
    assert project.copy_schema() is None
    # All of ours are there already; a schema from before one of them was gets it.
    ours = (ROOT / 'schemas/images.pbtxt').read_text()
    (tmp_path / 'schema.pbtxt').write_text(f'# one\n{ours}')
    first = project.copy_schema()
    (tmp_path / 'schema.pbtxt').write_text(ours.replace('"cluster"', '"other"'))
    second = project.copy_schema()
    assert first and second and first != second
    assert first.read_text() == f'# one\n{ours}'
    added = second.read_text().removeprefix(ours.replace('"cluster"', '"other"'))
    assert added.strip() in ours and added.count('feature {') == 1 and '"cluster"' in added


def test_reviewed_schema_lies_beside_the_file_or_with_the_runs_of_a_preset(tmp_path):
    plain = parsed('')
    assert Project.of(plain, tmp_path).schema == tmp_path / 'schema.pbtxt'
    preset = Project.of(plain, tmp_path, is_preset=True)
    assert preset.schema == tmp_path / 'runs' / 'x' / 'schema.pbtxt'
    named = loading.parse('name: x\ndata: {source: a, schema_file: s/own.pbtxt}', 'thawline.yaml')
    assert Project.of(named, tmp_path).schema == tmp_path / 's' / 'own.pbtxt'


def test_corrected_labels_lie_beside_the_file_and_are_never_the_source(tmp_path):
    own = Project.of(parsed(''), tmp_path)
    assert own.source_spec().labels == own.labels == str(tmp_path / 'labels.csv')
    preset = Project.of(parsed(''), tmp_path, is_preset=True)
    assert preset.labels == str(tmp_path / 'runs' / 'x' / 'labels.csv')
    source = loading.parse('name: x\ndata: {source: labels.csv}', 'thawline.yaml')
    assert Project.of(source, tmp_path).source_spec().labels is None
    named = loading.parse('name: x\ndata: {source: a, labels: "gs://b/l.csv"}', 'thawline.yaml')
    assert Project.of(named, tmp_path).source_spec().labels == 'gs://b/l.csv'


def test_folds_allow_classes_that_are_too_small_for_three_splits(tmp_path):
    for folds, allowed in ((0, False), (5, True), ('auto', True)):
        text = f'name: x\ndata: {{source: images, split: {{folds: {folds}}}}}\n'
        project = Project.of(loading.parse(text, 'thawline.yaml'), tmp_path)
        assert project.source_spec().small_classes is allowed

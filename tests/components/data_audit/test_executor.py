"""The node on artifacts as Embedder and ingestion leave them."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import artifact_utils, standard_artifacts

from tests.components import transformed as making
from tests.components.training import tiny
from tests.components.transformed import SIZE, Row
from thawline.components.data_audit import executor, images, table
from thawline.components.data_audit.artifacts import DataAudit
from thawline.components.data_audit.component import DataAuditor
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.data_audit.record import AuditRecord
from thawline.components.embedding import embeddings, image_embeddings
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.shared import code_digest
from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet

SPLITS = ('train', 'val', 'test')


def example(row: Row, split: str, place: int) -> bytes:
    message = tf.train.Example()
    texts = {
        'image': row.image, 'image_id': row.image_id, 'label': row.label, 'split': split,
        'path': f'{row.label}/{place}.png', 'group': f'g{place}', 'source_format': 'png',
        'meta_line': row.label[:1],
    }  # fmt: skip
    if place % 2:
        texts['cluster'] = f'c{place}'
    for name, value in texts.items():
        data = value if isinstance(value, bytes) else value.encode()
        message.features.feature[name].bytes_list.value.append(data)
    message.features.feature['width'].int64_list.value.append(32)
    message.features.feature['brightness'].float_list.value.append(place / 100)
    if place == 0:
        message.features.feature['label_confidence'].float_list.value.append(0.75)
    return message.SerializeToString()


@dataclasses.dataclass(frozen=True)
class Given:
    examples: standard_artifacts.Examples
    embeddings: Embeddings
    rows: list[Row]


@pytest.fixture(scope='module')
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    """Every fifth image is in val, every sixth in test; two have the label of another class."""
    home = tmp_path_factory.mktemp('audit')
    rows = making.rows(16, 0)
    classes = sorted({row.label for row in rows})
    splits = ['val' if i % 5 == 4 else 'test' if i % 6 == 5 else 'train' for i in range(len(rows))]
    rng = np.random.default_rng(0)
    examples, embedded = standard_artifacts.Examples(), Embeddings()
    examples.uri, embedded.uri = str(home / 'examples'), str(home / 'embeddings')
    examples.split_names = artifact_utils.encode_split_names(list(SPLITS))
    sets = {}
    for split in SPLITS:
        mine = [(i, row) for i, row in enumerate(rows) if splits[i] == split]
        folder = home / 'examples' / f'Split-{split}'
        folder.mkdir(parents=True)
        with tf.io.TFRecordWriter(str(folder / 'data.gz'), 'GZIP') as writer:
            for i, row in mine:
                writer.write(example(row, split, i))
        labels = np.array([classes.index(row.label) for _, row in mine], np.int64)
        features = 4 * np.eye(len(classes), 8)[labels] + rng.normal(0, 0.5, (len(mine), 8))
        if split == 'train':
            features[0] = 4 * np.eye(8)[(labels[0] + 1) % len(classes)]
            views = np.stack([features, features + 50], axis=1)  # a view far off
        else:
            views = features[:, None]
        ids = np.array([row.image_id.encode() for _, row in mine], object)
        sets[split] = LabelledSet(views.astype(np.float32), labels, ids)
    spec = embeddings.Spec(
        'tiny', 'random', SIZE, 'top', 'light', 1, 0, 8,
        {split: len(of) for split, of in sets.items()}, 'abc', 1.0,
    )  # fmt: skip
    (home / 'embeddings').mkdir()
    tiny.write_embeddings(home / 'embeddings', spec, sets)
    return Given(examples, embedded, rows)


def run(given: Given, folder: pathlib.Path, policy: AuditPolicy) -> pathlib.Path:
    audit = DataAudit()
    audit.uri = str(folder)
    executor.Executor().Do(
        {'examples': [given.examples], 'embeddings': [given.embeddings]},
        {'audit': [audit]},
        {'policy': policy.model_dump_json()},
    )
    return folder


def test_what_is_known_of_the_images_is_joined(given: Given) -> None:
    files = {split: [f'{given.examples.uri}/Split-{split}/data.gz'] for split in SPLITS}
    embedded = image_embeddings.read(given.embeddings.uri)
    some = given.rows[3].image_id
    audited, encoded = images.read(files, embedded, {some})
    assert encoded == {some: given.rows[3].image}
    assert len(audited) == len(given.rows)
    place = {row.image_id: i for i, row in enumerate(given.rows)}
    for row, name in enumerate(audited.ids.tolist()):
        i = place[name]
        assert audited.classes[audited.labels[row]] == given.rows[i].label
        assert audited.paths[row] == f'{given.rows[i].label}/{i}.png'
        assert audited.clusters[row] == (f'c{i}' if i % 2 else f'g{i}'), (
            'groups where no cluster is'
        )
        assert audited.confidence[row] == (0.75 if i == 0 else 1)
        assert audited.facts['brightness'][row] == pytest.approx(i / 100)
        assert audited.facts['meta_line'][row] == given.rows[i].label[:1]
    assert np.isnan(audited.facts['height']).all()
    assert np.abs(audited.features).max() < 10, 'the plain images, no view'


def test_folds_are_read_where_there_are_some(given: Given, tmp_path: pathlib.Path) -> None:
    files, expected = {}, {}
    for split in SPLITS:
        source = tf.data.TFRecordDataset(f'{given.examples.uri}/Split-{split}/data.gz', 'GZIP')
        files[split] = [str(tmp_path / f'{split}.gz')]
        with tf.io.TFRecordWriter(files[split][0], 'GZIP') as writer:
            for i, record in enumerate(source.as_numpy_iterator()):
                message = tf.train.Example.FromString(record)
                name = message.features.feature['image_id'].bytes_list.value[0].decode()
                expected[name] = {'train': 1 + i % 3, 'val': 0}.get(split, -1)
                if split != 'test':
                    message.features.feature['fold'].int64_list.value.append(expected[name])
                writer.write(message.SerializeToString())
    embedded = image_embeddings.read(given.embeddings.uri)
    audited, _ = images.read(files, embedded)
    assert audited.folds is not None
    assert dict(zip(audited.ids.tolist(), audited.folds.tolist(), strict=True)) == expected
    plain = {split: [f'{given.examples.uri}/Split-{split}/data.gz'] for split in SPLITS}
    assert images.read(plain, embedded)[0].folds is None


def test_the_audit_is_written(given: Given, tmp_path: pathlib.Path) -> None:
    folder = run(given, tmp_path / 'audit', AuditPolicy(forecast=False))
    record = AuditRecord.read(folder)
    rows = table.read(folder).to_pylist()
    assert rows[0]['image_id'] == given.rows[0].image_id and rows[0]['suspect']
    assert rows[0]['label_confidence'] == 0.75
    assert record.suspects == {'train': 1} and sum(record.images.values()) == len(given.rows)
    assert record.base is not None
    # The base itself has random weights: there is nothing to compare it with but pixels.
    assert [rival.name for rival in record.base.rivals] == ['majority', 'pixels']
    assert {fact.name for fact in record.facts} == {'brightness', 'meta_line'}
    assert any(fact.is_spurious for fact in record.facts if fact.name == 'meta_line')


def test_a_fatal_finding_stops_and_writes_nothing(given: Given, tmp_path: pathlib.Path) -> None:
    policy = AuditPolicy(
        spurious_facts='stop', suspect_labels='ignore', weak_base='ignore', forecast=False
    )
    with pytest.raises(DataError, match='meta_line alone') as stopped:
        run(given, tmp_path / 'audit', policy)
    assert 'suspect' not in str(stopped.value)
    assert not (tmp_path / 'audit').exists()


def test_random_weights_are_asked_where_the_base_has_others(given: Given) -> None:
    spec = dataclasses.replace(
        embeddings.read_spec(given.embeddings.uri), backbone='mobilenet_v2_035', weights='imagenet'
    )
    rivals = executor.rival_features([row.image for row in given.rows[:3]], spec)
    assert rivals['pixels'].shape == (3, 16 * 16 * 3)
    assert rivals['random weights'].shape == (3, 1280)
    again = executor.rival_features([row.image for row in given.rows[:3]], spec)
    np.testing.assert_allclose(again['random weights'], rivals['random weights'], rtol=1e-4)


def test_a_damaged_table_is_named(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match='audit.parquet'):
        table.read(tmp_path)
    (tmp_path / table.FILE).write_bytes(b'no table')
    with pytest.raises(DataError, match='--no-cache'):
        table.read(tmp_path)


def test_the_contract() -> None:
    component = DataAuditor(
        examples=channel(standard_artifacts.Examples),
        embeddings=channel(Embeddings),
        policy=AuditPolicy(),
    )
    assert component.id == 'DataAudit' and set(component.outputs) == {'audit'}
    digest = code_digest.of_code(executor.__name__)
    assert component.exec_properties['code_digest'] == digest


def channel(kind: type) -> object:
    from tfx.types import channel_utils

    return channel_utils.as_channel([kind()])

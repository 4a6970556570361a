"""The whole audit on points whose classes are known, with and without what is to be found."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.components.data_audit import audited
from tests.components.data_audit.audited import CLASSES, QUICK, images
from thawline.components.data_audit import audit, table
from thawline.components.data_audit.images import AuditedImages
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.data_audit.record import AuditRecord


def run(given: AuditedImages, **policy: object) -> tuple[AuditRecord, list[dict]]:
    of = AuditPolicy(**{'weak_base': 'ignore', 'forecast': False, **policy})  # type: ignore[arg-type]
    record, rows = audit.audit(given, of, lambda rows: {})
    return record, rows.to_pylist()


def flipped(rows: list[int]) -> AuditedImages:
    clean = images()
    labels = clean.labels.copy()
    labels[rows] = (labels[rows] + 1) % 3
    return dataclasses.replace(clean, labels=labels)


@pytest.fixture(scope='module')
def clean() -> tuple[AuditRecord, list[dict]]:
    return run(images())


@pytest.fixture(scope='module')
def wrong() -> tuple[AuditRecord, list[dict]]:
    return run(flipped([2, 31, 69]))


def test_nothing_is_found_in_a_clean_set(clean) -> None:
    record, rows = clean
    assert record.findings == () and record.left_out == ''
    assert record.images == {'train': 72, 'val': 9, 'test': 9}
    assert record.accuracy is not None and record.accuracy.share == 1
    assert record.accuracy.n == 81, 'test images are not in the folds'
    assert record.suspects == {} and record.pairs == () and record.overlaps == ()
    assert len(rows) == 90 and not any(row['suspect'] for row in rows)


def test_flipped_labels_come_first_with_the_class_that_is_right(wrong) -> None:
    record, rows = wrong
    first = rows[:3]
    assert {row['image_id'] for row in first} == {'00002', '00031', '00069'}
    for row in first:
        right = CLASSES[int(row['image_id']) // 30]
        assert row['suspect'] and row['suggested'] == right and row['label'] != right
        assert row['quality'] < 0.1 and row['votes'] >= 8 and row['voters'] == audit.NEIGHBOURS
    assert not any(row['suspect'] for row in rows[3:])
    assert [row['quality'] for row in first] == sorted(row['quality'] for row in first)
    assert record.suspects == {'train': 2, 'test': 1}
    (finding,) = record.findings
    assert not finding.fatal and '3 of 90 labels are suspect' in finding.message


def test_test_images_are_in_no_fold(wrong) -> None:
    _, rows = wrong
    assert {row['fold'] for row in rows if row['split'] == 'test'} == {-1}
    assert {row['fold'] for row in rows if row['split'] != 'test'} == set(range(5))


def test_labels_of_test_change_nothing_for_the_others() -> None:
    """Neither a probability nor a suspect of train and val, nor any number of the record."""
    given = images(spread=1.6)
    labels = np.where(given.splits == 'test', (given.labels + 1) % 3, given.labels)
    record, rows = run(given, forecast=True)
    other, changed = run(dataclasses.replace(given, labels=labels), forecast=True)
    assert any(row['suspect'] for row in rows if row['split'] != 'test')

    def learned(table: list[dict]) -> list[tuple]:
        keys = ('image_id', 'quality', 'suggested', 'suspect', 'fold')
        return sorted(tuple(row[k] for k in keys) for row in table if row['split'] != 'test')

    assert learned(rows) == learned(changed)
    for name in ('accuracy', 'overlaps', 'facts', 'imbalance', 'forecasts'):
        assert getattr(record, name) == getattr(other, name), name


def test_stop_counts_train_and_val_alone() -> None:
    only_test = [9, 19, 39, 49, 79, 89]  # 6 of 90, and none of the 81
    record, _ = run(flipped(only_test), suspect_labels='stop', max_suspect_labels=0.0)
    assert record.suspects == {'test': 6} and not any(f.fatal for f in record.findings)
    record, _ = run(flipped([2]), suspect_labels='stop', max_suspect_labels=0.0)
    assert [f.fatal for f in record.findings] == [True]
    record, _ = run(flipped([2]), suspect_labels='stop', max_suspect_labels=0.05)
    assert [f.fatal for f in record.findings] == [False]
    assert run(flipped([2]), suspect_labels='ignore')[0].findings == ()


def test_the_same_whatever_the_order_of_the_images(wrong) -> None:
    given = flipped([2, 31, 69])
    order = np.random.default_rng(0).permutation(90)
    columns = {f.name: getattr(given, f.name) for f in dataclasses.fields(given)}
    columns = {
        name: value[order] if isinstance(value, np.ndarray) else value
        for name, value in columns.items()
    }
    columns['facts'] = {'brightness': given.facts['brightness'][order]}
    record, rows = run(AuditedImages(**columns))
    assert record.suspects == wrong[0].suspects
    assert {row['image_id'] for row in rows[:3]} == {row['image_id'] for row in wrong[1][:3]}


def test_images_of_another_kind_are_outliers_though_they_resemble_each_other() -> None:
    given = images(each=40)
    features = given.features.copy()
    features[:4] = 0
    features[:4, 9] = 5 + np.arange(4) / 100
    record, rows = run(dataclasses.replace(given, features=features))
    assert {row['image_id'] for row in rows if row['outlier']} == {f'{i:05d}' for i in range(4)}
    assert any('unlike those of any class' in f.message for f in record.findings)


def test_a_pair_in_two_splits_is_found_and_one_cluster_excuses_it() -> None:
    given = images()
    features = given.features.copy()
    features[9] = features[3]  # test and train
    pair = dataclasses.replace(given, features=features)
    record, _ = run(pair, duplicates='stop')
    assert record.pair_count == 1
    (found,) = record.pairs
    assert {found.a.split, found.b.split} == {'train', 'test'} and found.cosine > 0.999
    (finding,) = record.findings
    assert finding.fatal and found.a.path in finding.message
    clusters = given.clusters.copy()
    clusters[9] = clusters[3]
    assert run(dataclasses.replace(pair, clusters=clusters))[0].pair_count == 0


def test_a_pair_in_two_folds_is_found_and_one_in_a_fold_is_none() -> None:
    """Of five folds one is val and four are train, between which pairs count as well."""
    given = images()
    features = given.features.copy()
    features[2] = features[3]
    features[5] = features[4]
    folds = np.where(given.splits == 'test', -1, np.where(given.splits == 'val', 0, 1))
    folds[[2, 3, 4, 5]] = 1, 2, 3, 3
    record, _ = run(dataclasses.replace(given, features=features, folds=folds))
    (found,) = record.pairs
    assert (found.a.split, found.b.split) == ('fold 1', 'fold 2')
    (finding,) = (f for f in record.findings if 'the same' in f.message)
    assert 'in different folds' in finding.message
    without, _ = run(dataclasses.replace(given, features=features))
    assert without.pair_count == 0
    some = dataclasses.replace(given, folds=folds).take(np.array([8, 9, 3]))
    assert some.parts.tolist() == ['fold 0', 'test', 'fold 2']


def test_classes_that_the_labels_confuse() -> None:
    given = images(each=60)
    labels = given.labels.copy()
    rng = np.random.default_rng(0)
    for mine, other in ((0, 1), (1, 0)):
        members = np.flatnonzero((given.labels == mine) & (given.splits != 'test'))
        labels[rng.choice(members, 12, replace=False)] = other
    record, _ = run(dataclasses.replace(given, labels=labels))
    (pair,) = record.overlaps
    assert (pair.a, pair.b) == ('apple', 'pear') and pair.a_as_b + pair.b_as_a >= 16
    assert any("'apple' and 'pear' are confused" in f.message for f in record.findings)


def test_a_fact_that_tells_the_class_is_spurious() -> None:
    given = images()
    formats = np.where(given.labels == 0, 'png', 'jpeg')
    record, _ = run(
        dataclasses.replace(given, facts={**given.facts, 'source_format': formats}),
        spurious_facts='stop',
    )
    told, noise = record.facts
    assert told.name == 'source_format' and told.is_spurious and told.accuracy > 0.6
    assert noise.name == 'brightness' and not noise.is_spurious
    (finding,) = record.findings
    assert finding.fatal and finding.message.startswith('source_format alone')


def test_a_small_class_that_is_hardly_recognised() -> None:
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1, 2], [60, 60, 15])
    n = len(labels)
    features = 4 * np.eye(3, 8)[np.where(labels == 2, 0, labels)] + rng.normal(0, 1, (n, 8))
    given = images(
        ids=np.arange(n).astype(str), paths=np.arange(n).astype(str),
        splits=np.full(n, 'train'), labels=labels, clusters=np.arange(n).astype(str),
        confidence=np.ones(n, np.float32), features=features.astype(np.float32), facts={},
    )  # fmt: skip
    record, _ = run(given)
    assert record.imbalance is not None
    assert (record.imbalance.smallest, record.imbalance.images) == ('quince', 15)
    assert record.imbalance.recall.upper < 0.8
    assert any('training.class_weights' in finding.message for finding in record.findings)


def test_a_base_that_is_worse_than_pixels_is_negative_transfer() -> None:
    good = images(each=40)
    noise = np.random.default_rng(0).normal(size=good.features.shape).astype(np.float32)
    base = dataclasses.replace(good, features=noise)
    record, _ = audit.audit(
        base, AuditPolicy(forecast=False), lambda rows: {'pixels': good.features[rows]}
    )
    assert record.base is not None and [r.name for r in record.base.better] == ['pixels']
    assert any('negative transfer' in finding.message for finding in record.findings)
    record, _ = audit.audit(
        good, AuditPolicy(forecast=False), lambda rows: {'random weights': noise[rows]}
    )
    assert record.base is not None and not record.base.not_worse and record.findings == ()
    assert [rival.name for rival in record.base.rivals] == ['majority', 'random weights']


@pytest.mark.parametrize(
    'given',
    [
        images(clusters=np.full(90, 'one')),
        images(labels=np.zeros(90, int)),
        images(splits=np.full(90, 'test')),
    ],
    ids=['one cluster', 'one class', 'test alone'],
)
def test_what_needs_folds_is_left_out_with_a_reason(given) -> None:
    record, rows = run(given)
    assert record.left_out and record.accuracy is None and record.forecasts == ()
    assert len(rows) == 90 and all(row['quality'] is None for row in rows)
    assert all(row['distance'] is not None for row in rows)


def test_no_images_and_one_image() -> None:
    nothing = images(each=0)
    record, rows = run(nothing)
    assert record.images == {} and rows == [] and record.left_out
    record, rows = run(images(each=1))
    assert len(rows) == 3 and record.forecasts == ()


def test_all_images_identical() -> None:
    given = images(features=np.ones((90, 16), np.float32))
    record, rows = run(given)
    assert record.accuracy is not None and record.accuracy.share < 0.7
    assert not any(row['outlier'] for row in rows)


def test_a_class_that_only_test_has() -> None:
    given = images()
    splits = np.where(given.labels == 2, 'test', given.splits)
    record, rows = run(dataclasses.replace(given, splits=splits))
    assert record.accuracy is not None and record.accuracy.share == 1
    assert all(row['quality'] == 0 for row in rows if row['label'] == 'quince')


def test_one_image_a_class_in_train() -> None:
    n = 50
    rng = np.random.default_rng(0)
    names = tuple(f'class {i:02}' for i in range(n))
    given = images(
        ids=np.arange(n).astype(str), paths=np.arange(n).astype(str),
        splits=np.full(n, 'train'), labels=np.arange(n), clusters=np.arange(n).astype(str),
        confidence=np.ones(n, np.float32),
        features=rng.normal(size=(n, 8)).astype(np.float32), facts={}, classes=names,
    )  # fmt: skip
    record, _ = run(given)
    assert record.accuracy is not None and record.accuracy.share == 0


def test_record_and_table_are_read_as_written(wrong, tmp_path) -> None:
    record, rows = audit.audit(flipped([2]), QUICK, lambda rows: {})
    record.write(tmp_path)
    table.write(tmp_path, rows)
    assert AuditRecord.read(tmp_path) == record
    assert table.read(tmp_path).equals(rows)


def test_notes_of_pictures_show_the_evidence() -> None:
    given = flipped([2])
    confidence = given.confidence.copy()
    confidence[2] = 0.6
    shown = audited.AuditedData(
        *audit.audit(dataclasses.replace(given, confidence=confidence), QUICK, lambda rows: {})
    )
    ((name, note),) = shown.suspects(5).items()
    assert name == '00002' and 'rather apple?' in note and 'known confidence 60 %' in note
    assert shown.compared == 90

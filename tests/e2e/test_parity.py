"""The same pixels everywhere: in Transform, in the Trainer, in the Evaluator, in what is served."""

from __future__ import annotations

import numpy as np
import pytest

from tests.e2e.conftest import CLASSES, Project

pytestmark = pytest.mark.e2e
SIZE = 32


@pytest.fixture(scope='module')
def project(make_project) -> Project:
    # letterbox has the most arithmetic of the resize modes; unit tests compare all three.
    made = make_project(
        images=12,
        preprocessing=f'{{image_size: {SIZE}, resize: letterbox}}',
        training='{augmentation: none, mode: probe}',
        gate='{val_accuracy: 0.0, strictness: point}',
        serving='{}',
    )
    done = made.thawline('run')
    assert done.returncode == 0, done.stdout + done.stderr
    return made


def raw_examples(project: Project, split: str) -> list[bytes]:
    import tensorflow as tf

    folder = project.artifact('ImageExampleGen', 'examples') / f'Split-{split}'
    files = sorted(str(file) for file in folder.iterdir())
    return [r.numpy() for r in tf.data.TFRecordDataset(files, compression_type='GZIP')]


def feature(example: bytes, name: str) -> bytes:
    import tensorflow as tf

    return tf.train.Example.FromString(example).features.feature[name].bytes_list.value[0]


def test_pixels_are_bit_identical_everywhere(project):
    import tensorflow as tf

    from thawline.components.training import training_images

    served = tf.saved_model.load(str(project.versions()[-1])).signatures
    transformed = project.artifact('Transform', 'transformed_examples')
    for split in ('train', 'val', 'test'):
        examples = sorted(raw_examples(project, split), key=lambda e: feature(e, 'image_id'))
        batch = tf.constant(examples)
        trained = training_images.load([str(transformed / f'Split-{split}' / '*')], SIZE)
        assert [feature(e, 'image_id') for e in examples] == trained.ids.tolist()
        # What the Evaluator's model sees is what serving_default computes from raw examples.
        features = served['transform_features'](examples=batch)
        np.testing.assert_array_equal(features['pixels'].numpy(), trained.values)
        np.testing.assert_array_equal(features['label_index'].numpy(), trained.labels)
        expected = [sorted(CLASSES).index(feature(e, 'label').decode()) for e in examples]
        np.testing.assert_array_equal(trained.labels, expected)

        by_example = served['serving_default'](examples=batch)
        images = tf.constant([feature(e, 'image') for e in examples])
        by_bytes = served['serving_bytes'](image_bytes=images)
        by_pixels = served['serving_pixels'](pixels=tf.constant(trained.values))
        for name in ('probabilities', 'label', 'score'):
            np.testing.assert_array_equal(by_bytes[name].numpy(), by_example[name].numpy())
            np.testing.assert_array_equal(by_pixels[name].numpy(), by_example[name].numpy())


def test_evaluator_counted_what_the_served_model_answers(project):
    """On test; of val it keeps the model's answers beside those that were held out from it."""
    import tensorflow as tf

    from tests.components.evaluation import evaluating
    from thawline.components.evaluation import predictions

    table = predictions.read(str(project.artifact('Evaluator', 'evaluation')))
    names = np.array([*table.classes, ''])
    own = dict(zip(table.ids, names[table.served_answers], strict=True))
    served = tf.saved_model.load(str(project.versions()[-1])).signatures['serving_default']
    for split in ('val', 'test'):
        examples = raw_examples(project, split)
        answers = served(examples=tf.constant(examples))['label'].numpy()
        hits = np.mean([a == feature(e, 'label') for a, e in zip(answers, examples, strict=True)])
        found = evaluating.interval(str(project.artifact('Evaluator', 'evaluation')), split)
        assert found is not None and found.n == len(examples)
        by_id = {feature(e, 'image_id').decode(): a for e, a in zip(examples, answers, strict=True)}
        assert {name: own[name] for name in by_id} == {n: a.decode() for n, a in by_id.items()}
        if split == 'test':
            assert found.share == pytest.approx(hits)
        else:
            rows = table.splits == split
            assert (table.folds[rows] != predictions.NO_FOLD).all()
            assert found.share == pytest.approx((table.answers == table.labels)[rows].mean())

"""How often val images were looked at, from a real store and real tables of predictions."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from ml_metadata.proto import metadata_store_pb2 as pb
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from tests.components.shared.test_lineage import Recorder, connection_to
from thawline.components.evaluation import looks, predictions
from thawline.components.shared import metadata_store

CLASSES = ('ant', 'bee')


class Project(Recorder):
    """Evaluations of models, as the Evaluator leaves them."""

    def __init__(self, folder: pathlib.Path) -> None:
        super().__init__(metadata_store.open_store(connection_to(folder / 'metadata.sqlite')))
        self.folder = folder
        self.kind = self.store.put_artifact_type(pb.ArtifactType(name='ModelEvaluation'))

    def evaluate(
        self,
        model: int,
        val: range,
        place: str = 'Evaluator/evaluation',
        state: int = pb.Execution.COMPLETE,
    ) -> Artifact:
        """The evaluation of a model on val images with these numbers, and on one of test."""
        uri = self.folder / place / f'{len(self.store.get_artifacts())}'
        ids = [f'{n}' for n in [*val, 1000]]
        chances = np.tile(np.array([0.9, 0.1], np.float32), (len(ids), 1))
        rows = {
            'image_id': ids,
            'path': ids,
            'split': ['val'] * len(val) + ['test'],
            'label': ['ant'] * len(ids),
            'answer': ['ant'] * len(ids),
            'score': [0.9] * len(ids),
            'probabilities': predictions.vectors(chances),
        }
        (uri / predictions.FOLDER).mkdir(parents=True)
        table = predictions.table(rows, predictions.schema(CLASSES, [], {}))
        pq.write_table(table, uri / predictions.FOLDER / 'part.parquet')
        (number,) = self.store.put_artifacts([pb.Artifact(type_id=self.kind, uri=str(uri))])
        self.run('Evaluator', f'r{number}', {'model': model}, {'evaluation': number}, state)
        evaluation = standard_artifacts.ModelEvaluation()
        evaluation.uri, evaluation.id = str(uri), number
        return evaluation

    def looks(self, model: int, val: range) -> int:
        """Before the evaluation of a model that is under way."""
        evaluation = standard_artifacts.ModelEvaluation()
        evaluation.uri = str(self.folder / 'Evaluator/evaluation/now')
        return looks.earlier_models(self.store, model, evaluation, [f'{n}' for n in val])


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    return Project(tmp_path)


def test_models_that_the_same_images_judged_are_counted_once(project: Project) -> None:
    first, second, third, fourth = (project.artifact() for _ in range(4))
    assert project.looks(first, range(100)) == 0
    project.evaluate(first, range(100))
    project.evaluate(first, range(100))  # again, by other rules
    assert project.looks(second, range(100)) == 1
    project.evaluate(second, range(50, 150))  # half of them
    assert project.looks(third, range(100)) == 2
    project.evaluate(third, range(51, 151))  # less than half
    assert project.looks(fourth, range(100)) == 2
    # Neither the model itself nor a later one is an earlier look.
    project.evaluate(fourth, range(100))
    assert project.looks(fourth, range(100)) == 2 and project.looks(first, range(100)) == 0


def test_what_does_not_count(project: Project) -> None:
    first, second, third = (project.artifact() for _ in range(3))
    project.evaluate(first, range(100), place='other/Evaluator/evaluation')
    project.evaluate(second, range(100), state=pb.Execution.FAILED)
    assert project.looks(third, range(100)) == 0
    assert project.looks(third, range(0)) == 0
    project.evaluate(second, range(1000, 1001))  # test images of others
    assert project.looks(third, range(100)) == 0
    evaluation = standard_artifacts.ModelEvaluation()
    assert looks.earlier_models(None, third, evaluation, ['0']) == 0


def test_a_deleted_evaluation_undoes_no_look(project: Project) -> None:
    first, second = project.artifact(), project.artifact()
    evaluation = project.evaluate(first, range(100))
    shutil.rmtree(evaluation.uri)
    assert project.looks(second, range(100)) == 1

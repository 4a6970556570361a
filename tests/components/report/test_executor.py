"""The node on artifacts as the nodes before it leave them."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tensorflow_data_validation as tfdv
from tfx.types import standard_artifacts
from tfx.types.artifact import Artifact

from tests.components.report import report_inputs
from tests.components.report.report_node import (
    SPLITS,
    artifact,
    run,
    write_audit,
    write_embeddings,
    write_records,
)
from tests.components.transformed import Transformed
from thawline.components.data_audit.artifacts import DataAudit
from thawline.components.data_gate.artifacts import DataVerdict
from thawline.components.embedding import image_embeddings
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.evaluation import predictions
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.report import executor
from thawline.components.report.build import ReportInputs


def write_predictions(given: ReportInputs, folder: pathlib.Path) -> None:
    found = given.predictions
    schema = predictions.schema(found.classes, ['meta_serial'], found.edges)
    names = np.array(found.classes, object)
    rows: dict[str, Any] = {
        'image_id': found.ids,
        'path': found.paths,
        'split': found.splits,
        'label': names[found.labels],
        'answer': names[found.answers],
        'score': found.scores,
        'probabilities': predictions.vectors(found.probabilities),
        **found.columns,
    }
    (folder / predictions.FOLDER).mkdir()
    pq.write_table(predictions.table(rows, schema), folder / predictions.FOLDER / 'a.parquet')


@pytest.fixture(scope='module')
def inputs(
    transformed: Transformed, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, list[Artifact]]:
    """One artifact of each kind, of a tiny exported model."""
    home = tmp_path_factory.mktemp('artifacts')
    given = report_inputs.given(transformed, home / 'given')
    kinds = {
        'examples': standard_artifacts.Examples,
        'quarantine': Quarantine,
        'statistics': standard_artifacts.ExampleStatistics,
        'data_verdict': DataVerdict,
        'data_audit': DataAudit,
        'embeddings': Embeddings,
        'model': standard_artifacts.Model,
        'model_run': standard_artifacts.ModelRun,
        'evaluation': standard_artifacts.ModelEvaluation,
    }
    made = {
        name: artifact(kind, home / name, place) for place, (name, kind) in enumerate(kinds.items())
    }
    folder = {name: pathlib.Path(one.uri) for name, one in made.items()}
    frame = pd.DataFrame({'brightness': [0.2, 0.4, 0.6], 'label': ['a', 'b', 'a']})
    message = tfdv.generate_statistics_from_dataframe(frame, n_jobs=1)
    for split in SPLITS:
        for kind in ('examples', 'statistics'):
            (folder[kind] / f'Split-{split}').mkdir()
        (source,) = given.data.files[split]
        pathlib.Path(source).rename(folder['examples'] / f'Split-{split}' / 'data.gz')
        (folder['statistics'] / f'Split-{split}' / 'FeatureStats.pb').write_bytes(
            message.SerializeToString()
        )
    (home / 'given' / 'model').rename(folder['model'] / 'Format-Serving')
    write_records(home, given.data.summary, given.data.record, given.model.record)
    given.verdict.write(folder['evaluation'])
    write_predictions(given, folder['evaluation'])
    write_embeddings(folder['embeddings'], given.embeddings)
    write_audit(folder['data_audit'], given.audit)
    return {name: [one] for name, one in made.items()}


def test_report_of_a_refused_model_and_of_the_next(
    inputs: dict[str, list[Artifact]], tmp_path: pathlib.Path
) -> None:
    report, folder = run({**inputs, 'previous': []}, tmp_path / 'first')
    assert report.get_int_custom_property('blessed') == 0
    assert report.get_string_custom_property('headline') == report_inputs.VERDICT.headline
    found = json.loads((folder / executor.CONTENT).read_text('utf-8'))
    assert all(picture['thumbnail'] for picture in found['pictures'].values())
    summary = json.loads((folder / executor.SUMMARY).read_text('utf-8'))
    assert summary['parts'] == found['parts'] and 'pictures' not in summary
    page = (folder / executor.HTML).read_text('utf-8')
    assert 'accuracy 0.500 is below 0.800' in page and report_inputs.HOSTILE_PATH not in page

    _, later = run({**inputs, 'previous': [report]}, tmp_path / 'second')
    cards = json.loads((later / executor.CONTENT).read_text('utf-8'))['cards']
    facts = {fact['term']: fact for card in cards for fact in card['facts']}
    assert facts['Verdict']['value'] == 'not blessed'
    assert 'Configuration' in facts and 'Last run' in facts
    assert facts['Time of the nodes']['value'] == 'not recorded'


def test_plain_images_of_all_splits_are_embedded(inputs: dict[str, list[Artifact]]) -> None:
    found = image_embeddings.read(inputs['embeddings'][0].uri)
    assert set(found.splits) == set(SPLITS) and len(set(found.ids)) == len(found.ids)
    assert found.features.shape == (len(found.ids), 8)
    assert np.abs(found.features).max() < 10, 'an augmented view'


def test_features_that_are_no_numbers_have_no_neighbours(tmp_path: pathlib.Path) -> None:
    every = {
        split: [report_inputs.Drawn(f'{split}{i}', '', 'a', b'') for i in range(3)]
        for split in SPLITS
    }
    given = report_inputs.embedded(every, ('a', 'b'))
    given.features[0, 0], given.features[-1, 1] = np.nan, np.inf
    write_embeddings(tmp_path, given)
    found = image_embeddings.read(str(tmp_path))
    assert set(given.ids) - set(found.ids) == {'train0', 'test2'}
    assert np.isfinite(found.features).all()
    assert len(found.ids) == len(found.splits) == len(found.labels) == len(found.features)

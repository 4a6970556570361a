"""The gate on what TFDV really writes."""

from __future__ import annotations

import json
import pathlib
from typing import TypeAlias

import pandas as pd
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2
from tfx.types import standard_artifacts

from tests import made_records
from thawline.components.data_gate import executor
from thawline.components.data_gate.artifacts import DataVerdict
from thawline.components.data_gate.component import DataGate
from thawline.components.data_gate.findings import DataRecord
from thawline.components.data_gate.params import DataPolicy
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.shared import code_digest
from thawline.components.shared.errors import DataError

Statistics: TypeAlias = statistics_pb2.DatasetFeatureStatisticsList
# A name that needs no escape in TFDV's text form but breaks naive parsing.
COUNTS = {'cat': 30, 'grüne "Katze"': 25, '🐈': 12}


def statistics(counts: dict[str, int], **extra: list[object]) -> Statistics:
    labels = [name for name, n in counts.items() for _ in range(n)]
    frame = pd.DataFrame(
        {'label': labels, 'image_id': [str(i) for i in range(len(labels))], **extra}
    )
    return tfdv.generate_statistics_from_dataframe(frame, n_jobs=1)


@pytest.fixture(scope='module')
def sane() -> Statistics:
    return statistics(COUNTS)


def test_class_counts_of_generated_statistics(sane: Statistics) -> None:
    assert executor.class_counts(sane) == COUNTS


def test_class_counts_of_many_classes() -> None:
    """TFDV lists 20 top values; the rank histogram must hold them all."""
    many = {f'class {i:03}': 1 + i % 3 for i in range(150)}
    assert executor.class_counts(statistics(many)) == many


def test_class_counts_without_labels() -> None:
    frame = pd.DataFrame({'image_id': ['a', 'b']})
    assert executor.class_counts(tfdv.generate_statistics_from_dataframe(frame, n_jobs=1)) == {}
    assert executor.class_counts(Statistics()) == {}


def schema_of(sane: Statistics) -> schema_pb2.Schema:
    schema = tfdv.infer_schema(sane)
    tfdv.get_feature(schema, 'label').domain = 'classes'
    schema.string_domain.add(name='classes', value=list(COUNTS))
    return schema


def test_anomaly_lines_of_a_validation(sane: Statistics) -> None:
    schema = schema_of(sane)
    assert executor.anomaly_lines(tfdv.validate_statistics(sane, schema)) == []
    strange = statistics({**COUNTS, 'owl': 10}, extra=[1.5] * 77)
    lines = executor.anomaly_lines(tfdv.validate_statistics(strange, schema))
    assert len(lines) == 2
    assert lines[0].startswith("feature 'extra': New column")
    assert lines[1].startswith("feature 'label': Unexpected string values")
    assert 'owl' in lines[1]


def test_anomaly_of_the_data_set_as_a_whole(sane: Statistics) -> None:
    schema = schema_of(sane)
    schema.dataset_constraints.min_examples_count = 1000
    (line,) = executor.anomaly_lines(tfdv.validate_statistics(sane, schema))
    assert '67 examples' in line and 'fewer than expected' in line


class Run:
    """Artifacts of one execution, written as the upstream components write them."""

    def __init__(self, folder: pathlib.Path) -> None:
        self._statistics = standard_artifacts.ExampleStatistics()
        self._anomalies = standard_artifacts.ExampleAnomalies()
        self._quarantine, self.verdict = Quarantine(), DataVerdict()
        self._schema = standard_artifacts.Schema()
        artifacts = (
            self._statistics, self._anomalies, self._quarantine, self.verdict, self._schema
        )  # fmt: skip
        for number, artifact in enumerate(artifacts):
            artifact.uri = str(folder / str(number))
            pathlib.Path(artifact.uri).mkdir(parents=True)
        names = json.dumps(['train', 'val', 'test'])
        self._statistics.split_names = self._anomalies.split_names = names

    def write(
        self,
        sane: Statistics,
        anomalies: anomalies_pb2.Anomalies,
        quarantined: int,
        schema: schema_pb2.Schema | None = None,
    ) -> None:
        tfdv.write_schema_text(
            schema or tfdv.infer_schema(sane), str(pathlib.Path(self._schema.uri, 'schema.pbtxt'))
        )
        for split in ('train', 'val', 'test'):
            folder = pathlib.Path(self._statistics.uri, f'Split-{split}')
            folder.mkdir()
            (folder / 'FeatureStats.pb').write_bytes(sane.SerializeToString())
            folder = pathlib.Path(self._anomalies.uri, f'Split-{split}')
            folder.mkdir()
            (folder / 'SchemaDiff.pb').write_bytes(anomalies.SerializeToString())
        counts = {'train': {'a': 201 - quarantined}}
        made_records.ingestion(counts, quarantined).write(self._quarantine.uri)

    def judge(self, policy: DataPolicy) -> None:
        executor.Executor().Do(
            {
                'statistics': [self._statistics],
                'schema': [self._schema],
                'anomalies': [self._anomalies],
                'quarantine': [self._quarantine],
            },
            {'verdict': [self.verdict]},
            {'policy': policy.model_dump_json(), 'code_digest': 'x'},
        )


def test_verdict_of_sane_data(sane: Statistics, tmp_path: pathlib.Path) -> None:
    run = Run(tmp_path)
    run.write(sane, anomalies_pb2.Anomalies(), quarantined=2)
    run.judge(DataPolicy())
    text = pathlib.Path(run.verdict.uri, DataRecord.FILE).read_text('utf-8')
    verdict = json.loads(text)
    assert verdict['findings'] == []
    assert verdict['facts']['class_counts'] == {s: COUNTS for s in ('train', 'val', 'test')}
    assert verdict['facts']['quarantined'] == 2
    assert 'grüne' in text  # for people to read: no escapes


def test_fatal_data_stop_with_every_reason(sane: Statistics, tmp_path: pathlib.Path) -> None:
    strange = statistics({**COUNTS, 'owl': 1})
    anomalies = tfdv.validate_statistics(strange, schema_of(sane))
    run = Run(tmp_path)
    run.write(strange, anomalies, quarantined=150)
    with pytest.raises(DataError) as caught:
        run.judge(DataPolicy(min_images_per_class=10))
    for part in ("'owl' (3)", '150 of 201 files', 'anomaly in val', 'truncated'):
        assert part in str(caught.value)
    run.judge(DataPolicy(min_images_per_class=1, max_quarantined=0.9, anomalies='warn'))
    findings = DataRecord.read(run.verdict.uri).findings
    assert not any(finding.fatal for finding in findings)
    assert sum(finding.message.startswith('anomaly in') for finding in findings) == 3


def test_a_class_of_the_schema_without_an_image_stops(
    sane: Statistics, tmp_path: pathlib.Path
) -> None:
    run, schema = Run(tmp_path), schema_of(sane)
    assert executor.schema_classes(schema) == list(COUNTS)
    schema.string_domain[-1].value.append('owl')
    run.write(sane, anomalies_pb2.Anomalies(), quarantined=0, schema=schema)
    with pytest.raises(DataError, match="the schema knows 'owl', but no image"):
        run.judge(DataPolicy())
    run.judge(DataPolicy(anomalies='warn'))
    assert [finding.fatal for finding in DataRecord.read(run.verdict.uri).findings] == [False]
    assert executor.schema_classes(tfdv.infer_schema(sane)) in ([], sorted(COUNTS))
    assert executor.schema_classes(schema_pb2.Schema()) == []


def test_component_takes_the_outputs_of_the_others() -> None:
    from tfx import types

    component = DataGate(
        statistics=types.Channel(type=standard_artifacts.ExampleStatistics),
        schema=types.Channel(type=standard_artifacts.Schema),
        anomalies=types.Channel(type=standard_artifacts.ExampleAnomalies),
        quarantine=types.Channel(type=Quarantine),
        policy=DataPolicy(),
    )
    assert component.outputs['verdict'].type is DataVerdict
    assert component.exec_properties == {
        'policy': DataPolicy().model_dump_json(),
        **code_digest.key_properties(executor.__name__),
    }

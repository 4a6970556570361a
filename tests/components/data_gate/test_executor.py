"""The gate on what TFDV really writes."""

from __future__ import annotations

import json
import pathlib

import pytest
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2
from tfx.types import standard_artifacts

from tests import made_records
from tests.components.data_gate import made_statistics
from thawline.components.data_gate import executor
from thawline.components.data_gate.artifacts import DataVerdict
from thawline.components.data_gate.component import DataGate
from thawline.components.data_gate.findings import DataRecord
from thawline.components.data_gate.params import DataPolicy
from thawline.components.data_gate.split_statistics import Statistics
from thawline.components.ingestion.artifacts import Quarantine
from thawline.components.ingestion.quarantine import SMALL_BOX, TRUNCATED
from thawline.components.shared import code_digest
from thawline.components.shared.errors import DataError

# A name that needs no escape in TFDV's text form but breaks naive parsing.
COUNTS = {'cat': 30, 'grüne "Katze"': 25, '🐈': 12}


def statistics(counts: dict[str, int]) -> Statistics:
    labels = [name for name, n in counts.items() for _ in range(n)]
    return made_statistics.of_rows({'label': labels, 'image_id': [*map(str, range(len(labels)))]})


@pytest.fixture(scope='module')
def sane() -> Statistics:
    return statistics(COUNTS)


def schema_of(sane: Statistics) -> schema_pb2.Schema:
    schema = tfdv.infer_schema(sane)
    tfdv.get_feature(schema, 'label').domain = 'classes'
    schema.string_domain.add(name='classes', value=list(COUNTS))
    return schema


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
        reason: str = TRUNCATED,
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
        made_records.ingestion(counts, quarantined, reason).write(self._quarantine.uri)

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
    schema = schema_of(sane)
    run = Run(tmp_path)
    run.write(strange, tfdv.validate_statistics(strange, schema), 150, schema)
    with pytest.raises(DataError) as caught:
        run.judge(DataPolicy(min_images_per_class=10))
    for part in ("'owl' (3)", '150 of 201 files', 'thawline schema accept class:owl', 'truncated'):
        assert part in str(caught.value)
    run.judge(DataPolicy(min_images_per_class=1, max_quarantined=0.9, new_class='warn'))
    record = DataRecord.read(run.verdict.uri)
    assert [(of.fatal, of.kind) for of in record.findings] == [
        (False, 'new_class'), (False, '')
    ]  # fmt: skip
    assert [change.subject for change in record.facts.changes] == ['owl']
    assert '3 images (train 1, val 1, test 1)' in record.findings[0].message


def test_what_the_settings_leave_out_is_no_bad_data(
    sane: Statistics, tmp_path: pathlib.Path
) -> None:
    run = Run(tmp_path)
    run.write(sane, anomalies_pb2.Anomalies(), quarantined=150, reason=SMALL_BOX)
    run.judge(DataPolicy())
    facts = DataRecord.read(run.verdict.uri).facts
    assert (facts.listed, facts.quarantined, facts.reasons) == (51, 0, {})


def test_a_class_of_the_schema_without_an_image_stops(
    sane: Statistics, tmp_path: pathlib.Path
) -> None:
    run, schema = Run(tmp_path), schema_of(sane)
    schema.string_domain[-1].value.append('owl')
    run.write(sane, anomalies_pb2.Anomalies(), quarantined=0, schema=schema)
    with pytest.raises(DataError, match="class 'owl' has no image"):
        run.judge(DataPolicy())
    run.judge(DataPolicy(vanished_class='warn'))
    assert [finding.fatal for finding in DataRecord.read(run.verdict.uri).findings] == [False]
    run.judge(DataPolicy(vanished_class='ignore'))
    assert DataRecord.read(run.verdict.uri).findings == []


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

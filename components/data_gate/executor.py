"""Collects the facts from TFDV's results, finds what is wrong, writes the verdict or stops."""

from __future__ import annotations

import pathlib

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, schema_pb2, statistics_pb2

from thawline.components.data_gate.findings import DataFacts, DataRecord, find
from thawline.components.data_gate.params import DataPolicy
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.shared import split_files
from thawline.components.shared.executor import Artifacts, NodeExecutor, Properties
from thawline.components.shared.finding import stop_if_fatal


def class_counts(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, int]:
    """Images a class, from the rank histogram of the feature `label`."""
    return {
        bucket.label: int(bucket.sample_count)
        for dataset in statistics.datasets
        for feature in dataset.features
        if (feature.name or '/'.join(feature.path.step)) == 'label'
        for bucket in feature.string_stats.rank_histogram.buckets
    }


def schema_classes(schema: schema_pb2.Schema) -> list[str]:
    """The classes that a schema knows: the values of the domain of the feature `label`."""
    try:
        return list(tfdv.get_domain(schema, 'label').value)
    except (ValueError, AttributeError):  # no such feature, no domain, or one that is no list
        return []


def anomaly_lines(anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """One line an anomaly: the feature, then TFDV's description."""
    lines = []
    if anomalies.data_missing:
        lines.append('there are no images')
    if anomalies.HasField('dataset_anomaly_info'):
        lines.append(anomalies.dataset_anomaly_info.description)
    for name, info in sorted(anomalies.anomaly_info.items()):
        lines.append(f'feature {name!r}: {info.short_description}: {info.description}')
    return lines


_SCHEMA = 'schema.pbtxt'  # as SchemaGen and ImportSchemaGen name it


class Executor(NodeExecutor):
    """Runs the gate."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Judges the data.

        Raises:
            DataError: a finding is fatal.
        """
        ingested = IngestionSummary.read(inputs['quarantine'].uri).without_choices
        facts = DataFacts(
            {
                split: class_counts(tfdv.load_stats_binary(f'{folder}/FeatureStats.pb'))
                for split, folder in split_files.folders(inputs['statistics']).items()
            },
            ingested.total,
            ingested.quarantined,
            ingested.reasons,
            {
                split: anomaly_lines(
                    anomalies_pb2.Anomalies.FromString(
                        pathlib.Path(folder, 'SchemaDiff.pb').read_bytes()
                    )
                )
                for split, folder in split_files.folders(inputs['anomalies']).items()
            },
            schema_classes(tfdv.load_schema_text(f'{inputs["schema"].uri}/{_SCHEMA}')),
        )
        policy = DataPolicy.model_validate_json(properties['policy'])
        findings = find(facts, policy)
        stop_if_fatal(findings)
        DataRecord(facts, findings).write(outputs['verdict'].uri)

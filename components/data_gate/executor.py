"""Collects the facts from TFDV's results, finds what is wrong, writes the verdict or stops."""

from __future__ import annotations

import pathlib

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2

from thawline.components.data_gate import schema_comparison
from thawline.components.data_gate.findings import DataFacts, DataRecord, find
from thawline.components.data_gate.params import DataPolicy
from thawline.components.data_gate.split_statistics import SplitStatistics
from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.shared import split_files
from thawline.components.shared.executor import Artifacts, NodeExecutor, Properties
from thawline.components.shared.finding import stop_if_fatal

_SCHEMA = 'schema.pbtxt'  # as SchemaGen and ImportSchemaGen name it


class Executor(NodeExecutor):
    """Runs the gate."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Judges the data.

        Raises:
            DataError: a finding is fatal.
        """
        ingested = IngestionSummary.read(inputs['quarantine'].uri).without_choices
        of_splits = {
            split: tfdv.load_stats_binary(f'{folder}/FeatureStats.pb')
            for split, folder in split_files.folders(inputs['statistics']).items()
        }
        data = SplitStatistics(of_splits)
        anomalies = {
            split: anomalies_pb2.Anomalies.FromString(
                pathlib.Path(folder, 'SchemaDiff.pb').read_bytes()
            )
            for split, folder in split_files.folders(inputs['anomalies']).items()
        }
        schema = tfdv.load_schema_text(f'{inputs["schema"].uri}/{_SCHEMA}')
        facts = DataFacts(
            {
                split: data.count_values_of_split(schema_comparison.LABEL, split)
                if split in data.splits
                else {}
                for split in of_splits
            },
            ingested.total,
            ingested.quarantined,
            ingested.reasons,
            schema_comparison.compare(schema, data, anomalies),
        )
        policy = DataPolicy.model_validate_json(properties['policy'])
        findings = find(facts, policy)
        stop_if_fatal(findings)
        DataRecord(facts, findings).write(outputs['verdict'].uri)

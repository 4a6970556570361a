"""Reads TFDV's results, asks the policy, writes the verdict."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from thawline.components.data_gate import policy as policy_lib
from thawline.components.shared import property_names, split_files
from thawline.components.shared.errors import DataError

VERDICT_FILE = 'verdict.json'


def class_counts(statistics: statistics_pb2.DatasetFeatureStatisticsList) -> dict[str, int]:
    """Images a class, from the rank histogram of the feature `label`."""
    counts: dict[str, int] = {}
    for dataset in statistics.datasets:
        for feature in dataset.features:
            if (feature.name or '/'.join(feature.path.step)) == 'label':
                for bucket in feature.string_stats.rank_histogram.buckets:
                    counts[bucket.label] = int(bucket.sample_count)
    return counts


def anomaly_lines(anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """One line an anomaly: the feature, then what TFDV says of it."""
    lines = []
    if anomalies.data_missing:
        lines.append('there is no image')
    if anomalies.HasField('dataset_anomaly_info'):
        lines.append(anomalies.dataset_anomaly_info.description)
    for name, info in sorted(anomalies.anomaly_info.items()):
        lines.append(f'feature {name!r}: {info.short_description}: {info.description}')
    return lines


class Executor(base_executor.BaseExecutor):
    """Runs the gate."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Judges the data.

        Args:
            input_dict: `statistics`, `anomalies` and `quarantine`, one artifact each.
            output_dict: `verdict`.
            exec_properties: `policy`, JSON; `code_digest`.

        Raises:
            DataError: a finding is fatal.
        """
        statistics = artifact_utils.get_single_instance(input_dict['statistics'])
        anomalies = artifact_utils.get_single_instance(input_dict['anomalies'])
        refused = artifact_utils.get_single_instance(input_dict['quarantine'])
        verdict = artifact_utils.get_single_instance(output_dict['verdict'])
        counts, found = {}, {}
        for split, folder in split_files.folders(statistics).items():
            counts[split] = class_counts(tfdv.load_stats_binary(f'{folder}/FeatureStats.pb'))
        for split, folder in split_files.folders(anomalies).items():
            message = anomalies_pb2.Anomalies()
            message.ParseFromString(pathlib.Path(folder, 'SchemaDiff.pb').read_bytes())
            found[split] = anomaly_lines(message)
        summary = json.loads(refused.get_string_custom_property(property_names.SUMMARY))
        facts = policy_lib.Facts(
            counts, summary['total'], summary['quarantined'], summary['reasons'], found
        )
        policy = policy_lib.DataGate.model_validate_json(exec_properties['policy'])
        findings = policy_lib.judge(facts, policy)
        text = json.dumps(
            {
                'facts': dataclasses.asdict(facts),
                'findings': [dataclasses.asdict(finding) for finding in findings],
            },
            indent=1,
            ensure_ascii=False,
        )
        fatal = [finding.message for finding in findings if finding.fatal]
        if fatal:
            raise DataError('; '.join(fatal))
        pathlib.Path(verdict.uri, VERDICT_FILE).write_text(text, 'utf-8')

"""The reviewed schema of a project beside what the latest run knows of its images."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from thawline.components.data_gate import findings, schema_change
from thawline.components.data_gate.params import DataPolicy
from thawline.components.data_gate.schema_change import ChangeLine, SchemaChange
from thawline.components.ingestion import quarantine
from thawline.components.shared.errors import NotFound
from thawline.components.shared.finding import Finding
from thawline.components.shared.settings import Action
from thawline.pipeline.config.project import Project
from thawline.pipeline.schema_review import latest_data, reviewed_schema
from thawline.pipeline.schema_review.latest_data import LatestData

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from thawline.components.data_gate.split_statistics import Statistics


@dataclasses.dataclass(frozen=True)
class SchemaComparison:
    """A reviewed schema and the data of a run.

    Attributes:
        text, schema: the reviewed one, with all features of ours.
        data: of the latest run.
        statistics: of each split.
        changes: all differences, also those that the policy ignores.
        policy: what a run does about them.
        unusable: the finding about quarantined files, if there is one.
    """

    text: str
    schema: schema_pb2.Schema
    data: LatestData
    statistics: Mapping[str, Statistics]
    changes: Sequence[SchemaChange]
    policy: DataPolicy
    unusable: Finding | None

    @property
    def shown(self) -> list[SchemaChange]:
        """Without those that the policy ignores."""
        return [change for change in self.changes if self.action(change.kind) != 'ignore']

    @property
    def lines(self) -> list[ChangeLine]:
        """Of those that are shown."""
        return schema_change.lines(self.shown)

    @property
    def images(self) -> int:
        return sum(int(of.datasets[0].num_examples) for of in self.statistics.values())

    @property
    def example_files(self) -> list[str]:
        """TFRecords of the ingestion, in the order of the splits."""
        folder = pathlib.Path(self.data.examples.uri)
        return [
            str(file)
            for split in self.statistics
            for file in sorted(folder.glob(f'Split-{split}/*'))
        ]

    def action(self, kind: str) -> Action:
        """What a run does about such a difference."""
        action: Action = getattr(self.policy, kind)
        return action

    def unusable_paths(self) -> list[str]:
        """The files in quarantine, without those that the settings leave out."""
        output = self.data.quarantine
        file = pathlib.Path(output.uri, quarantine.REPORT_JSONL) if output else None
        if file is None or not file.is_file():
            return []
        entries = quarantine.from_jsonl(file.read_text('utf-8'))
        return [entry.path for entry in entries if entry.reason not in quarantine.BY_CHOICE]


def inputs(project: Project) -> tuple[str, schema_pb2.Schema, LatestData]:
    """The reviewed schema and the latest data; without TensorFlow.

    Raises:
        NotFound: there is no reviewed schema, or no run with statistics.
        ConfigError: the schema is damaged, or the images have changed since the run.
        DataError: the images cannot be listed.
    """
    reviewed = reviewed_schema.read(project)
    if reviewed is None:
        raise NotFound(
            f'there is no reviewed schema {project.schema}; write one with: thawline schema infer'
        )
    return *reviewed, latest_data.find(project)


def compare(
    text: str, schema: schema_pb2.Schema, data: LatestData, policy: DataPolicy
) -> SchemaComparison:
    """Compares them by TFDV; see `inputs`."""
    from thawline.pipeline.schema_review import acceptance

    statistics = data.read_statistics()
    unusable = None
    if summary := data.summary():
        summary = summary.without_choices
        unusable = findings.find_unusable(
            summary.total, summary.quarantined, summary.reasons, policy
        )
    changes = acceptance.compare(schema, statistics)
    return SchemaComparison(text, schema, data, statistics, changes, policy, unusable)

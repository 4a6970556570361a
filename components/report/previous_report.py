"""Finds the report that a new one is compared with: the one that the last run before ended with."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.common import resolver

from thawline.components.report.artifacts import Report
from thawline.components.shared import lineage, node_names

import ml_metadata as mlmd  # isort: skip - after tfx, whose import order it depends on
from ml_metadata.proto import metadata_store_pb2 as pb  # isort: skip


def earlier_report(candidate: types.BaseChannel) -> resolver.Resolver:
    """The node that finds it."""
    return resolver.Resolver(
        strategy_class=EarlierReportStrategy,
        candidate=candidate,
        report=types.Channel(type=Report),
    ).with_id(node_names.LAST_REPORT)


class EarlierReportStrategy(resolver.ResolverStrategy):
    """Resolves `report` to what the last run before `candidate` was made ended with.

    The last of all would be the report on the candidate itself once there is one: a second run
    with nothing changed would then have new inputs, instead of being served from the cache. The
    last run may have taken its report from the cache in its turn, so executions count, and not
    which report is the newest.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Returns the one report, or an empty list where the candidate is the first."""
        reports = {report.id: report for report in input_dict['report']}
        candidates = [artifact.id for artifact in input_dict['candidate']]
        if not reports or not candidates:
            return {**input_dict, 'report': []}
        made = min(execution.id for execution in lineage.producers(store, candidates))
        events = store.get_events_by_artifact_ids(sorted(reports))
        earlier = [e for e in events if e.type == pb.Event.OUTPUT and e.execution_id < made]
        last = max(earlier, key=lambda event: event.execution_id, default=None)
        return {**input_dict, 'report': [reports[last.artifact_id]] if last else []}

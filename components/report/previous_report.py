"""Finds the report that a new one is compared with: the newest that is older than its model."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.common import resolver

from thawline.components.report.artifacts import Report
from thawline.components.shared import node_names

import ml_metadata as mlmd  # isort: skip - after tfx, whose import order it depends on


def earlier_report(candidate: types.BaseChannel) -> resolver.Resolver:
    """The node that finds it."""
    return resolver.Resolver(
        strategy_class=EarlierReportStrategy,
        candidate=candidate,
        report=types.Channel(type=Report),
    ).with_id(node_names.LAST_REPORT)


class EarlierReportStrategy(resolver.ResolverStrategy):
    """Resolves `report` to the newest report that was made before `candidate`.

    The newest of all would be the report on the candidate itself once there is one: a second run
    with nothing changed would then have new inputs, instead of being served from the cache.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Returns the one report, or an empty list where the candidate is the first."""
        candidate = max((artifact.id for artifact in input_dict['candidate']), default=0)
        earlier = [report for report in input_dict['report'] if report.id < candidate]
        return {**input_dict, 'report': sorted(earlier, key=lambda report: report.id)[-1:]}

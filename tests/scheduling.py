"""In which order workers of pytest-xdist take files, and which files go together.

A file that takes long and came last would keep one worker busy while the others have nothing left.
Files that look at the same models are one unit of work, so that one worker makes each model once.
"""

from __future__ import annotations

import collections
import os

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

_TOGETHER = {
    'tests/components/backbones/test_features.py': 'tests/components/backbones/test_backbone.py'
}

# As measured; the others follow, those with many tests first.
LONGEST_FIRST = (
    'tests/e2e/test_paired.py',
    'tests/e2e/test_changes.py',
    'tests/e2e/test_documented_commands.py',
    'tests/e2e/test_run_node.py',
    'tests/e2e/test_killed_runs.py',
    'tests/e2e/test_chain.py',
    'tests/e2e/test_parts.py',
    'tests/e2e/test_moved_project.py',
    'tests/e2e/test_interruption.py',
    'tests/e2e/test_other_split.py',
    'tests/e2e/test_notifications.py',
    'tests/e2e/test_integrity.py',
    'tests/e2e/test_tune.py',
    'tests/e2e/test_growing_data.py',
    'tests/e2e/test_parity.py',
    'tests/components/backbones/test_backbone.py',
    'tests/components/evaluation/test_cached_features.py',
    'tests/components/training/test_resuming.py',
    'tests/components/serving_check/test_check.py',
    'tests/components/evaluation/test_executor.py',
    'tests/components/training/test_fine_tune.py',
    'tests/components/saved_model/test_signatures.py',
    'tests/components/saved_model/test_grad_cam.py',
    'tests/components/training/test_run_fn.py',
    'tests/pipeline/server/test_python_server.py',
    'tests/pipeline/registry/test_killed.py',
    'tests/components/training/test_recipe.py',
    'tests/components/report/test_bad_input.py',
    'tests/components/saved_model/test_served_formats.py',
    'tests/components/saved_model/test_decision_rule.py',
    'tests/pipeline/prediction/test_batch.py',
    'tests/components/tuning/test_component.py',
    'tests/components/backbones/test_mirrored_views.py',
    'tests/browser/test_report_page.py',
    'tests/components/ingestion/test_ingestion.py',
    'tests/components/transform/test_preprocessing_fn.py',
    'tests/components/embedding/test_beam_pipeline.py',
    'tests/components/tuning/test_search.py',
    'tests/components/export/test_executor.py',
    'tests/components/report/test_not_numbers.py',
    'tests/components/ingestion/test_near_duplicates.py',
    'tests/components/statistics/test_clustered_bound.py',
    'tests/components/ingestion/test_stored_ingestion.py',
    'tests/components/training/test_precision.py',
    'tests/components/backbones/test_weights_file.py',
    'tests/components/training/test_frozen_activations.py',
    'tests/pipeline/notifications/test_webhook.py',
    'tests/test_package.py',
)
_MEMORY = 4 * 2**30  # bytes a worker


def workers() -> int:
    """A worker a core, and one more where memory suffices, as a test often waits."""
    cores = (
        len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else os.cpu_count() or 1
    )
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return cores + (memory >= (cores + 1) * _MEMORY)


def sort_longest_first(items: list[pytest.Item]) -> None:
    """Sorts tests by their files and keeps their order in each."""
    counts = collections.Counter(_file(item.nodeid) for item in items)
    position = {file: i for i, file in enumerate(LONGEST_FIRST)}

    def key(item: pytest.Item) -> tuple[int, int, str]:
        file = _file(item.nodeid)
        return position.get(file, len(position)), -counts[file], file

    items.sort(key=key)


def _file(nodeid: str) -> str:
    return nodeid.partition('::')[0]


class Scheduling(LoadFileScheduling):
    """Hands out files in the order of collection."""

    def __init__(self, config: pytest.Config, log: Producer | None) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        file = _file(nodeid)
        return _TOGETHER.get(file, file)

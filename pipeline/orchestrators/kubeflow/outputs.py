"""What a task is told by Kubeflow, and what it leaves for Kubeflow's pages.

Both are JSON of Kubeflow's ExecutorInput and ExecutorOutput (pipeline_spec.proto), of which little
is needed, so that nodes do without kfp.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import shutil
from typing import Any

from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config import errors
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import node_records, runs
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.orchestrators.kubeflow import tasks as known
from thawline.pipeline.reports import lookup
from thawline.pipeline.terminal.exit_codes import Outcome

_SHOWN = ('val_accuracy', 'val_lower', 'val_upper', 'test_accuracy', 'test_lower', 'test_upper')
_LONGEST = 2_000  # characters of the reasons: some platforms keep no more


@dataclasses.dataclass(frozen=True)
class Task:
    """What Kubeflow says of a task.

    Attributes:
        parameters: of the run.
        values: file for each output that is a value.
        artifacts: name and URI of each output that is an artifact.
        output: the file for what Kubeflow shall know of these; None where it wants nothing.
    """

    parameters: dict[str, Any]
    values: dict[str, pathlib.Path]
    artifacts: dict[str, dict[str, Any]]
    output: pathlib.Path | None


def task_of(text: str) -> Task:
    """Reads Kubeflow's ExecutorInput.

    Raises:
        ConfigError: it is none.
    """
    try:
        content = json.loads(text)
        outputs = content.get('outputs', {})
        file = outputs.get('outputFile')
        return Task(
            dict(content.get('inputs', {}).get('parameterValues', {})),
            {
                name: pathlib.Path(one['outputFile'])
                for name, one in outputs.get('parameters', {}).items()
            },
            {name: one['artifacts'][0] for name, one in outputs.get('artifacts', {}).items()},
            pathlib.Path(file) if file else None,
        )
    except (ValueError, AttributeError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise ConfigError(
            f'--task: received {errors.echo(text)}, which is no executor input of Kubeflow'
        ) from error


def write(
    task: Task,
    project: Project,
    run: str,
    outcome: Outcome,
    page: pathlib.Path | None,
) -> None:
    """Leaves for Kubeflow what it shows of nodes that ended well.

    Args:
        task: what Kubeflow wants.
        config: of the project.
        project: its folders.
        run: id of the run.
        outcome: of the nodes.
        page: where a copy of the report goes, where the nodes make one.
    """
    store = opening.to_read(project)
    results = runs.results(store, run, project.name) if store else []
    by_node = {result.node: result for result in results}
    if known.VERDICT in task.values:
        _put(
            task.values[known.VERDICT],
            known.REFUSED if outcome is Outcome.NOT_BLESSED else known.BLESSED,
        )
        _put(task.values[known.WHY], '; '.join(reasons(by_node))[:_LONGEST])
    if page is not None and node_names.REPORT in by_node:
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(
            pathlib.Path(by_node[node_names.REPORT].outputs['report'].uri, lookup.FILES['html']),
            page,
        )
    if known.MEASURES in task.artifacts and task.output is not None:
        noted = {**task.artifacts[known.MEASURES], 'metadata': measures(by_node)}
        _put(task.output, json.dumps({'artifacts': {known.MEASURES: {'artifacts': [noted]}}}))


def measures(by_node: dict[str, NodeResult]) -> dict[str, float]:
    """What the Evaluator measured, as numbers."""
    result = by_node[node_names.EVALUATOR]
    found = result.outputs['evaluation'].properties
    blessed = result.outputs['blessing'].blessed
    return {
        **{name: float(found[name]) for name in _SHOWN if name in found},
        'blessed': float(blessed),
    }


def reasons(by_node: dict[str, NodeResult]) -> list[str]:
    """Why the model was not pushed; empty for one that was."""
    lines = node_records.refusal_lines(by_node[node_names.EVALUATOR])
    if node_names.SERVING_CHECK in by_node:
        lines += node_records.serving_record(by_node[node_names.SERVING_CHECK]).problems
    return lines


def _put(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, 'utf-8')

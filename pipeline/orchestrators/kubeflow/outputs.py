"""The input of a task from Kubeflow, and its outputs for Kubeflow's pages.

They are ExecutorInput and ExecutorOutput (pipeline_spec.proto) as JSON. Nodes need little of them,
and so no kfp.
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
from thawline.pipeline.orchestrators.kubeflow import tasks as names
from thawline.pipeline.reports import lookup
from thawline.pipeline.terminal.exit_codes import Outcome

_SHOWN = ('val_accuracy', 'val_lower', 'val_upper', 'test_accuracy', 'test_lower', 'test_upper')
_LONGEST = 2_000  # characters of the reasons: some platforms keep no more


@dataclasses.dataclass(frozen=True)
class ExecutorInput:
    """The input of a task.

    Attributes:
        parameters: of the run.
        values: file for each output parameter.
        artifacts: name and URI of each output artifact.
        output: the file for ExecutorOutput, if there is one.
    """

    parameters: dict[str, Any]
    values: dict[str, pathlib.Path]
    artifacts: dict[str, dict[str, Any]]
    output: pathlib.Path | None


def parse_input(text: str) -> ExecutorInput:
    """Parses the JSON of an ExecutorInput."""
    try:
        content = json.loads(text)
        outputs = content.get('outputs', {})
        file = outputs.get('outputFile')
        return ExecutorInput(
            dict(content.get('inputs', {}).get('parameterValues', {})),
            {
                name: pathlib.Path(parameter['outputFile'])
                for name, parameter in outputs.get('parameters', {}).items()
            },
            {name: entry['artifacts'][0] for name, entry in outputs.get('artifacts', {}).items()},
            pathlib.Path(file) if file else None,
        )
    except (ValueError, AttributeError, KeyError, IndexError, TypeError, RecursionError) as error:
        raise ConfigError(
            f'--task: received {errors.echo(text)}, which is not an executor input of Kubeflow'
        ) from error


def write(
    task: ExecutorInput,
    project: Project,
    run: str,
    outcome: Outcome,
    page: pathlib.Path | None,
) -> None:
    """Writes the outputs of a task whose nodes succeeded, and a copy of the report to `page`."""
    store = opening.find_store(project)
    results = runs.node_results(store, run, project.name) if store else []
    by_node = {result.node: result for result in results}
    if names.VERDICT in task.values:
        _put(
            task.values[names.VERDICT],
            names.REFUSED if outcome is Outcome.NOT_BLESSED else names.BLESSED,
        )
        _put(task.values[names.WHY], '; '.join(reasons(by_node))[:_LONGEST])
    if page is not None and node_names.REPORT in by_node:
        page.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(
            pathlib.Path(by_node[node_names.REPORT].outputs['report'].uri, lookup.FILES['html']),
            page,
        )
    if names.MEASURES in task.artifacts and task.output is not None:
        artifact = {**task.artifacts[names.MEASURES], 'metadata': measures(by_node)}
        _put(task.output, json.dumps({'artifacts': {names.MEASURES: {'artifacts': [artifact]}}}))


def measures(by_node: dict[str, NodeResult]) -> dict[str, float]:
    """The Evaluator's metrics."""
    result = by_node[node_names.EVALUATOR]
    properties = result.outputs['evaluation'].properties
    blessed = result.outputs['blessing'].blessed
    return {
        **{name: float(properties[name]) for name in _SHOWN if name in properties},
        'blessed': float(blessed),
    }


def reasons(by_node: dict[str, NodeResult]) -> list[str]:
    """Why the model was not pushed; empty for a pushed one."""
    lines = node_records.refusal_lines(by_node[node_names.EVALUATOR])
    if node_names.SERVING_CHECK in by_node:
        lines += node_records.serving_record(by_node[node_names.SERVING_CHECK]).problems
    return lines


def _put(path: pathlib.Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, 'utf-8')

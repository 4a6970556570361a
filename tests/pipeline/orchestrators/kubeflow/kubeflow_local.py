"""Runs a compiled pipeline with kfp's own local orchestrator; containers become processes.

    python -m MODULE PIPELINE.yaml ROOT '{"gate": 0.9}'  (MODULE: the name of this one)

Outputs lie in ROOT, a folder a run and in it one a task. Commands are those of the compiled file,
with `fork_server` for `python`. In a process of its own: kfp warns of much while it is imported.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from typing import Any

warnings.simplefilter('ignore')

from kfp import components, local  # noqa: E402
from kfp.local import status, subprocess_task_handler  # noqa: E402
from kfp.local.orchestrator import enhanced_dag_orchestrator  # noqa: E402

from tests import fork_server  # noqa: E402

_CONDITION = re.compile(
    r"inputs\.parameter_values\['pipelinechannel--(?P<task>[a-z]+)-(?P<output>\w+)'\] == '(\w+)'"
)


class _Process(subprocess_task_handler.SubprocessTaskHandler):
    """A container's command as a process here; kfp itself would do this for Python alone."""

    def __init__(self, image: str, full_command: list[str], pipeline_root: str, runner: object):
        self._command = full_command

    def run(self) -> status.Status:
        command = self._command
        if command[:2] == ['python', '-m']:
            command = [*fork_server.command(command[2]), *command[3:]]
        code = subprocess.run(command, stderr=subprocess.STDOUT).returncode
        print(f'exit code {code}', flush=True)
        return status.Status.SUCCESS if code == 0 else status.Status.FAILURE


class _Condition:
    """Conditions as clusters evaluate them; kfp 2.16 itself finds outputs named Output alone."""

    @staticmethod
    def evaluate_condition(condition: str, io_store: Any) -> bool:
        if not condition:
            return True
        found = _CONDITION.fullmatch(condition)
        assert found, condition
        return io_store.get_task_output(found[1], found[2]) == found[3]


def main(path: str, root: str, arguments: str) -> None:
    """Runs the pipeline; raises RuntimeError when a task fails."""
    subprocess_task_handler.SubprocessTaskHandler = _Process
    enhanced_dag_orchestrator.ConditionEvaluator = _Condition
    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=root)
    components.load_component_from_file(path)(**json.loads(arguments))


if __name__ == '__main__':
    main(*sys.argv[1:])

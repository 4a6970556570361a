"""The pipeline of a thawline project as a DAG, written by `thawline schedule airflow`.

It needs only Airflow, 2.11 or 3.3; everything that differs between projects is in dag.json.
"""

import datetime
import json
import pathlib
import shlex
import urllib.parse
from typing import Any

try:
    from airflow.providers.standard.operators.bash import BashOperator
    from airflow.providers.standard.operators.empty import EmptyOperator
    from airflow.sdk import DAG, BaseOperator, BaseOperatorLink, Param
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
except ImportError:  # Airflow 2, where a link must come from a plugin
    from airflow import DAG
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator
    from airflow.operators.empty import EmptyOperator

    BaseOperatorLink = object

HERE = pathlib.Path(__file__).resolve().parent
PROJECT = json.loads((HERE / 'dag.json').read_text('utf-8'))
# Programs that nodes start by name are those of their environment, not of Airflow's.
PATH = f'PATH={shlex.quote(str(pathlib.Path(PROJECT["command"][0]).parent))}:"$PATH"'
NO_RETRY = {2: 'bad configuration', 4: 'stopped by the data', 5: 'inputs are missing'}
RETRY = {
    6: 'another process is at work',
    7: 'a server or disk is unavailable',
    130: 'interrupted',
}


class Nodes(BashOperator):
    """Runs nodes in TFX's own environment; retries only where a retry can help."""

    template_fields = ()  # braces in a path are not a template

    def execute(self, context: Any) -> bool:
        force = ' --force' if context['params']['force'] else ''
        command = ['bash', '-c', f'{self.bash_command}{force}']
        code = self.subprocess_hook.run_command(command, env=self.get_env(context)).exit_code
        for link in LINKS:
            self.log.info('%s: %s', link.name, link.get_link(self, ti_key=context['ti']))
        if code == 3:
            raise AirflowSkipException('not blessed: nothing was pushed')
        if code in NO_RETRY:
            raise AirflowFailException(f'{NO_RETRY[code]} (exit code {code}): a retry cannot help')
        if code:
            raise AirflowException(f'{RETRY.get(code, "failed")} (exit code {code})')
        return True  # an XCom, for `not_blessed`


class NotBlessed(BaseOperator):
    """Marks a run whose push was skipped."""

    # An empty task with the rule all_skipped would be skipped where a node fails, and stay skipped
    # when the failed tasks are cleared.
    def execute(self, context: Any) -> None:
        if context['ti'].xcom_pull(task_ids=PROJECT['push']):
            raise AirflowSkipException('the model was pushed')


class NodesLog(BaseOperatorLink):
    """To the log of the nodes, where the output folder is served."""

    name = 'Log of the nodes'

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        name = urllib.parse.quote(f'{ti_key.run_id}{LOGS[ti_key.task_id]}', safe='')
        return f'{PROJECT["url"]}/logs/{name}'


class RunReport(BaseOperatorLink):
    """To the report of the run, which exists at its end."""

    name = 'Report of the run'

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return f'{PROJECT["url"]}/reports/{urllib.parse.quote(ti_key.run_id, safe="")}.html'


LOGS = {task['id']: task['log'] for task in PROJECT['tasks']}
LINKS = (NodesLog(), RunReport()) if PROJECT['url'] else ()
if BaseOperatorLink is not object:
    Nodes.operator_extra_links = LINKS

with DAG(
    PROJECT['dag_id'],
    doc_md=PROJECT['doc'],
    tags=['thawline'],
    schedule=PROJECT['schedule'],
    start_date=datetime.datetime.fromisoformat(PROJECT['start_date']).replace(
        tzinfo=datetime.timezone.utc  # noqa: UP017 - Airflow may have an older Python
    ),
    catchup=False,
    max_active_runs=PROJECT['max_active_runs'],
    params={'force': Param(False, type='boolean', title='Run all nodes again, without the cache')},
    default_args={
        'retries': PROJECT['retries'],
        'retry_delay': datetime.timedelta(seconds=PROJECT['retry_seconds']),
        'execution_timeout': datetime.timedelta(seconds=PROJECT['timeout_seconds']),
    },
):
    tasks = {}
    for task in PROJECT['tasks']:
        nodes = [part for node in task['nodes'] for part in ('--node', node)]
        command = shlex.join([*PROJECT['command'], '--ir', str(HERE / PROJECT['ir']), *nodes])
        tasks[task['id']] = Nodes(
            task_id=task['id'],
            bash_command=f'{PATH} exec {command} --run-id "$AIRFLOW_CTX_DAG_RUN_ID"',
            env=PROJECT['environment'],
            append_env=True,
            trigger_rule=task['trigger_rule'],
            **({'pool': task['pool']} if task['pool'] else {}),
        )
        tasks[task['id']].set_upstream([tasks[name] for name in task['upstream']])
    # A run of Airflow knows only success and failure: these two tasks give the third answer.
    tasks[PROJECT['push']] >> [
        EmptyOperator(task_id='blessed'),
        NotBlessed(task_id='not_blessed', trigger_rule='none_failed'),
    ]

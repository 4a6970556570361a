"""The pipeline of a thawline project as a DAG; `thawline schedule airflow` put it here.

It needs Airflow alone, 2.11 or 3.3; all that projects differ in is in dag.json beside it.
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
except ImportError:  # Airflow 2, where a link would have to come from a plugin
    from airflow import DAG
    from airflow.exceptions import AirflowException, AirflowFailException, AirflowSkipException
    from airflow.models.baseoperator import BaseOperator
    from airflow.models.param import Param
    from airflow.operators.bash import BashOperator
    from airflow.operators.empty import EmptyOperator

    BaseOperatorLink = object

HERE = pathlib.Path(__file__).resolve().parent
MADE = json.loads((HERE / 'dag.json').read_text('utf-8'))
# What nodes start by name has to be found in their environment, not in Airflow's.
FIRST = f'PATH={shlex.quote(str(pathlib.Path(MADE["command"][0]).parent))}:"$PATH"'
FINAL = {2: 'bad configuration', 4: 'stopped by the data', 5: 'inputs are missing'}


class Nodes(BashOperator):
    """Runs nodes in TFX's own environment; a retry is for what a retry can mend."""

    template_fields = ()  # braces in a path are no template

    def execute(self, context: Any) -> bool:
        force = ' --force' if context['params']['force'] else ''
        command = ['bash', '-c', f'{self.bash_command}{force}']
        code = self.subprocess_hook.run_command(command, env=self.get_env(context)).exit_code
        for link in LINKS:
            self.log.info('%s: %s', link.name, link.get_link(self, ti_key=context['ti']))
        if code == 3:
            raise AirflowSkipException('not blessed: nothing was pushed')
        if code in FINAL:
            raise AirflowFailException(f'{FINAL[code]} (exit code {code}): a retry cannot help')
        if code:
            raise AirflowException(f'exit code {code}')
        return True  # kept as XCom, for `not_blessed`


class NotBlessed(BaseOperator):
    """Marks a run whose push was skipped."""

    # An empty task with the rule all_skipped would be skipped where a node fails, and stay so when
    # the failed tasks are cleared.
    def execute(self, context: Any) -> None:
        if context['ti'].xcom_pull(task_ids=MADE['push']):
            raise AirflowSkipException('the model was pushed')


class NodesLog(BaseOperatorLink):
    """Where the output folder is served: the log of the nodes."""

    name = 'Log of the nodes'

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        named = urllib.parse.quote(f'{ti_key.run_id}{LOGS[ti_key.task_id]}', safe='')
        return f'{MADE["url"]}/logs/{named}'


class RunReport(BaseOperatorLink):
    """There too: the report of the run, once it is made."""

    name = 'Report of the run'

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return f'{MADE["url"]}/reports/{urllib.parse.quote(ti_key.run_id, safe="")}.html'


LOGS = {task['id']: task['log'] for task in MADE['tasks']}
LINKS = (NodesLog(), RunReport()) if MADE['url'] else ()
if BaseOperatorLink is not object:
    Nodes.operator_extra_links = LINKS

with DAG(
    MADE['dag_id'],
    doc_md=MADE['doc'],
    tags=['thawline'],
    schedule=MADE['schedule'],
    start_date=datetime.datetime.fromisoformat(MADE['start_date']).replace(
        tzinfo=datetime.timezone.utc  # noqa: UP017 - Airflow may have an older Python
    ),
    catchup=False,
    max_active_runs=MADE['max_active_runs'],
    params={'force': Param(False, type='boolean', title='Run all nodes anew, without the cache')},
    default_args={
        'retries': MADE['retries'],
        'retry_delay': datetime.timedelta(seconds=MADE['retry_seconds']),
        'execution_timeout': datetime.timedelta(seconds=MADE['timeout_seconds']),
    },
):
    tasks = {}
    for task in MADE['tasks']:
        nodes = [part for node in task['nodes'] for part in ('--node', node)]
        command = shlex.join([*MADE['command'], '--ir', str(HERE / MADE['ir']), *nodes])
        tasks[task['id']] = Nodes(
            task_id=task['id'],
            bash_command=f'{FIRST} exec {command} --run-id "$AIRFLOW_CTX_DAG_RUN_ID"',
            env=MADE['environment'],
            append_env=True,
            trigger_rule=task['trigger_rule'],
            **({'pool': task['pool']} if task['pool'] else {}),
        )
        tasks[task['id']].set_upstream([tasks[one] for one in task['upstream']])
    # A run of Airflow is a success or a failure; which of these two ran is the third answer.
    tasks[MADE['push']] >> [
        EmptyOperator(task_id='blessed'),
        NotBlessed(task_id='not_blessed', trigger_rule='none_failed'),
    ]

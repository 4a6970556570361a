"""Puts a project's DAG into Airflow's folder of DAGs, while Airflow may be reading it.

    DAGS_FOLDER/<name>/dag.py             the same for all projects
                       dag.json           names the pipeline below; replaced all at once
                       pipeline-<digest>.json

The DAG file and what it reads are each replaced by one rename. The pipeline has its digest in its
name, so a DAG never meets another pipeline than its own.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.runners import compiled_file

DAG = 'dag.py'
SETTINGS = 'dag.json'
_PIPELINES = 'pipeline-*.json'
_SOURCE = pathlib.Path(__file__).with_name('dag.py')


def check(folder: pathlib.Path, home: pathlib.Path) -> None:
    """Refuses a folder that is there already and not this project's.

    Raises:
        ConfigError: with what is there.
    """
    if not folder.exists():
        return
    try:
        found = json.loads((folder / SETTINGS).read_bytes())['home']
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if folder.is_dir() and not any(folder.iterdir()):
            return
        raise ConfigError(
            f'{folder} is there already and is no DAG of thawline; give another --out, or remove it'
        ) from error
    if found != str(home):
        raise ConfigError(
            f'{folder} holds the DAG of the project in {found}; this one is in {home}: give one of '
            'the two another name in its thawline.yaml, or another --out'
        )


def write(folder: pathlib.Path, content: Mapping[str, Any], dag: Mapping[str, Any]) -> None:
    """Writes or replaces a project's DAG.

    Args:
        folder: of the project, below Airflow's folder of DAGs.
        content: the compiled pipeline, as `pipeline.runners.compiled_file.envelope` makes it.
        dag: what the DAG file reads, as `airflow.dag` makes it.

    Raises:
        ConfigError: it cannot be written.
    """
    compiled_file.write(folder / dag['ir'], content)
    files.write_text(folder / SETTINGS, json.dumps(dag, indent=1) + '\n')
    files.write_text(folder / DAG, _SOURCE.read_text('utf-8'))
    with files.write_errors(folder):
        for former in folder.glob(_PIPELINES):
            if former.name != dag['ir']:
                former.unlink()

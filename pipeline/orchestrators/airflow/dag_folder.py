"""Writes a project's DAG into Airflow's DAGs folder, while Airflow may be reading it.

    DAGS_FOLDER/<name>/dag.py             the same for all projects
                       dag.json           names the pipeline below
                       pipeline-<digest>.json

Each file is replaced by one rename. The pipeline has its digest in its name, so that a DAG never
reads another pipeline than its own.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Mapping
from typing import Any

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.runners import compiled_file
from thawline.pipeline.runners.compiled_file import Envelope

DAG = 'dag.py'
SETTINGS = 'dag.json'
_PIPELINES = 'pipeline-*.json'
_SOURCE = pathlib.Path(__file__).with_name('dag.py')


def check(folder: pathlib.Path, home: pathlib.Path) -> None:
    """Refuses an existing folder that is not this project's."""
    if not folder.exists():
        return
    try:
        owner = json.loads((folder / SETTINGS).read_bytes())['home']
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        if folder.is_dir() and not any(folder.iterdir()):
            return
        raise ConfigError(
            f'{folder} exists and is not a DAG of thawline; give another --out, or remove it'
        ) from error
    if owner != str(home):
        raise ConfigError(
            f'{folder} holds the DAG of the project in {owner}; this one is in {home}: give one of '
            'them another name in its thawline.yaml, or another --out'
        )


def write(folder: pathlib.Path, content: Envelope, dag: Mapping[str, Any]) -> None:
    """Writes or replaces a project's DAG.

    Args:
        folder: of the project, in Airflow's DAGs folder.
        content: the compiled pipeline.
        dag: what the DAG file reads, from `tasks.dag`.
    """
    compiled_file.write(folder / dag['ir'], content)
    files.write_text(folder / SETTINGS, json.dumps(dag, indent=1) + '\n')
    files.write_text(folder / DAG, _SOURCE.read_text('utf-8'))
    with files.write_errors(folder):
        for former in folder.glob(_PIPELINES):
            if former.name != dag['ir']:
                former.unlink()

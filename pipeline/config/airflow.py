"""How Airflow runs a project: settings of its DAG, in Airflow's own terms."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any

import pydantic

from thawline.components.shared.settings import Count, Duration, Section
from thawline.pipeline.config.task_grouping import Policy

PRESETS = ('@once', '@hourly', '@daily', '@weekly', '@monthly', '@quarterly', '@yearly')
NONE = 'none'
_FIELDS = (
    ('minute', 0, 59),
    ('hour', 0, 23),
    ('day of month', 1, 31),
    ('month', 1, 12),
    ('day of week', 0, 7),
)
_ITEM = re.compile(
    r'(?:[*?L]|[A-Za-z]{3}(?:-[A-Za-z]{3})?|(\d{1,2})(?:-(\d{1,2}))?)(?:[/#]\d{1,2})?'
)
_RIGHT = f'a cron expression such as "0 3 * * 1", one of {", ".join(PRESETS)}, or {NONE}'


def cron_problem(text: str) -> str:
    """What is wrong with a cron expression of five fields; empty where nothing is.

    Airflow reads it in the end: this catches what nobody means, before a DAG file is written.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f'has {len(fields)} fields, not 5'
    for (name, least, most), field in zip(_FIELDS, fields, strict=True):
        for item in field.split(','):
            found = _ITEM.fullmatch(item)
            if not found:
                return f'has {item!r} as {name}'
            numbers = [int(number) for number in found.groups() if number]
            if any(not least <= number <= most for number in numbers):
                return f'has {item!r} as {name}, which goes from {least} to {most}'
            if numbers != sorted(numbers):
                return f'has {item!r} as {name}, which runs backwards'
    return ''


def _schedule(value: Any) -> Any:
    if value is None or value == NONE:
        return None
    if not isinstance(value, str):
        raise ValueError(f'must be {_RIGHT}')
    if value.startswith('@'):
        if value not in PRESETS:
            raise ValueError(f'is no schedule of Airflow; give {_RIGHT}')
    elif wrong := cron_problem(value):
        raise ValueError(f'{wrong}; give {_RIGHT}')
    return value


def _date(value: Any) -> Any:
    """YAML makes a date of it; kept as text, which every format of the configuration has."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    try:
        return datetime.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError) as error:
        raise ValueError('must be a date such as 2026-01-31') from error


class Airflow(Section):
    """The DAG that `thawline schedule airflow` writes."""

    schedule: Annotated[str | None, pydantic.BeforeValidator(_schedule)] = pydantic.Field(
        default=None,
        description='When runs start, in UTC: a cron expression or a preset such as @daily; none: '
        'by hand or from elsewhere.',
    )
    start_date: Annotated[str, pydantic.BeforeValidator(_date)] = pydantic.Field(
        default='2025-01-01', description='First day that a backfill can reach; no catch-up.'
    )
    group: Policy = pydantic.Field(
        default='phases',
        description='Nodes that share a task, and so one import of TensorFlow: none; cheap ones '
        'with the heavy one before them; those of a phase (data, images, training, evaluation); or '
        'all before and all after the push.',
    )
    retries: Annotated[int, pydantic.Field(ge=0, le=100)] = pydantic.Field(
        default=1,
        description='How often a failed task is tried again; bad configuration, stopped by data '
        'and missing inputs never are.',
    )
    retry_delay: Duration = pydantic.Field(default='1m', description='Wait before a retry.')
    timeout: Duration = pydantic.Field(default='24h', description='Longest time of a task.')
    pool: Annotated[str, pydantic.Field(pattern=r'^[A-Za-z0-9_.-]{1,250}$')] | None = (
        pydantic.Field(
            default=None,
            description='Pool of Airflow for tasks with a heavy node; it must exist there.',
        )
    )
    max_active_runs: Count = pydantic.Field(
        default=1, description='Runs of this project at the same time.'
    )
    url: Annotated[str, pydantic.Field(pattern=r'^https?://[^\s/]+\S*$')] | None = pydantic.Field(
        default=None,
        description='Where a web server shows the output folder; tasks then link to their log and '
        "to the run's report.",
    )

"""Settings of the DAG that runs a project in Airflow, in Airflow's terms."""

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
_EXPECTED = f'a cron expression such as "0 3 * * 1", one of {", ".join(PRESETS)}, or {NONE}'


def cron_problem(text: str) -> str:
    """What is wrong with a cron expression of five fields; empty if nothing is.

    Airflow reads it in the end; this catches mistakes before a DAG file is written.
    """
    fields = text.split()
    if len(fields) != len(_FIELDS):
        return f'has {len(fields)} fields, not 5'
    for (name, least, most), field in zip(_FIELDS, fields, strict=True):
        for item in field.split(','):
            match = _ITEM.fullmatch(item)
            if not match:
                return f'has {item!r} as {name}'
            numbers = [int(number) for number in match.groups() if number]
            if any(not least <= number <= most for number in numbers):
                return f'has {item!r} as {name}, which must be {least} to {most}'
            if numbers != sorted(numbers):
                return f'has {item!r} as {name}, which is a reversed range'
    return ''


def _check_schedule(value: Any) -> Any:
    if value is None or value == NONE:
        return None
    if not isinstance(value, str):
        raise ValueError(f'must be {_EXPECTED}')
    if value.startswith('@'):
        if value not in PRESETS:
            raise ValueError(f'is not a schedule; use {_EXPECTED}')
    elif problem := cron_problem(value):
        raise ValueError(f'{problem}; use {_EXPECTED}')
    return value


def _to_iso_date(value: Any) -> Any:
    """YAML reads a date; every format of the configuration has text."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value.isoformat()
    try:
        return datetime.date.fromisoformat(value).isoformat()
    except (TypeError, ValueError) as error:
        raise ValueError('must be a date such as 2026-01-31') from error


class Airflow(Section):
    """The DAG that `thawline schedule airflow` writes."""

    schedule: Annotated[str | None, pydantic.BeforeValidator(_check_schedule)] = pydantic.Field(
        default=None,
        description='When runs start, in UTC: a cron expression or a preset such as @daily; none: '
        'only when triggered.',
    )
    start_date: Annotated[str, pydantic.BeforeValidator(_to_iso_date)] = pydantic.Field(
        default='2025-01-01',
        description='First day that a backfill can reach; no catch-up.',
    )
    group: Policy = pydantic.Field(
        default='phases',
        description='Which nodes share a task and so import TensorFlow once. none: no two; cheap: '
        'cheap nodes join the heavy one before them; phases: those of data, images, training, '
        'evaluation; all: all before the push, and all after it.',
    )
    retries: Annotated[int, pydantic.Field(ge=0, le=100)] = pydantic.Field(
        default=1,
        description='Retries of a failed task; there are none after bad configuration, bad data or '
        'missing inputs.',
    )
    retry_delay: Duration = pydantic.Field(default='1m', description='Wait before a retry.')
    timeout: Duration = pydantic.Field(default='24h', description='Time limit of a task.')
    pool: Annotated[str, pydantic.Field(pattern=r'^[A-Za-z0-9_.-]{1,250}$')] | None = (
        pydantic.Field(
            default=None,
            description='Airflow pool for tasks with a heavy node; it must exist.',
        )
    )
    max_active_runs: Count = pydantic.Field(
        default=1, description='Concurrent runs of this project.'
    )
    url: Annotated[str, pydantic.Field(pattern=r'^https?://[^\s/]+\S*$')] | None = pydantic.Field(
        default=None,
        description='URL where a web server shows the output folder; tasks then link to their log '
        "and the run's report.",
    )

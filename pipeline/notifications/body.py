"""The body of a notification, version 1.

`schemas/notification.schema.json` is generated from these models (`pipeline.tools.write_docs`).
Within a version keys are only added. A body holds no name of a machine and no secret.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

from thawline.pipeline.config.notifications import Event

VERSION: Literal[1] = 1


def _without_surrogates(value: object) -> object:
    """Lone surrogates, which file names can hold, cannot be encoded: they become ?"""
    return value.encode('utf-8', 'replace').decode() if isinstance(value, str) else value


Text = Annotated[str, pydantic.BeforeValidator(_without_surrogates)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)


class RunAccuracy(_Part, title='Accuracy'):
    """A measured accuracy with its 95 % interval; shares in [0, 1]."""

    accuracy: float
    lower: float
    upper: float
    judged: int | None = pydantic.Field(
        default=None,
        description='By how many images, or by how many groups with `gate.unit: group`; null where '
        'it is not recorded.',
    )


class RunVerdict(_Part, title='Verdict'):
    """The decisions of the gate and of the serving check."""

    blessed: bool = pydantic.Field(description='By the gate.')
    pushed: bool = pydantic.Field(description='Staging serves it.')
    refused_by: Literal['gate', 'serving_check'] | None = pydantic.Field(
        description='What held the model back; null where it was pushed, or the run ended earlier.'
    )
    headline: Text = pydantic.Field(description="The gate's decision and its reason.")
    threshold: float = pydantic.Field(description='`gate.val_accuracy`.')
    val: RunAccuracy | None
    test: RunAccuracy | None
    baseline: Text | None = pydantic.Field(
        description='The comparison with the baseline, in words.'
    )
    refusals: tuple[Text, ...] = pydantic.Field(
        description='Every rule that fails, and what would change that.'
    )


class PushedModel(_Part, title='Model'):
    """The model in staging."""

    path: Text
    version: Text
    already_there: bool = pydantic.Field(
        default=False, description='Whether the version was there before the run.'
    )


class RunData(_Part, title='Data'):
    """The images of the run."""

    images: int = pydantic.Field(description='Used by the run.')
    quarantined: int = pydantic.Field(description='Images that cannot be used.')
    classes: int
    splits: dict[str, int] = pydantic.Field(
        description='Images of train, val and test. In folds, each image of train and val both '
        'trains and judges.'
    )
    folds: int = pydantic.Field(
        default=0, description='How many train and val are made of; 0: a plain split.'
    )


class Failure(_Part):
    """Why a run did not finish."""

    message: Text
    node: Text | None = pydantic.Field(description='The node that failed, if any.')


class Details(_Part):
    """How a run ended."""

    version: Literal[1] = pydantic.Field(description='Of this format.')
    event: Event | Literal['test']
    project: Text
    run: Text = pydantic.Field(description='Id, as `thawline runs` prints it.')
    exit_code: int = pydantic.Field(description='Of `thawline run`.')
    seconds: float
    text: Text = pydantic.Field(description='A summary in a few lines.')
    verdict: RunVerdict | None = pydantic.Field(description='null where no model was evaluated.')
    model: PushedModel | None = pydantic.Field(description='null where none was pushed.')
    data: RunData | None = pydantic.Field(description='null where no image was read.')
    error: Failure | None = pydantic.Field(
        description='null where the run finished, whatever the verdict.'
    )
    report: Text | None = pydantic.Field(description='Path of the page, if there is one.')
    log: Text | None = pydantic.Field(description='Path.')


class Notification(_Part):
    """How a run of Thawline ended, in the structure of Standard Webhooks."""

    type: str = pydantic.Field(
        description='run.<event>: blessed, refused, finished (no model to push), '
        'stopped_by_data, bad_configuration, failed, interrupted; or test.'
    )
    timestamp: str = pydantic.Field(
        description='When the run ended, in UTC (RFC 3339).',
        json_schema_extra={'format': 'date-time'},
    )
    data: Details


def notification(details: Details, ended: datetime.datetime) -> Notification:
    """The body for a run that ended at an aware time."""
    kind = details.event if details.event == 'test' else f'run.{details.event}'
    utc = ended.astimezone(datetime.UTC).isoformat(timespec='milliseconds')
    return Notification(type=kind, timestamp=utc.replace('+00:00', 'Z'), data=details)


def encode(values: Mapping[str, Any]) -> bytes:
    """Compact JSON in ASCII."""
    return json.dumps(values, allow_nan=False, separators=(',', ':')).encode('ascii')


def json_schema() -> str:
    schema = Notification.model_json_schema(mode='serialization')
    dialect = {'$schema': 'https://json-schema.org/draft/2020-12/schema'}
    return json.dumps(dialect | schema, indent=2) + '\n'

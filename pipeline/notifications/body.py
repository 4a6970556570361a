"""What is told of an ending: the body of a notification, version 1.

`schemas/notification.schema.json` is made from these models (`pipeline.tools.write_docs`). Within a
version keys are only added. There is no name of a machine and no secret in it.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic

from thawline.pipeline.config.notifications import Event

VERSION: Literal[1] = 1


def _characters(value: object) -> object:
    """Halves of surrogate pairs, which names of files can hold, are no characters: they become ?"""
    return value.encode('utf-8', 'replace').decode() if isinstance(value, str) else value


Text = Annotated[str, pydantic.BeforeValidator(_characters)]


class _Part(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(frozen=True)


class Accuracy(_Part):
    """A measured accuracy with its 95 % interval; shares in [0, 1]."""

    accuracy: float
    lower: float
    upper: float


class Verdict(_Part):
    """What the gate and the serving check decided."""

    blessed: bool = pydantic.Field(description='By the gate.')
    pushed: bool = pydantic.Field(description='Into staging.')
    refused_by: Literal['gate', 'serving_check'] | None = pydantic.Field(
        description='Who keeps the model back; null where it was pushed, or where the run ended '
        'before that.'
    )
    headline: Text = pydantic.Field(description="The gate's decision with its reason.")
    threshold: float = pydantic.Field(description='`gate.val_accuracy`.')
    val: Accuracy | None
    test: Accuracy | None
    baseline: Text | None = pydantic.Field(
        description='The comparison with the latest blessed model, in a sentence.'
    )
    refusals: tuple[Text, ...] = pydantic.Field(
        description='Every rule that does not hold, with what would change it.'
    )


class Model(_Part):
    """The pushed model."""

    path: Text
    version: Text


class Data(_Part):
    """The images of the run."""

    images: int = pydantic.Field(description='That the run used.')
    quarantined: int = pydantic.Field(description='That could not be used.')
    classes: int
    splits: dict[str, int] = pydantic.Field(description='Images of train, val and test.')


class Failure(_Part):
    """Why a run did not come to its end."""

    message: Text
    node: Text | None = pydantic.Field(description='In which node, where it was one.')


class Details(_Part):
    """All that is told of the ending of a run."""

    version: Literal[1] = pydantic.Field(description='Of this format.')
    event: Event | Literal['test']
    project: Text
    run: Text = pydantic.Field(description='Id, as `thawline runs` prints it.')
    exit_code: int = pydantic.Field(description='Of `thawline run`.')
    seconds: float
    text: Text = pydantic.Field(description='The whole in words, a few lines.')
    verdict: Verdict | None = pydantic.Field(description='null where no model was judged.')
    model: Model | None = pydantic.Field(description='null where none was pushed.')
    data: Data | None = pydantic.Field(description='null where no image was read.')
    error: Failure | None = pydantic.Field(
        description='null where the run came to its end, with whatever verdict.'
    )
    report: Text | None = pydantic.Field(description='Path of the page, where one was made.')
    log: Text | None = pydantic.Field(description='Path.')


class Notification(_Part):
    """How a run of Thawline ended, in the structure that Standard Webhooks proposes."""

    type: str = pydantic.Field(
        description='run.<event>: blessed, refused, finished (ended well without a verdict), '
        'stopped_by_data, bad_configuration, failed, interrupted; or test.'
    )
    timestamp: str = pydantic.Field(
        description='When the run ended, in UTC (RFC 3339).',
        json_schema_extra={'format': 'date-time'},
    )
    data: Details


def of(details: Details, ended: datetime.datetime) -> Notification:
    """The body for an ending at `ended`, which knows its time zone."""
    kind = details.event if details.event == 'test' else f'run.{details.event}'
    utc = ended.astimezone(datetime.UTC).isoformat(timespec='milliseconds')
    return Notification(type=kind, timestamp=utc.replace('+00:00', 'Z'), data=details)


def encoded(values: Mapping[str, Any]) -> bytes:
    """Compact JSON in ASCII, as it is signed and sent."""
    return json.dumps(values, allow_nan=False, separators=(',', ':')).encode('ascii')


def json_schema() -> str:
    """JSON Schema of the body."""
    schema = {'$schema': 'https://json-schema.org/draft/2020-12/schema'}
    made = Notification.model_json_schema(mode='serialization')
    return json.dumps(schema | made, indent=2) + '\n'

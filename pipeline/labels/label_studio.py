"""Label Studio: tasks with predictions, and its exports JSON and JSON-MIN.

Tasks carry their picture as a data URI, so nothing has to be served beside them
(https://labelstud.io/guide/task_format, https://labelstud.io/guide/predictions).
"""

from __future__ import annotations

import base64
import json
import xml.sax.saxutils
from collections.abc import Iterator, Sequence
from typing import Any

from thawline.components.ingestion import label_studio_export
from thawline.components.shared.errors import DataError
from thawline.pipeline.labels.exchange import LEAVE_OUT, Answer, QueuedImage, label_of

_CONTROL, _OBJECT = 'label', 'image'


def tasks(queue: Sequence[QueuedImage]) -> str:
    """The JSON that Label Studio imports."""
    return json.dumps([_task(image) for image in queue], ensure_ascii=False, indent=1)


def read_queue(content: bytes, name: str) -> list[Answer]:
    """The answers in a file of tasks, which has some where it is what Label Studio exported.

    Raises:
        DataError: it has no tasks, or not those of a queue.
    """
    try:
        read_tasks = json.loads(content)
    except ValueError as error:
        raise DataError(f'{name} is no JSON: {error}') from error
    if not isinstance(read_tasks, list):
        raise DataError(f'{name} is no list of tasks')
    return list(read(read_tasks, name))


def _task(image: QueuedImage) -> dict[str, Any]:
    kind = image.suffix[1:].replace('jpg', 'jpeg')
    task: dict[str, Any] = {
        'data': {
            'image': f'data:image/{kind};base64,{base64.b64encode(image.encoded).decode()}',
            'image_id': image.image_id,
            'path': image.path,
            'present_label': image.label,
            'why': image.why,
        }
    }
    if guess := image.suggested or image.label:
        answer = {'choices': [guess]}
        result = {'from_name': _CONTROL, 'to_name': _OBJECT, 'type': 'choices', 'value': answer}
        task['predictions'] = [{'model_version': 'thawline', 'result': [result]}]
    return task


def labelling_config(classes: Sequence[str]) -> str:
    """The XML for the project's labelling interface."""
    choices = '\n'.join(
        f'    <Choice value={xml.sax.saxutils.quoteattr(name)}/>' for name in (*classes, LEAVE_OUT)
    )
    return (
        f'<View>\n  <Image name="{_OBJECT}" value="$image"/>\n'
        '  <Text name="present" value="$present_label"/>\n'
        f'  <Choices name="{_CONTROL}" toName="{_OBJECT}" choice="single" required="true">\n'
        f'{choices}\n  </Choices>\n</View>\n'
    )


def read(content: Any, name: str) -> Iterator[Answer]:
    """The answers of an export, JSON or JSON-MIN.

    Raises:
        DataError: a task has no image_id, or more than one choice.
    """
    for number, task in enumerate(content, 1):
        where = f'{name}, task {number}'
        if not label_studio_export.is_task(task):
            raise DataError(f'{where} is no task: {str(task)[:80]!r}')
        data = task.get('data', task)
        image_id = data.get('image_id') if isinstance(data, dict) else None
        if not isinstance(image_id, str):
            raise DataError(
                f'{where} has no image_id; only tasks that thawline labels export wrote can be '
                'brought back.'
            )
        for choices, who, when in label_studio_export.answers(task):
            if len(choices) > 1:
                raise DataError(f'{where} has {len(choices)} choices: {", ".join(choices)}')
            if choices:
                yield Answer(image_id, label_of(choices[0]), who, when, where)

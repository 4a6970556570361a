"""The folder in which a server keeps what it was asked and what it answered.

    images/<image_id>          the bytes as they were sent, each image once
    answers-<start>.jsonl      an answer a line, in the order of the requests; a file a start

A line is a JSON object: `time` (ISO 8601, UTC), `version` in service, `model` (its id in the
registry, 0 where the model does not say), `image_id` (first 32 hex digits of the SHA-256 of the
bytes), `label`, `score` and `probabilities` by class (of the page's requests the five highest).
Images appear by a rename and before their line, and a line is written at once: a server that is
killed leaves at most the beginning of a last line, which is not read.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Iterator, Mapping

import pydantic

from thawline.components.shared.errors import DataError
from thawline.components.shared.records import reason

IMAGES = 'images'
_ANSWERS = 'answers-*.jsonl'


@dataclasses.dataclass(frozen=True)
class RecordedAnswer:
    """The answer to one image; see the module."""

    time: str
    version: int
    model: int
    image_id: str
    label: str
    score: float
    probabilities: Mapping[str, float]

    def to_line(self) -> bytes:
        """The line in the file."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False).encode() + b'\n'


_ANSWER = pydantic.TypeAdapter(RecordedAnswer)


def answers_file(folder: pathlib.Path, start: str) -> pathlib.Path:
    """The file of a server that started at `start`."""
    return folder / _ANSWERS.replace('*', start)


def is_recorded(folder: pathlib.Path) -> bool:
    """Whether a server has recorded into the folder."""
    return (folder / IMAGES).is_dir() and any(folder.glob(_ANSWERS))


def read_answers(folder: pathlib.Path) -> Iterator[RecordedAnswer]:
    """All answers, file by file.

    Raises:
        DataError: a line is damaged.
    """
    for file in sorted(folder.glob(_ANSWERS)):
        with file.open('rb') as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b'\n'):  # the server was killed while it wrote it
                    break
                try:
                    yield _ANSWER.validate_json(line)
                except ValueError as error:
                    raise DataError(
                        f'{file}, line {number} is damaged ({reason(error)}); delete the line'
                    ) from error


def size(folder: pathlib.Path) -> tuple[int, int]:
    """Answers and bytes that the folder holds."""
    count = held = 0
    for file in folder.glob(_ANSWERS):
        content = file.read_bytes()
        count, held = count + content.count(b'\n'), held + len(content)
    for image in (folder / IMAGES).iterdir() if (folder / IMAGES).is_dir() else ():
        held += image.stat().st_size
    return count, held

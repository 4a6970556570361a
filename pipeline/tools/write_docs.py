"""The JSON Schema of the configuration for editors, and its reference for people.

Both are generated from the typed models: `make docs` writes them, and a test compares them.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Iterator
from typing import Any

import pydantic

import thawline
from thawline.pipeline.config.config import Config
from thawline.pipeline.notifications import body

SCHEMA = thawline.ROOT / 'schemas' / 'thawline.schema.json'
REFERENCE = thawline.ROOT / 'docs' / 'config.md'
NOTIFICATION = thawline.ROOT / 'schemas' / 'notification.schema.json'


def json_schema() -> str:
    """JSON Schema of a project file, for an editor."""
    schema = {'$schema': 'https://json-schema.org/draft/2020-12/schema'}
    return json.dumps(schema | Config.model_json_schema(), indent=2) + '\n'


def _type(annotation: Any) -> str:
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return 'section'
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return _type(arguments[0])
    if origin is typing.Literal:
        return ', '.join(f'`{value}`' for value in arguments)
    if origin is tuple:
        return 'list'
    if origin is dict:
        return 'names with values'
    if arguments:
        return ' or '.join(_type(a) for a in arguments if a is not type(None))
    names = {str: 'text', int: 'whole number', float: 'number', bool: 'true, false'}
    return names.get(annotation, str(annotation))


def _bounds(field: Any) -> str:
    signs = {'ge': '≥', 'gt': '>', 'le': '≤', 'lt': '<'}
    parts = []
    for holder in field.metadata:
        for attribute, sign in signs.items():
            value = getattr(holder, attribute, None)
            if value is not None:
                parts.append(f'{sign} {value:g}')
    return ' '.join(parts)


def _rows(model: type[pydantic.BaseModel], prefix: str) -> Iterator[tuple[str, ...]]:
    for name, field in model.model_fields.items():
        annotation = field.annotation
        path = f'{prefix}{name}'
        if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
            yield f'**`{path}`**', '', '', (annotation.__doc__ or '').split('\n')[0]
            yield from _rows(annotation, f'{path}.')
            continue
        if field.is_required():
            default = 'required'
        elif field.default is None:
            default = ''
        else:
            default = f'`{json.dumps(field.default)}`'
        kind = ' '.join(part for part in (_type(annotation), _bounds(field)) if part)
        yield f'`{path}`', kind, default, (field.description or '').replace('|', '\\|')
        for part in typing.get_args(annotation) if kind == 'list' else ():
            if isinstance(part, type) and issubclass(part, pydantic.BaseModel):
                yield from _rows(part, f'{path}[].')
        for part in typing.get_args(annotation) if kind == 'section' else ():
            if part is not type(None):
                yield from _rows(part, f'{path}.')


def reference() -> str:
    lines = [
        '# Configuration reference',
        '',
        'One YAML file a project. Unknown keys, wrong types and impossible combinations are errors',
        'before anything runs. Relative paths are relative to the file. Made by `make docs`.',
        '',
        '| key | type | default | meaning |',
        '|---|---|---|---|',
        *('| ' + ' | '.join(row) + ' |' for row in _rows(Config, '')),
        '',
    ]
    return '\n'.join(lines)


def main() -> None:
    SCHEMA.write_text(json_schema(), 'utf-8')
    REFERENCE.write_text(reference(), 'utf-8')
    NOTIFICATION.write_text(body.json_schema(), 'utf-8')


if __name__ == '__main__':
    main()

"""Settings of the database of ML Metadata."""

from __future__ import annotations

import re
from typing import Annotated, Self

import pydantic

from thawline.components.shared.settings import Count, Section

_VARIABLE = re.compile(r'[A-Z_][A-Z0-9_]*')


def _check_line(value: str) -> str:
    if not re.fullmatch(r'[^\x00-\x1f\x7f]{1,253}', value):
        raise ValueError('must be 1 to 253 characters on one line')
    return value


Name = Annotated[str, pydantic.AfterValidator(_check_line)]


class PostgreSQL(Section):
    """A PostgreSQL database, shared by machines and pipelines; it never holds the password."""

    host: Name = pydantic.Field(
        default='localhost',
        description='Host name or address, or the absolute path of a Unix socket folder.',
    )
    port: Annotated[Count, pydantic.Field(le=65_535)] = pydantic.Field(
        default=5432, description='Port of the server.'
    )
    database: Name = pydantic.Field(
        description='Name of the database; to create it: thawline metadata check --create.'
    )
    user: Name = pydantic.Field(description='Role to log in with.')
    password_env: str | None = pydantic.Field(
        default=None, description='Environment variable that holds the password.'
    )
    passfile: Name | None = pydantic.Field(
        default=None,
        description="File in PostgreSQL's .pgpass format that only its owner can read.",
    )

    @pydantic.field_validator('host')
    @classmethod
    def _check_host(cls, value: str) -> str:
        if not value.startswith('/') and re.search(r'[@/\s]', value):
            raise ValueError('must be a name, an address or a folder, not a URL')
        return value

    @pydantic.field_validator('password_env')
    @classmethod
    def _check_variable(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise ValueError(
                'must be the name of an environment variable, in capitals, such as '
                'THAWLINE_DB_PASSWORD; the password itself does not belong here'
            )
        return value

    @pydantic.model_validator(mode='after')
    def _check_password_source(self) -> Self:
        if self.password_env is not None and self.passfile is not None:
            raise ValueError('password_env and passfile are both set; use one of them')
        return self


class Metadata(Section):
    """Where ML Metadata keeps its records; default: a file in the project's output."""

    postgresql: PostgreSQL | None = pydantic.Field(
        default=None, description='Database to use instead of metadata.sqlite.'
    )

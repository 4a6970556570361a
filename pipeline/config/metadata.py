"""Settings of the place where ML Metadata keeps its records."""

from __future__ import annotations

import re
from typing import Annotated, Self

import pydantic

from thawline.components.shared.settings import Count, Section

_VARIABLE = re.compile(r'[A-Z_][A-Z0-9_]*')


def _one_line(value: str) -> str:
    if not re.fullmatch(r'[^\x00-\x1f\x7f]{1,253}', value):
        raise ValueError('must be 1 to 253 characters on one line')
    return value


Name = Annotated[str, pydantic.AfterValidator(_one_line)]


class PostgreSQL(Section):
    """A database that machines and pipelines share. The password is never written in here."""

    host: Name = pydantic.Field(
        default='localhost',
        description='Name or address; or the folder of its Unix socket, from / on.',
    )
    port: Annotated[Count, pydantic.Field(le=65_535)] = pydantic.Field(
        default=5432, description='Port of the server.'
    )
    database: Name = pydantic.Field(
        description='Name of the database, which has to be there: thawline metadata check --create.'
    )
    user: Name = pydantic.Field(description='Role that signs in.')
    password_env: str | None = pydantic.Field(
        default=None, description='Name of the environment variable that holds the password.'
    )
    passfile: Name | None = pydantic.Field(
        default=None,
        description="A file in the format of PostgreSQL's .pgpass that nobody else can read.",
    )

    @pydantic.field_validator('host')
    @classmethod
    def _no_url(cls, value: str) -> str:
        if not value.startswith('/') and re.search(r'[@/\s]', value):
            raise ValueError('must be a name, an address or a folder, not a URL')
        return value

    @pydantic.field_validator('password_env')
    @classmethod
    def _variable(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            raise ValueError(
                'must be the name of an environment variable, in capitals, such as '
                'THAWLINE_DB_PASSWORD; the password itself does not belong here'
            )
        return value

    @pydantic.model_validator(mode='after')
    def _one_source(self) -> Self:
        if self.password_env is not None and self.passfile is not None:
            raise ValueError('password_env and passfile are both given; one of them is enough')
        return self


class Metadata(Section):
    """Where ML Metadata keeps its records; by default in a file among the project's runs."""

    postgresql: PostgreSQL | None = pydantic.Field(
        default=None, description='A database instead of metadata.sqlite.'
    )

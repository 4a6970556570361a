"""Environment variables from Google Cloud's Secret Manager, for tasks on Vertex AI.

Vertex AI cannot set variables from secrets, and a compiled pipeline must not hold any.
"""

from __future__ import annotations

import json
from typing import Any

from thawline.components.shared.errors import ConfigError, Unavailable


def read_variables(name: str, client: Any = None) -> dict[str, str]:
    """The variables in a secret; `Unavailable` where Secret Manager does not answer.

    Args:
        name: of a version: projects/P/secrets/S/versions/V.
        client: of Secret Manager; by default with the identity of this machine.
    """
    from google.api_core import exceptions
    from google.auth import exceptions as auth_exceptions
    from google.cloud import secretmanager

    try:
        version = (client or secretmanager.SecretManagerServiceClient()).access_secret_version(
            name=name, timeout=30
        )
    except (exceptions.GoogleAPIError, auth_exceptions.GoogleAuthError) as error:
        transient = exceptions.ServerError, exceptions.RetryError, auth_exceptions.TransportError
        kind = Unavailable if isinstance(error, transient) else ConfigError
        raise kind(f'the secret {name} cannot be read: {error}') from error
    return parse(name, version.payload.data)


def parse(name: str, payload: bytes) -> dict[str, str]:
    """The variables of a payload, a JSON object of strings, which no error quotes."""
    try:
        content = json.loads(payload)
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(
        isinstance(value, str) for value in content.values()
    ):
        raise ConfigError(
            f'the secret {name} must hold a JSON object of environment variables, such as '
            '{"THAWLINE_DB_PASSWORD": "..."}'
        )
    return content

"""Environment variables from Google Cloud's Secret Manager, for tasks on Vertex AI.

Vertex AI sets no variables from secrets, and what stands in a compiled pipeline is no secret.
"""

from __future__ import annotations

import json
from typing import Any

from thawline.components.shared.errors import ConfigError


def variables(name: str, client: Any = None) -> dict[str, str]:
    """The variables that a secret holds.

    Args:
        name: of a version: projects/P/secrets/S/versions/V.
        client: of Secret Manager; by default with the identity of this machine.

    Raises:
        ConfigError: it cannot be read, or is no JSON object of texts.
    """
    from google.api_core import exceptions
    from google.auth import exceptions as auth_exceptions
    from google.cloud import secretmanager

    try:
        found = (client or secretmanager.SecretManagerServiceClient()).access_secret_version(
            name=name, timeout=30
        )
    except (exceptions.GoogleAPIError, auth_exceptions.GoogleAuthError) as error:
        raise ConfigError(f'the secret {name} cannot be read: {error}') from error
    return parsed(name, found.payload.data)


def parsed(name: str, payload: bytes) -> dict[str, str]:
    """The variables of a payload; no error tells any of it.

    Raises:
        ConfigError: it is no JSON object of texts.
    """
    try:
        content = json.loads(payload)
    except ValueError:
        content = None
    if not isinstance(content, dict) or not all(isinstance(one, str) for one in content.values()):
        raise ConfigError(
            f'the secret {name} must hold a JSON object of environment variables, such as '
            '{"THAWLINE_DB_PASSWORD": "..."}'
        )
    return content

"""What workers that were started elsewhere run: results are kept under the code of who asks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from thawline.components.shared import code_digest
from thawline.components.shared.errors import ConfigError

PARAMETER = 'thawline'  # of a request for a worker


def digest() -> str:
    """Of the code that nodes run, and of the libraries that decide what they compute."""
    parts = [code_digest.of_all_code(), code_digest.all_library_versions()]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def refusal(parameters: Mapping[str, str], own: str) -> str:
    """Why a worker must not start; empty where it may.

    Args:
        parameters: of the request.
        own: digest when the pool began, and with it the processes that have imported the code.
    """
    asked = parameters.get(PARAMETER, own)
    if asked == own:
        return ''
    # Named like an exception that was raised, which is how `worker_errors` recognises it.
    return (
        f'{ConfigError.__module__}.{ConfigError.__name__}: the workers of beam.worker_pool run '
        f'other code or libraries ({own}) than this run ({asked}); restart thawline workers there '
        'from the same version and lock'
    )

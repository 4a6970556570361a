"""A push: a model becomes the highest version in staging, which is the one that is served."""

from __future__ import annotations

import dataclasses
import os
import pathlib
import secrets
import shutil
import time
from collections.abc import Callable

from thawline.components.pusher.local_destination import INCOMING, LocalDestination
from thawline.components.shared import model_fingerprint
from thawline.components.shared.errors import ConfigError
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.components.shared.version_folders import version_number

_PUSHING = f'{INCOMING}push-'  # promotions prepare versions beside it, under numbers


@dataclasses.dataclass(frozen=True)
class Push:
    """The version that holds the model, and whether it was there before the push."""

    version: int
    already_there: bool


def push(
    model: pathlib.Path,
    staging: pathlib.Path,
    above: int = 0,
    now: Callable[[], float] = time.time,
) -> Push:
    """Makes a model the highest version in staging, unless it is; the caller holds the lock.

    Args:
        model: its SavedModel.
        staging: the folder of versions; it need not exist.
        above: the highest number that a version ever had, also one that was removed since.
        now: seconds since the epoch; versions are numbered by them, as TFX's Pusher does.

    Raises:
        UserError: the model cannot be copied; nothing new is in staging.
    """
    place, source = LocalDestination(staging), LocalFiles(model)
    expected = model_fingerprint.fingerprint(source)
    highest, versions = _highest_number(staging), place.versions()
    is_complete = versions[-1:] == [highest]
    if is_complete and model_fingerprint.fingerprint(place.source(highest)) == expected:
        return Push(highest, already_there=True)
    version = max(int(now()), highest + 1, above + 1)
    incoming = f'{_PUSHING}{secrets.token_hex(4)}'
    try:
        written = place.prepare(source, version, incoming, model_fingerprint.ignore_progress)
        if written != expected:
            raise ConfigError(
                f'the files in {model} changed while they were copied to {staging}; is something '
                'else writing there?'
            )
        place.finish(source, version, incoming)
    except BaseException:
        place.discard(version, incoming)
        raise
    return Push(version, already_there=False)


def sweep(staging: pathlib.Path) -> None:
    """Removes what killed pushes left; the caller holds the lock."""
    for folder in staging.glob(f'{_PUSHING}*'):
        shutil.rmtree(folder, ignore_errors=True)


def _highest_number(staging: pathlib.Path) -> int:
    """Of all folders that a server may take for versions, also incomplete ones; 0 for none."""
    names = os.listdir(staging) if staging.is_dir() else ()
    return max((version_number(name) or 0 for name in names), default=0)

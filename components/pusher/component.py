"""Pusher: puts a blessed model where servers load it."""

from __future__ import annotations

from tfx.types import standard_artifacts

from thawline.components.pusher import driver, executor
from thawline.components.shared.artifacts import ServingRecord
from thawline.components.shared.component import Component


class Pusher(Component):
    """Makes a model the highest version in staging if both blessings allow it.

    It must be, file by file, the model that the serving check asked.

    TFX's own is served from the cache where the same model was pushed before, whatever lies in
    staging by now, and counts a copy that a kill cut short as a version.

    Outputs:
        pushed_model: TFX's PushedModel, with its properties and a copy of the files;
            `already_there` says that the version was not made by this push, `model_digest` what
            its files are.
    """

    EXECUTOR = executor.Executor
    DRIVER_CLASS = driver.Driver
    INPUTS = {
        'model': standard_artifacts.Model,
        'model_blessing': standard_artifacts.ModelBlessing,
        'infra_blessing': standard_artifacts.InfraBlessing,
        'serving_record': ServingRecord,
    }
    OUTPUTS = {'pushed_model': standard_artifacts.PushedModel}
    PARAMETERS = {'staging': str}  # the folder

"""TFX's executor of Trainer, with what TFX has no place for in `custom_config`."""

from __future__ import annotations

from typing import Any

from tfx.components.trainer import executor
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

from thawline.components.shared.property_names import CODE_DIGEST, LIBRARY_VERSIONS

EMBEDDINGS, INGESTED = 'embeddings', 'ingested'


def with_inputs(
    custom_config: dict[str, Any] | None,
    input_dict: dict[str, list[Artifact]],
    exec_properties: dict[str, Any],
) -> dict[str, Any]:
    """The config, and beside it the places of further inputs, and the code with its libraries."""
    place = {
        name: artifact_utils.get_single_uri(input_dict[name])
        for name in (EMBEDDINGS, INGESTED)
        if input_dict.get(name)
    }
    code = {name: exec_properties[name] for name in (CODE_DIGEST, LIBRARY_VERSIONS)}
    return {**(custom_config or {}), **place, **code}


class Executor(executor.GenericExecutor):
    """Calls `run_fn`."""

    def _GetFnArgs(  # noqa: N802 - the name is TFX's
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> FnArgs:
        fn_args = super()._GetFnArgs(input_dict, output_dict, exec_properties)
        fn_args.custom_config = with_inputs(fn_args.custom_config, input_dict, exec_properties)
        return fn_args

"""TFX's cache keys without the place of the project, so that they are the same after a move."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from thawline.pipeline import tfx_imports  # noqa: F401 - before TFX
from thawline.pipeline.system.paths_in_text import replace_folders

from tfx.orchestration.portable import cache_utils  # isort: skip - after tfx_imports
from tfx.types import artifact as tfx_artifact  # isort: skip


@contextlib.contextmanager
def with_placeholders(placeholders: Mapping[str, str]) -> Iterator[None]:
    """Has TFX's launcher make keys with placeholders for folders, for the time of the block."""
    make_context = cache_utils.get_cache_context

    def get_cache_context(
        *args: Any,
        input_artifacts: Mapping[str, Sequence[tfx_artifact.Artifact]] | None = None,
        parameters: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Any:
        return make_context(
            *args,
            input_artifacts={
                key: [_artifact(artifact, placeholders) for artifact in artifacts]
                for key, artifacts in (input_artifacts or {}).items()
            },
            parameters={
                name: replace_folders(str(value), placeholders)
                for name, value in (parameters or {}).items()
            },
            **kwargs,
        )

    cache_utils.get_cache_context = get_cache_context
    try:
        yield
    finally:
        cache_utils.get_cache_context = make_context


def _artifact(
    artifact: tfx_artifact.Artifact, placeholders: Mapping[str, str]
) -> tfx_artifact.Artifact:
    """A copy with placeholders in its address and its properties."""
    draft = copy.deepcopy(artifact)
    record = draft.mlmd_artifact
    record.uri = replace_folders(record.uri, placeholders)
    for properties in (record.properties, record.custom_properties):
        for value in properties.values():
            if value.HasField('string_value'):
                value.string_value = replace_folders(value.string_value, placeholders)
    return draft

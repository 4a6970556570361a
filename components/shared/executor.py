"""The base of executors: the work on one artifact a key, where TFX hands over lists of them."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from typing import Any

from tfx.dsl.components.base import base_beam_executor, base_executor
from tfx.types import artifact_utils
from tfx.types.artifact import Artifact

Properties = Mapping[str, Any]


class Artifacts(Mapping[str, Artifact]):
    """The only artifact of each key that has any."""

    def __init__(self, lists: Mapping[str, list[Artifact]]) -> None:
        self._lists = {key: artifacts for key, artifacts in lists.items() if artifacts}

    def __getitem__(self, key: str) -> Artifact:
        artifact: Artifact = artifact_utils.get_single_instance(self._lists[key])
        return artifact

    def __iter__(self) -> Iterator[str]:
        return iter(self._lists)

    def __len__(self) -> int:
        return len(self._lists)

    def all_of(self, key: str) -> list[Artifact]:
        """Of a key that may have several, or none."""
        return self._lists.get(key, [])


class NodeExecutor(base_executor.BaseExecutor):
    """Does the work of a node in `run`; inputs, outputs and properties are its contract's."""

    def Do(
        self,
        input_dict: dict[str, list[Artifact]],
        output_dict: dict[str, list[Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """As TFX calls it."""
        self._log_startup(input_dict, output_dict, exec_properties)
        self.run(Artifacts(input_dict), Artifacts(output_dict), exec_properties)

    @abc.abstractmethod
    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """The work; optional inputs may be absent."""


class BeamNodeExecutor(NodeExecutor, base_beam_executor.BaseBeamExecutor):
    """The same with Beam."""

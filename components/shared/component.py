"""The base of the components: each declares its contract as class data, and no more."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

import pydantic
from google.protobuf import message
from tfx import types
from tfx.dsl.components.base import base_beam_executor, base_component, base_executor, executor_spec
from tfx.types import component_spec
from tfx.utils import json_utils

from thawline.components.shared import code_digest
from thawline.components.shared.property_names import CODE_DIGEST, LIBRARY_VERSIONS


class Component(base_component.BaseComponent):
    """A component of TFX, made from a contract.

    EXECUTOR: the class that does the work.
    NAME: of the node; the name of the class where it is empty.
    INPUTS, OPTIONAL_INPUTS, OUTPUTS: types of artifacts.
    PARAMETERS: types of parameters. Settings and dicts are passed on as JSON.
    CODE: modules that the executor runs without importing them.

    The code that runs and its libraries are two more parameters, and so part of the cache key:
    TFX's own is the path of the class, which neither an edit nor an update changes.
    """

    EXECUTOR: ClassVar[type[base_executor.BaseExecutor]]
    NAME: ClassVar[str] = ''
    INPUTS: ClassVar[Mapping[str, type[types.Artifact]]] = {}
    OPTIONAL_INPUTS: ClassVar[Mapping[str, type[types.Artifact]]] = {}
    OUTPUTS: ClassVar[Mapping[str, type[types.Artifact]]] = {}
    PARAMETERS: ClassVar[Mapping[str, type]] = {}
    CODE: ClassVar[tuple[str, ...]] = ()

    def __init_subclass__(cls) -> None:
        """Makes what TFX asks of a class."""
        super().__init_subclass__()
        uses_beam = issubclass(cls.EXECUTOR, base_beam_executor.BaseBeamExecutor)
        run_by = executor_spec.BeamExecutorSpec if uses_beam else executor_spec.ExecutorClassSpec
        cls.EXECUTOR_SPEC = run_by(cls.EXECUTOR)
        cls.SPEC_CLASS = type(f'{cls.__name__}Spec', (component_spec.ComponentSpec,), _spec(cls))

    def __init__(self, **values: Any) -> None:
        """Inputs and parameters by name.

        Raises:
            ValueError, TypeError: one is missing, unknown or of another type.
        """
        outputs = {name: types.Channel(type=kind) for name, kind in self.OUTPUTS.items()}
        key = code_digest.key_properties(self.EXECUTOR.__module__, *self.CODE)
        passed = {name: _plain_value(value) for name, value in values.items()}
        super().__init__(self.SPEC_CLASS(**key, **passed, **outputs))
        if self.NAME:
            self.with_id(self.NAME)


def add_libraries(node: base_component.BaseComponent, *imported: str) -> None:
    """Puts the versions of libraries into the cache key of one of TFX's own components."""
    versions = json.dumps(code_digest.library_versions(*imported))
    node.spec.exec_properties[LIBRARY_VERSIONS] = versions


def _spec(cls: type[Component]) -> dict[str, Any]:
    channel, parameter = component_spec.ChannelParameter, component_spec.ExecutionParameter
    parameters = {name: _recorded_type(kind) for name, kind in cls.PARAMETERS.items()}
    return {
        'INPUTS': {
            **{name: channel(type=kind) for name, kind in cls.INPUTS.items()},
            **{
                name: channel(type=kind, optional=True)
                for name, kind in cls.OPTIONAL_INPUTS.items()
            },
        },
        'OUTPUTS': {name: channel(type=kind) for name, kind in cls.OUTPUTS.items()},
        'PARAMETERS': {
            name: parameter(type=kind)
            for name, kind in {**parameters, CODE_DIGEST: str, LIBRARY_VERSIONS: str}.items()
        },
    }


def _recorded_type(kind: type) -> type:
    """The type of a parameter as ML Metadata has it."""
    return kind if kind in (int, float, str) or issubclass(kind, message.Message) else str


def _plain_value(value: Any) -> Any:
    if isinstance(value, pydantic.BaseModel):
        return value.model_dump_json()
    if not isinstance(value, dict):
        return value
    # Settings inside of a dict stay JSON in JSON: who reads them needs their class.
    return json_utils.dumps(
        {
            key: of_key.model_dump_json() if isinstance(of_key, pydantic.BaseModel) else of_key
            for key, of_key in value.items()
        }
    )

"""What is exported beside the SavedModel, and from which score on a model answers."""

from __future__ import annotations

from typing import Annotated, Literal

import pydantic

from thawline.components.shared.settings import Fraction, Section

Kind = Literal['litert', 'litert_dynamic', 'litert_int8', 'onnx']
KINDS: tuple[Kind, ...] = ('litert', 'litert_dynamic', 'litert_int8', 'onnx')


class Abstention(Section):
    """From which score on an answer counts; below it a person has to look."""

    accuracy: Annotated[float, pydantic.Field(gt=0.5, lt=1.0)] = pydantic.Field(
        description='The least accuracy of the answers that are given, by its lower bound on val.'
    )


class ExportSettings(Section):
    """What the Exporter is told of the section `serving`."""

    exports: tuple[Kind, ...] = ()
    exports_tolerance: Fraction = 0.02
    abstain: Abstention | None = None
    licence: str | None = None

"""Where models are served from, and how many versions are kept there."""

from __future__ import annotations

import pydantic

from thawline.components.bulk_prediction.params import Bulk
from thawline.components.export.params import Abstain, Exports, Kind
from thawline.components.serving_check.params import Check
from thawline.components.shared.settings import Count, Fraction, Section


class Serving(Section):
    """Where promoted models go, and what travels with them."""

    production: str | None = pydantic.Field(
        default=None,
        description='Where promoted models are served from: a folder, or a URL that Beam reaches '
        'such as gs://bucket/models/x; default: <output>/serving/production.',
    )
    keep: Count = pydantic.Field(
        default=5, description='How many versions of each stage thawline prune leaves.'
    )
    exports: tuple[Kind, ...] = pydantic.Field(
        default=(),
        description='Other formats beside the SavedModel: litert, litert_dynamic, litert_int8, '
        'onnx.',
    )
    exports_tolerance: Fraction = pydantic.Field(
        default=0.02,
        description='Most val accuracy that such a format may lose, by the lower end of the 95 % '
        'interval of the difference.',
    )
    abstain: Abstain | None = pydantic.Field(
        default=None,
        description='A score below which the model abstains, calibrated on val: {accuracy: 0.98}.',
    )
    licence: str | None = pydantic.Field(
        default=None, description='Licence of the model, in words; travels with it.'
    )
    check: Check = Check()
    bulk: Bulk | None = pydantic.Field(
        default=None, description='Unlabelled images that a run predicts with its blessed model.'
    )

    @property
    def exported(self) -> Exports:
        """What the Exporter needs of it."""
        return Exports.model_validate(self.model_dump(include=set(Exports.model_fields)))

"""Where models are served from, what is exported, and how many versions stay."""

from __future__ import annotations

import pydantic

from thawline.components.bulk_prediction.params import Bulk
from thawline.components.export.params import Abstention, ExportSettings, Kind
from thawline.components.serving_check.params import ServingCheckSettings
from thawline.components.shared.settings import Count, Fraction, Section


class Serving(Section):
    """Where promoted models go, and what is exported with them."""

    production: str | None = pydantic.Field(
        default=None,
        description='Where promoted models are served from: a folder, or a URL that Beam can reach '
        'such as gs://bucket/models/x; default: <output>/serving/production.',
    )
    keep: Count = pydantic.Field(
        default=5, description='Versions of each stage that thawline prune keeps.'
    )
    exports: tuple[Kind, ...] = pydantic.Field(
        default=(),
        description='Formats to export beside the SavedModel: litert, litert_dynamic, litert_int8, '
        'onnx.',
    )
    exports_tolerance: Fraction = pydantic.Field(
        default=0.02,
        description='Val accuracy that such a format may lose at most, by the lower end of the '
        '95 % interval of the difference.',
    )
    abstain: Abstention | None = pydantic.Field(
        default=None,
        description='Abstain below a score that is calibrated on val: {accuracy: 0.98}.',
    )
    licence: str | None = pydantic.Field(
        default=None, description='Licence of the model; part of the model card.'
    )
    check: ServingCheckSettings = ServingCheckSettings()
    bulk: Bulk | None = pydantic.Field(
        default=None,
        description='Unlabelled images to predict with the model of a run, if it was pushed.',
    )

    @property
    def export_settings(self) -> ExportSettings:
        """The part that the Exporter takes."""
        return ExportSettings.model_validate(
            self.model_dump(include=set(ExportSettings.model_fields))
        )

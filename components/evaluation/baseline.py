"""Which model a candidate is compared with: the latest blessed one that is older than itself."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.common import resolver

import ml_metadata as mlmd  # isort: skip - after tfx, whose import order it depends on


class EarlierBlessedModelStrategy(resolver.ResolverStrategy):
    """Resolves `model` and `model_blessing` to the latest blessing of a model before `candidate`.

    TFX's LatestBlessedModelStrategy would take the candidate itself once it has been blessed: a
    second run with nothing changed would then have new inputs and evaluate the model against
    itself, instead of being served from the cache.
    """

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Returns the two artifacts, or empty lists where nothing was blessed before."""
        candidate = max((artifact.id for artifact in input_dict['candidate']), default=0)
        models = {artifact.id: artifact for artifact in input_dict['model']}
        blessings = sorted(input_dict['model_blessing'], key=lambda b: b.id, reverse=True)
        for blessing in blessings:
            blessed = blessing.get_int_custom_property('blessed') == 1
            model = models.get(blessing.get_int_custom_property('current_model_id'))
            if blessed and model is not None and model.id < candidate:
                found = {'model': [model], 'model_blessing': [blessing]}
                return {**input_dict, **found}
        return {**input_dict, 'model': [], 'model_blessing': []}

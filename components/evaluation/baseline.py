"""Which model a candidate is compared with: the latest blessed one that is older than itself."""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts

from thawline.components.shared import node_names, property_names

import ml_metadata as mlmd  # isort: skip - after tfx, whose import order it depends on


def earlier_blessed_model(candidate: types.BaseChannel) -> resolver.Resolver:
    """The node that finds it."""
    return resolver.Resolver(
        strategy_class=EarlierBlessedModelStrategy,
        candidate=candidate,
        model=types.Channel(type=standard_artifacts.Model),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
    ).with_id(node_names.BASELINE)


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
            blessed = blessing.get_int_custom_property(property_names.BLESSED) == 1
            model = models.get(blessing.get_int_custom_property(property_names.CURRENT_MODEL_ID))
            if blessed and model is not None and model.id < candidate:
                return {**input_dict, 'model': [model], 'model_blessing': [blessing]}
        return {**input_dict, 'model': [], 'model_blessing': []}

"""Which model a candidate is compared with, and which images the two have learned from.

By default it is the latest model older than the candidate that could be served. The gate has
blessed it, and it has passed the serving check: a model that the check refused was never pushed,
and would hold back all that are better than what is served. By choice it is the model that was
promoted to production last.
"""

from __future__ import annotations

from tfx import types
from tfx.dsl.components.common import resolver
from tfx.types import standard_artifacts

from thawline.components.evaluation.gate.params import Baseline
from thawline.components.shared import deployments, lineage, node_names, property_names

import ml_metadata as mlmd  # isort: skip - after tfx, whose import order it depends on
from ml_metadata.proto import metadata_store_pb2 as pb  # isort: skip

_CHECK = 'infra_blessing'  # what the serving check calls its decision


def baseline_model(
    candidate: types.BaseChannel, baseline: Baseline, production: str
) -> resolver.Resolver:
    """The node that finds it.

    Args:
        candidate: channel of the candidate.
        baseline: which model it is.
        production: the folder or URL of the versions in production.
    """
    return resolver.Resolver(
        strategy_class=BaselineStrategy,
        config={'baseline': baseline, 'production': production},
        candidate=candidate,
        model=types.Channel(type=standard_artifacts.Model),
        model_blessing=types.Channel(type=standard_artifacts.ModelBlessing),
        evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
        examples=types.Channel(type=standard_artifacts.Examples),
        candidate_examples=types.Channel(type=standard_artifacts.Examples),
    ).with_id(node_names.BASELINE)


class BaselineStrategy(resolver.ResolverStrategy):
    """Resolves `model` and `model_blessing` to the baseline and its blessing.

    `evaluation` is that of the blessing, which has the digests of the model's files. `examples` are
    what the model learned from, as ingested, `candidate_examples` the same of the candidate. The
    metadata knows them for every model. They are several where settings were tuned on other images.

    TFX's LatestBlessedModelStrategy would take the candidate itself once it has been blessed: a
    second run with nothing changed would then have new inputs and evaluate the model against
    itself, instead of being served from the cache. A candidate that is in production is compared
    with what it replaced there, for the same reason.
    """

    def __init__(self, baseline: Baseline = 'latest_blessed', production: str = '') -> None:
        self._baseline = baseline
        self._production = production

    def resolve_artifacts(
        self, store: mlmd.MetadataStore, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]] | None:
        """Returns the artifacts; empty lists of those of a baseline where there is none."""
        candidates = input_dict['candidate']
        known = candidates, input_dict['model'], input_dict['model_blessing']
        if self._baseline == 'production':
            models, blessings = _in_production(store, self._production, *known)
        else:
            models, blessings = _latest_servable(store, *known)
        evaluator = store, node_names.EVALUATOR, 'evaluation'
        ingestion = store, node_names.IMAGE_EXAMPLE_GEN, 'examples'
        return {
            'candidate': candidates,
            'model': models,
            'model_blessing': blessings,
            'evaluation': _made_by(*evaluator, input_dict['evaluation'], blessings),
            'examples': _made_by(*ingestion, input_dict['examples'], models),
            'candidate_examples': _made_by(*ingestion, input_dict['examples'], candidates),
        }


def _latest_servable(
    store: mlmd.MetadataStore,
    candidates: list[types.Artifact],
    models: list[types.Artifact],
    blessings: list[types.Artifact],
) -> tuple[list[types.Artifact], list[types.Artifact]]:
    """The baseline and its blessing, or two empty lists."""
    candidate = max((artifact.id for artifact in candidates), default=0)
    model_by_id = {artifact.id: artifact for artifact in models}
    for blessing in sorted(blessings, key=lambda b: b.id, reverse=True):
        blessed = blessing.get_int_custom_property(property_names.BLESSED) == 1
        model = model_by_id.get(blessing.get_int_custom_property(property_names.CURRENT_MODEL_ID))
        is_earlier = model is not None and model.id < candidate
        if blessed and is_earlier and _passed_serving_check(store, blessing):
            return [model], [blessing]
    return [], []


def _in_production(
    store: mlmd.MetadataStore,
    destination: str,
    candidates: list[types.Artifact],
    models: list[types.Artifact],
    blessings: list[types.Artifact],
) -> tuple[list[types.Artifact], list[types.Artifact]]:
    """The baseline and its newest blessing, which one that was forced into production lacks."""
    own = {artifact.id for artifact in candidates}
    served = deployments.models_served(store, deployments.PRODUCTION, destination)
    others = [number for number in served if number not in own]
    models = [artifact for artifact in models if others and artifact.id == others[-1]]
    decisions = [
        blessing
        for blessing in sorted(blessings, key=lambda b: b.id)
        if models
        and blessing.get_int_custom_property(property_names.CURRENT_MODEL_ID) == models[0].id
    ]
    return models, decisions[-1:]


def _passed_serving_check(store: mlmd.MetadataStore, blessing: types.Artifact) -> bool:
    """Whether the latest check that read this blessing passed its model; False without one."""
    events = store.get_events_by_artifact_ids([blessing.id])
    executions = sorted({event.execution_id for event in events})
    decisions = [
        event
        for event in (store.get_events_by_execution_ids(executions) if executions else ())
        if event.type == pb.Event.OUTPUT and event.path.steps[0].key == _CHECK
    ]
    if not decisions:
        return False
    latest = max(decisions, key=lambda event: event.execution_id)
    (decision,) = store.get_artifacts_by_id([latest.artifact_id])
    return bool(decision.custom_properties[property_names.BLESSED].int_value == 1)


def _made_by(
    store: mlmd.MetadataStore,
    node: str,
    key: str,
    among: list[types.Artifact],
    results: list[types.Artifact],
) -> list[types.Artifact]:
    """Those `among` the outputs `key` of a node without which the results would not be."""
    ids = {
        step.outputs[key]
        for step in lineage.steps(store, [result.id for result in results])
        if step.node == node
    }
    return sorted((artifact for artifact in among if artifact.id in ids), key=lambda a: a.id)

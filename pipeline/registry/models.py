"""The models of a project, from their metadata. The Trainer's artifact `model` is the model.

Events in the metadata link it to its exported form and its blessings.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import pathlib
from typing import Any

from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.shared import node_names, property_names, version_folders
from thawline.components.shared.errors import DataError
from thawline.pipeline.metadata.lineage import Execution, Lineage
from thawline.pipeline.metadata.runs import Output

_FORMAT = 'Format-Serving'  # the folder inside the artifact of TFX's Trainer


@dataclasses.dataclass(frozen=True)
class TrainingData:
    """The images that a model was trained on.

    Attributes:
        source: as configured.
        fingerprint: of all files of the source.
        images: how many.
    """

    source: str
    fingerprint: str
    images: IngestionSummary


@dataclasses.dataclass(frozen=True)
class Model:
    """A trained model.

    Attributes:
        id: of the Trainer's artifact.
        run: that trained it; later runs may have reused it from the cache.
        made: when.
        uri: of the artifact.
        evaluator, exporter, checker: the newest successful executions that evaluated, exported and
            checked it.
        evaluation, blessing, exported, exports, infra_blessing, serving_record: their outputs.
    """

    id: int
    run: str
    made: datetime.datetime
    uri: str
    trainer: Execution
    evaluator: Execution | None
    evaluation: Output | None
    blessing: Output | None
    exporter: Execution | None
    exported: Output | None
    exports: Output | None
    checker: Execution | None
    infra_blessing: Output | None
    serving_record: Output | None

    @property
    def blessed(self) -> bool | None:
        """The Evaluator's decision; None without one."""
        return _blessed(self.blessing)

    @property
    def infra_blessed(self) -> bool | None:
        """The serving check's decision; None without one.

        The check skips models that the Evaluator did not bless.
        """
        properties = self.serving_record.properties if self.serving_record else {}
        return (
            None if properties.get(property_names.CHECKED) == 0 else _blessed(self.infra_blessing)
        )

    @property
    def formats(self) -> tuple[str, ...]:
        """Other formats in the exported form."""
        names = self.exports.properties.get(property_names.PLACED) if self.exports else None
        return tuple(map(str, json.loads(names))) if names else ()

    @property
    def folders(self) -> tuple[pathlib.Path, ...]:
        """Where its SavedModel should be: first the exported form, which has all formats."""
        uris = [self.exported.uri] if self.exported else []
        return tuple(saved_model(uri) for uri in (*uris, self.uri))

    @property
    def folder(self) -> pathlib.Path | None:
        """The SavedModel that is served; None if its files are gone.

        The bare model does not replace a missing exported form: the other formats would be lost
        silently.
        """
        return self.folders[0] if version_folders.is_model(self.folders[0]) else None


def _blessed(blessing: Output | None) -> bool | None:
    return None if blessing is None else blessing.blessed


def saved_model(uri: str) -> pathlib.Path:
    """The SavedModel inside of a Model artifact."""
    inside = pathlib.Path(uri, _FORMAT)
    return inside if inside.is_dir() else pathlib.Path(uri)


def read_models(graph: Lineage) -> list[Model]:
    """Every model, oldest first."""
    models = []
    for trainer in graph.of_node(node_names.TRAINER):
        model = graph.output(trainer, 'model')
        if trainer.state == 'complete' and model is not None:
            models.append(_model(graph, trainer, model))
    return models


def _model(graph: Lineage, trainer: Execution, model: Output) -> Model:
    evaluator = graph.newest_consumer(model.id, 'blessing', 'model')
    exporter = graph.newest_consumer(model.id, 'exported_model', 'model')
    exported = graph.output(exporter, 'exported_model')
    # Under any input key.
    checker = graph.newest_consumer((exported or model).id, 'infra_blessing')
    return Model(
        id=model.id,
        run=trainer.run,
        made=trainer.began,
        uri=model.uri,
        trainer=trainer,
        evaluator=evaluator,
        evaluation=graph.output(evaluator, 'evaluation'),
        blessing=graph.output(evaluator, 'blessing'),
        exporter=exporter,
        exported=exported,
        exports=graph.output(exporter, 'exports'),
        checker=checker,
        infra_blessing=graph.output(checker, 'infra_blessing'),
        serving_record=graph.output(checker, 'serving_record'),
    )


def source_model(graph: Lineage, artifact: int) -> int:
    """The model that a Model artifact is a form of: itself, or what it was exported from."""
    maker = graph.producer(artifact)
    if maker is not None and artifact in maker.outputs.get('exported_model', ()):
        return next(iter(maker.inputs.get('model', ())), artifact)
    return artifact


@dataclasses.dataclass(frozen=True)
class PushedVersion:
    """A version in staging: the id of its model, and the digest of its files, if recorded."""

    model: int
    digest: str


def pushes(graph: Lineage) -> dict[int, PushedVersion]:
    """By version in staging, all that Pusher ever pushed.

    A model may have several: it is pushed again where another one is the highest by then.
    """
    versions = {}
    for pusher in graph.of_node(node_names.PUSHER):
        pushed = graph.output(pusher, 'pushed_model')
        version = str(pushed.properties.get(property_names.PUSHED_VERSION, '')) if pushed else ''
        for artifact in pusher.inputs.get('model', ()) if version.isdigit() else ():
            digest = str(pushed.properties.get(property_names.MODEL_DIGEST, '')) if pushed else ''
            versions[int(version)] = PushedVersion(source_model(graph, artifact), digest)
    return versions


def training_data(graph: Lineage, model: Model) -> TrainingData | None:
    """The training data of a model; None where the metadata has no record of it."""
    ingestion = next(
        (
            execution
            for execution in graph.ancestors(model.id)
            if execution.node == node_names.IMAGE_EXAMPLE_GEN
        ),
        None,
    )
    quarantine = graph.output(ingestion, 'quarantine')
    if ingestion is None or quarantine is None:
        return None
    try:
        images = IngestionSummary.of_properties(quarantine.properties, quarantine.uri)
    except DataError:
        return None
    spec = json_object(ingestion.properties.get(property_names.SOURCE_SPEC))
    return TrainingData(
        source=str(spec.get('source', '')),
        fingerprint=str(ingestion.properties.get(property_names.SOURCE_FINGERPRINT, '')),
        images=images,
    )


def trainer_settings(model: Model) -> dict[str, Any]:
    """The Trainer's settings: `model` (the base), `training`, `image_size` and so on."""
    config = json_object(model.trainer.properties.get(property_names.CUSTOM_CONFIG))
    nested = {key: json_object(config.get(key)) for key in ('model', 'training')}
    return {**config, **nested}


def base_name(model: Model) -> str:
    """Name of the base and side length of its images: 'efficientnet_lite0 192'."""
    settings = trainer_settings(model)
    return f'{settings["model"].get("backbone", "?")} {settings.get("image_size", "")}'.strip()


def json_object(text: Any) -> dict[str, Any]:
    """JSON among the properties of an execution; empty where it is none."""
    try:
        content = json.loads(text) if isinstance(text, str) else {}
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}

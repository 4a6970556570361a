"""The images that a model learned from, as its run left them."""

from __future__ import annotations

import dataclasses
import pathlib

import numpy as np

from thawline.components.data_audit import images as audited_images
from thawline.components.data_audit.images import AuditedImages
from thawline.components.embedding import embeddings, image_embeddings
from thawline.components.embedding.embeddings import EmbeddingSettings, Spec
from thawline.components.embedding.feature_extractor import FeatureExtractor
from thawline.components.evaluation import predictions
from thawline.components.report import pictures
from thawline.components.shared import feature_key, node_names, progress
from thawline.components.shared.errors import ConfigError, DataError, NotFound
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.shared.splits import VAL
from thawline.components.transform import decoded_images
from thawline.pipeline.metadata.lineage import Execution
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.registry import Registry


@dataclasses.dataclass(frozen=True)
class EarlierImages:
    """Images of train and val.

    Attributes:
        images: with features and facts; a sample of whole clusters where there are many.
        total: how many there are.
        files: the examples by split.
        base: computes such features of other images.
        answers: predicted classes of val and test, str [M]; the labels where no evaluation is left.
    """

    images: AuditedImages
    total: int
    files: dict[str, list[str]]
    base: BaseFeatures
    answers: np.ndarray


class BaseFeatures:
    """Features by the frozen base that the model's run used."""

    def __init__(self, spec: Spec) -> None:
        """Builds the base.

        Raises:
            ConfigError: its weights are not those of the run, or cannot be used.
        """
        self._size = spec.image_size
        self._resize = spec.key.resize if spec.key else 'stretch'
        settings = EmbeddingSettings(
            spec.backbone, spec.weights, spec.image_size, spec.features, 'none', 0, spec.seed
        )
        self._extractor = FeatureExtractor(settings)
        digest = self._extractor.backbone.weights_digest
        if digest != spec.weights_digest:
            raise ConfigError(
                f'the weights of {spec.backbone} ({spec.weights}) are not those that the model was '
                f'trained on: sha256 {digest}, not {spec.weights_digest}; put the same file back'
            )
        key = feature_key.current(digest, spec.features, spec.image_size, self._resize)
        self.is_current = key == spec.key

    def embed(self, encoded: list[bytes]) -> np.ndarray:
        """Of images as ingested: float32 [N, D]."""
        pixels = decoded_images.decode(encoded, self._size, self._resize)
        none, ids = np.zeros(len(pixels), np.int64), np.array([b''] * len(pixels), object)
        progress.start('images by the base', len(pixels))
        return np.asarray(self._extractor.embed(VAL, LabelledSet(pixels, none, ids)).values[:, 0])


def read(registry: Registry, model: Model, most: int) -> EarlierImages:
    """Reads the images of a model of the registry.

    Args:
        registry: of the project.
        model: whose images.
        most: at most so many, drawn at random by whole clusters.

    Raises:
        NotFound: the metadata or the artifacts of its run are gone.
        DataError: they are damaged.
        ConfigError: the base cannot be built.
    """
    examples = _artifact(registry, model, node_names.IMAGE_EXAMPLE_GEN, 'examples')
    embedded_at = _artifact(registry, model, node_names.EMBEDDER, 'embeddings')
    progress.start('earlier images')
    files = {
        folder.name.removeprefix('Split-'): [str(path) for path in sorted(folder.glob('*'))]
        for folder in sorted(examples.glob('Split-*'))
    }
    everything, _ = audited_images.read(files, image_embeddings.read(str(embedded_at)))
    learned = everything.take(everything.learned)
    if not len(learned):
        raise DataError(f'{embedded_at} has no images of train and val')
    sample = learned.take(_drawn(learned.clusters, most))
    base = BaseFeatures(embeddings.read_spec(str(embedded_at)))
    if not base.is_current:  # computed by other code or libraries
        scan = pictures.scan_examples(files, set(sample.ids.tolist())).images
        encoded = [scan[str(name)].encoded for name in sample.ids]
        sample = dataclasses.replace(sample, features=base.embed(encoded))
    return EarlierImages(sample, len(learned), files, base, _answers(model, learned))


def _artifact(registry: Registry, model: Model, node: str, key: str) -> pathlib.Path:
    steps: list[Execution] = [
        step for step in registry.lineage.ancestors(model.id) if step.node == node
    ]
    output = registry.lineage.output(steps[-1] if steps else None, key)
    if output is None or not pathlib.Path(output.uri).is_dir():
        what = output.uri if output else f'{node} of run {model.run}'
        raise NotFound(
            f'the images that model {model.id} learned from are gone ({what}); name a model that '
            'has them with --model, or train it again with: thawline run --no-cache'
        )
    return pathlib.Path(output.uri)


def _drawn(clusters: np.ndarray, most: int) -> np.ndarray:
    """Rows of whole clusters, about `most` of them, in their order."""
    if len(clusters) <= most:
        return np.arange(len(clusters))
    names, cluster, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    order = np.random.default_rng(0).permutation(len(names))
    within = np.cumsum(sizes[order]) <= most
    within[0] = True
    return np.flatnonzero(np.isin(cluster, order[within]))


def _answers(model: Model, learned: AuditedImages) -> np.ndarray:
    if model.evaluation is not None:
        try:
            table = predictions.read(model.evaluation.uri)
        except DataError:
            pass
        else:
            answered = table.answers[table.answers >= 0]
            return np.array(table.classes)[answered]
    return np.array(learned.classes)[learned.labels]

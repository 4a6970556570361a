"""Reads embeddings and examples, audits, writes the audit or stops the run."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import tensorflow as tf

from thawline.components.data_audit import audit, base_check, earlier_run, images, table
from thawline.components.data_audit.earlier_run import EarlierRun
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.embedding import embeddings, image_embeddings
from thawline.components.embedding.embeddings import EmbeddingSettings, Spec
from thawline.components.embedding.feature_extractor import FeatureExtractor
from thawline.components.shared import finding, progress, property_names, split_files
from thawline.components.shared.executor import Artifacts, NodeExecutor, Properties
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.shared.splits import TEST, VAL
from thawline.components.transform import decoded_images

_THUMBNAIL = 16  # side of the raw pixels that the base is compared with


class Executor(NodeExecutor):
    """Runs the audit."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Audits all splits.

        Raises:
            DataError: a finding is fatal, or the embeddings are damaged.
        """
        policy = AuditPolicy.model_validate_json(properties['policy'])
        uri = inputs['embeddings'].uri
        spec = embeddings.read_spec(uri)
        progress.start('reading embeddings')
        embedded = image_embeddings.read(uri)
        learned = np.flatnonzero((embedded.splits != TEST) & (embedded.labels >= 0))
        sampled: set[str] = set()
        if policy.weak_base != 'ignore':
            rows = base_check.sample_rows(embedded.labels, learned)
            sampled = {str(name) for name in embedded.ids[rows]}
        audited, encoded = images.read(split_files.files(inputs['examples']), embedded, sampled)

        def rivals(rows: np.ndarray) -> Mapping[str, np.ndarray]:
            return rival_features([encoded[str(name)] for name in audited.ids[rows]], spec)

        earlier = None
        run = EarlierRun.of_text(str(properties.get(property_names.EARLIER_RUN, '')))
        if run is not None and policy.new_images != 'ignore':
            earlier = earlier_run.read(run, uri, inputs['examples'].uri)
        record, rows_of_images = audit.audit(audited, policy, rivals, earlier)
        finding.stop_if_fatal(record.findings)
        record.write(outputs['audit'].uri)
        table.write(outputs['audit'].uri, rows_of_images)


def rival_features(encoded: list[bytes], spec: Spec) -> dict[str, np.ndarray]:
    """Raw pixels, and features of the same base with random weights: float32 [n, D] each.

    Args:
        encoded: images as ingested.
        spec: of the embeddings that they are compared with.
    """
    resize = spec.key.resize if spec.key else 'stretch'
    pixels = decoded_images.decode(encoded, spec.image_size, resize)
    small = tf.image.resize(pixels, [_THUMBNAIL, _THUMBNAIL], method='area').numpy()
    features = {'pixels': small.reshape(len(small), -1)}
    if spec.weights != 'random':
        progress.start('images by random weights')
        settings = EmbeddingSettings(
            spec.backbone, 'random', spec.image_size, spec.features, 'none', 0, 0
        )
        none = np.zeros(len(pixels), np.int64)
        ids = np.array([b''] * len(pixels), object)
        embedded = FeatureExtractor(settings).embed(VAL, LabelledSet(pixels, none, ids))
        features['random weights'] = embedded.values[:, 0]
    return {name: of for name, of in features.items() if np.isfinite(of).all()}

"""Points around a centre a class, as images to audit."""

from __future__ import annotations

import numpy as np

from thawline.components.data_audit import audit
from thawline.components.data_audit.images import AuditedImages
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.embedding.image_embeddings import ImageEmbeddings
from thawline.components.report.audited_data import AuditedData

CLASSES = ('apple', 'pear', 'quince')
QUICK = AuditPolicy(weak_base='ignore', forecast=False)


def images(each: int = 30, spread: float = 0.5, seed: int = 0, **changes: object) -> AuditedImages:
    """A tight cluster a class, far from each other; of ten images one is in val, one in test."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), each)
    n = len(labels)
    features = 5 * np.eye(3, 16)[labels] + rng.normal(0, spread, (n, 16))
    splits = np.array(['train'] * 8 + ['val', 'test'])[np.arange(n) % 10]
    values: dict = {
        'ids': np.array([f'{i:05d}' for i in range(n)], str),
        'paths': np.array([f'{CLASSES[label]}/{i}.png' for i, label in enumerate(labels)], str),
        'splits': splits,
        'labels': labels,
        'clusters': np.array([f'c{i}' for i in range(n)], str),
        'confidence': np.ones(n, np.float32),
        'features': features.astype(np.float32),
        'facts': {'brightness': rng.uniform(size=n)},
        'classes': CLASSES,
    }
    return AuditedImages(**{**values, **changes})


def of_embeddings(embedded: ImageEmbeddings, classes: tuple[str, ...]) -> AuditedData:
    """The audit of some embeddings; `classes` are those of their labels."""
    known = embedded.take(np.flatnonzero(embedded.labels >= 0))
    present, labels = np.unique(known.labels, return_inverse=True)
    audited = images(
        ids=known.ids,
        paths=known.ids,
        splits=known.splits,
        labels=labels,
        clusters=known.ids,
        confidence=np.ones(len(labels), np.float32),
        features=known.features,
        facts={},
        classes=tuple(classes[i] for i in present),
    )
    return AuditedData(*audit.audit(audited, QUICK, lambda rows: {}))

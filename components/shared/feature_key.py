"""What the features of an image depend on, in the model that serves and in stored embeddings."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

from thawline.components.shared import code_digest

# From encoded bytes to features: decoding and resizing, the bases and how they are run.
_CODE = (
    'thawline.components.transform.preprocessing',
    'thawline.components.embedding.feature_extractor',
)


@dataclasses.dataclass(frozen=True)
class FeatureKey:
    """All that the features of an image depend on, apart from its bytes.

    Stored features may stand for those of a model only where the two keys are equal.

    Attributes:
        weights_digest: of the base, as `backbones.Backbone` has it.
        features: 'top' or 'blocks'; see `components.backbones.features`.
        image_size: side of the square that the base sees, in pixels.
        resize: mode of `preprocessing.resize`.
        code: digest of the code from encoded bytes to features.
        libraries: versions of what it computes with, as JSON: TensorFlow decodes and resizes, Keras
            has the architecture of most bases.
    """

    weights_digest: str
    features: str
    image_size: int
    resize: str
    code: str
    libraries: str


def current(weights_digest: str, features: str, image_size: int, resize: str) -> FeatureKey:
    """The key of features that this code and these libraries compute."""
    libraries = json.dumps(code_digest.library_versions(*_CODE))
    code = code_digest.of_code(*_CODE)
    return FeatureKey(weights_digest, features, image_size, resize, code, libraries)


def from_json(values: Mapping[str, Any] | None) -> FeatureKey | None:
    """The key from `dataclasses.asdict`; None where a part is missing, as in older files."""
    names = [field.name for field in dataclasses.fields(FeatureKey)]
    if values is None or not values.keys() >= set(names):
        return None
    return FeatureKey(**{name: values[name] for name in names})

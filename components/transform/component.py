"""TFX's Transform with the graph from encoded bytes to pixels."""

from __future__ import annotations

from tfx.components import Transform
from tfx.dsl.components.base import executor_spec
from tfx.proto import transform_pb2
from tfx.types import BaseChannel

from thawline.components.shared import code_digest, node_names
from thawline.components.shared.splits import SPLITS, TRAIN
from thawline.components.transform import executor

_MODULE = 'thawline.components.transform.preprocessing'


class ImageTransform(Transform):
    """TFX's Transform in everything but its executor."""

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)

    def __init__(
        self, examples: BaseChannel, schema: BaseChannel, image_size: int, resize: str
    ) -> None:
        """Classes are those of train; all splits that there are get transformed."""
        super().__init__(
            examples=examples,
            schema=schema,
            preprocessing_fn=f'{_MODULE}.preprocessing_fn',
            splits_config=transform_pb2.SplitsConfig(analyze=[TRAIN], transform=SPLITS),
            custom_config={'image_size': image_size, 'resize': resize},
            disable_statistics=True,
        )
        self.spec.exec_properties.update(code_digest.key_properties(_MODULE, executor.__name__))
        self.with_id(node_names.TRANSFORM)

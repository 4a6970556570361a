"""TFX's operator of Beam executors, with the options of the run's engine for those compiled.

Options are chosen when a node is about to run, from what it reads. They are no part of the compiled
pipeline: they would be a part of TFX's cache key there.
"""

from __future__ import annotations

import logging
from typing import Any

from thawline.pipeline.engines import input_size
from thawline.pipeline.engines.engine import Engine

from tfx.orchestration.portable import beam_executor_operator  # isort: skip - after tfx_imports
from tfx.proto.orchestration import placeholder_pb2  # isort: skip


class EngineOperator(beam_executor_operator.BeamExecutorOperator):
    """Runs a node's executor on the engine."""

    def __init__(self, engine: Engine, executor_spec: Any, platform_config: Any = None) -> None:
        super().__init__(executor_spec, platform_config)
        self._engine = engine

    def run_executor(self, execution_info: Any, make_beam_pipeline_fn: Any = None) -> Any:
        """As the base class.

        Raises:
            ConfigError: the engine is not there.
        """
        node = execution_info.pipeline_node.node_info.id
        megabytes = input_size.read_by(execution_info) if self._engine.sizes else 0.0
        placed = self._engine.place(node, megabytes, str(execution_info.execution_id))
        logging.info('%s runs on: %s', node, placed.words)
        self.beam_pipeline_args = [_literal(option) for option in placed.options]
        with self._engine.running(placed):
            return super().run_executor(execution_info, make_beam_pipeline_fn)


def _literal(text: str) -> placeholder_pb2.PlaceholderExpression:
    expression = placeholder_pb2.PlaceholderExpression()
    expression.value.string_value = text
    return expression

"""TFX's operator of Beam executors, with the options of the run's engine in place of compiled ones.

Options are chosen when a node is about to run, by the size of its input. In the compiled pipeline
they would be part of TFX's cache key.
"""

from __future__ import annotations

import logging
from typing import Any

from thawline.components.shared import content_store
from thawline.pipeline.engines import beam_memory, input_size
from thawline.pipeline.engines.engine import Engine

from tfx.orchestration.portable import beam_executor_operator  # isort: skip - after tfx_imports
from tfx.proto.orchestration import placeholder_pb2  # isort: skip

beam_memory.remember()


class EngineOperator(beam_executor_operator.BeamExecutorOperator):
    """Runs a node's executor on the engine."""

    def __init__(self, engine: Engine, executor_spec: Any, platform_config: Any = None) -> None:
        super().__init__(executor_spec, platform_config)
        self._engine = engine

    def run_executor(self, execution_info: Any, make_beam_pipeline_fn: Any = None) -> Any:
        node = execution_info.pipeline_node.node_info.id
        megabytes = 0.0
        if self._engine.needs_input_size:
            megabytes = input_size.of_node(execution_info)
        placement = self._engine.place(node, megabytes, str(execution_info.execution_id))
        logging.info('%s runs on: %s', node, placement.description)
        self.beam_pipeline_args = [_literal(option) for option in placement.options]
        store = self._engine.store_for(placement)
        with self._engine.supervise(placement), content_store.lend(store):
            return super().run_executor(execution_info, make_beam_pipeline_fn)


def _literal(text: str) -> placeholder_pb2.PlaceholderExpression:
    expression = placeholder_pb2.PlaceholderExpression()
    expression.value.string_value = text
    return expression

"""Which models a stage has served, from the records that promotions leave in ML Metadata.

`pipeline/registry/ledger.py` writes these records and has all of them; nodes of the chain need no
more than the models.
"""

from __future__ import annotations

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

PROMOTION = 'thawline.Promotion'  # the type of the executions
PRODUCTION = 'production'


def models_served(store: mlmd.MetadataStore, stage: str, destination: str) -> list[int]:
    """Ids of the models that a stage serves (the last one) and served before, in their order.

    Args:
        store: of the project.
        stage: such as `PRODUCTION`.
        destination: the folder or URL of its versions.
    """
    if PROMOTION not in {kind.name for kind in store.get_execution_types()}:
        return []
    executions = store.get_executions_by_type(PROMOTION)
    return [
        execution.properties['model'].int_value
        for execution in sorted(executions, key=lambda execution: execution.id)
        if execution.last_known_state == pb.Execution.COMPLETE
        and execution.properties['stage'].string_value == stage
        and execution.properties['destination'].string_value.rstrip('/') == destination.rstrip('/')
    ]

"""DataAudit: what embeddings and answers out of fold say about the data, before training."""

from __future__ import annotations

from tfx.types import standard_artifacts

from thawline.components.data_audit import driver, executor
from thawline.components.data_audit.artifacts import DataAudit
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.embedding.artifacts import Embeddings
from thawline.components.shared import node_names
from thawline.components.shared.component import Component


class DataAuditor(Component):
    """Looks for wrong labels, images in two splits, outliers and more; stops where told to."""

    NAME = node_names.DATA_AUDIT
    EXECUTOR = executor.Executor
    DRIVER_CLASS = driver.Driver
    INPUTS = {
        'examples': standard_artifacts.Examples,  # as ingested
        'embeddings': Embeddings,
    }
    OUTPUTS = {'audit': DataAudit}
    PARAMETERS = {'policy': AuditPolicy}

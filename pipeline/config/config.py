"""The typed configuration of a project: one YAML file, validated once, before anything runs.

Unknown keys, wrong types and impossible combinations are errors that name the key path, echo the
value received and say what would be right (`pipeline.config.errors`). Functions elsewhere take the
few values that they need, or the `Project`.
"""

from __future__ import annotations

from typing import Annotated, Self

import pydantic

from thawline.components import backbones
from thawline.components.backbones.params import PretrainedBase
from thawline.components.data_audit.params import AuditPolicy
from thawline.components.data_gate.params import DataPolicy
from thawline.components.embedding.params import Embedding
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.params import Evaluation
from thawline.components.ingestion.params import Data
from thawline.components.shared.settings import Section
from thawline.components.training.params import Training
from thawline.components.transform.params import Preprocessing
from thawline.components.tuning.params import Tuning
from thawline.pipeline.config.airflow import Airflow
from thawline.pipeline.config.beam import Beam
from thawline.pipeline.config.drift import Drift
from thawline.pipeline.config.kubeflow import Kubeflow
from thawline.pipeline.config.metadata import Metadata
from thawline.pipeline.config.notifications import Target
from thawline.pipeline.config.serving import Serving


class Config(Section):
    """A whole project."""

    name: Annotated[str, pydantic.Field(pattern=r'^[a-z0-9][a-z0-9_-]{0,62}$')] = pydantic.Field(
        description='Lower-case letters, digits, _ and -.'
    )
    data: Data
    data_gate: DataPolicy = DataPolicy()
    preprocessing: Preprocessing = Preprocessing()
    model: PretrainedBase = PretrainedBase()
    embedding: Embedding = Embedding()
    audit: AuditPolicy = AuditPolicy()
    training: Training = Training()
    tuning: Tuning = Tuning()
    evaluation: Evaluation = Evaluation()
    gate: Gate = Gate()
    serving: Serving = Serving()
    drift: Drift = Drift()
    beam: Beam = Beam()
    notifications: tuple[Target, ...] = pydantic.Field(
        default=(), description='Webhooks and commands to notify when a run ends.'
    )
    metadata: Metadata = Metadata()
    airflow: Airflow = Airflow()
    kubeflow: Kubeflow = Kubeflow()
    output: str | None = pydantic.Field(
        default=None, description='Folder of all runs; default: runs/<name> beside this file.'
    )

    @pydantic.model_validator(mode='after')
    def _check_image_size(self) -> Self:
        smallest = backbones.entry(self.model.backbone).min_size
        size = self.preprocessing.image_size
        if size is not None and size < smallest:
            raise ValueError(
                f'preprocessing.image_size is {size}; {self.model.backbone} needs at least '
                f'{smallest}'
            )
        return self

    def results_json(self) -> str:
        """All but what only says where nodes run, when, what comes after and what is kept."""
        sections = ('airflow', 'beam', 'drift', 'kubeflow', 'metadata', 'notifications')
        return self.model_dump_json(exclude={**dict.fromkeys(sections, True), 'data': {'store'}})

    @property
    def image_size(self) -> int:
        """Side of the square input of the base, in pixels."""
        return self.preprocessing.image_size or backbones.entry(self.model.backbone).default_size

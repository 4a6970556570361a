"""One of the two runs of a comparison."""

from __future__ import annotations

import dataclasses

from thawline.components.evaluation.gate.record import Verdict
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report.content import RunFacts


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """A run with its evaluation.

    Attributes:
        run: its id.
        predictions: of its evaluation.
        project: name of the project.
        verdict: on its model.
        facts: of its report.
    """

    run: str
    predictions: Predictions
    project: str
    verdict: Verdict
    facts: RunFacts = dataclasses.field(default_factory=RunFacts)

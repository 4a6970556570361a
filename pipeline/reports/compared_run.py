"""One of the two runs of a comparison."""

from __future__ import annotations

import dataclasses

import ml_metadata as mlmd
import pyarrow as pa

from thawline.components.evaluation import predictions
from thawline.components.evaluation.gate.record import Verdict
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report.content import RunFacts
from thawline.components.shared import image_table
from thawline.components.statistics.paired_outcome import LEVEL
from thawline.pipeline.metadata import producers
from thawline.pipeline.metadata.runs import Output


@dataclasses.dataclass(frozen=True)
class ComparedRun:
    """A run with its evaluation.

    Attributes:
        run: its id.
        predictions: of its evaluation.
        project: name of the project.
        verdict: on its model.
        facts: of its report.
        serving_problems: why the serving check refused its model, in words; else empty.
        folds: in how many all of its images were judged; 0 with a plain split.
        model: id of its model; 0 where it is not known.
        baseline: id of the model that the gate compared it with; 0 without one.
        images: all of those that it was trained, chosen and evaluated on; None without a record.
        learned_from: the same, and those that its settings were tuned on; None without a record.
    """

    run: str
    predictions: Predictions
    project: str
    verdict: Verdict
    facts: RunFacts = dataclasses.field(default_factory=RunFacts)
    model: int = 0
    baseline: int = 0
    images: pa.Table | None = None
    learned_from: tuple[pa.Table, ...] | None = None
    serving_problems: tuple[str, ...] = ()
    folds: int = 0

    @property
    def level(self) -> float:
        """Of the paired test of its gate."""
        bounds = (rule.bound for rule in self.verdict.rules if rule.name == 'paired_test')
        return next(bounds, None) or LEVEL


def read(
    store: mlmd.MetadataStore,
    run: str,
    evaluation: Output,
    project: str,
    verdict: Verdict,
    facts: RunFacts | None = None,
    serving_problems: tuple[str, ...] = (),
    folds: int = 0,
) -> ComparedRun:
    """A run from its evaluation, with what the metadata knows of the latter.

    Raises:
        DataError: the predictions cannot be read.
    """
    inputs = producers.inputs(store, evaluation.id)
    models, baselines, seen = (
        inputs.get(key, []) for key in ('model', 'baseline_model', 'seen_examples')
    )
    tables = [image_table.read(examples.uri) for examples in seen]
    known = [images for images in tables if images is not None]
    own = next(iter(inputs.get('examples', [])), None)
    return ComparedRun(
        run,
        predictions.read(evaluation.uri),
        project,
        verdict,
        facts or RunFacts(),
        models[0].id if models else 0,
        baselines[0].id if baselines else 0,
        None if own is None else image_table.read(own.uri),
        tuple(known) if known and len(known) == len(tables) else None,
        serving_problems,
        folds,
    )

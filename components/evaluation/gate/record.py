"""The verdict on a model, as values; read without SciPy, TensorFlow and TFX."""

from __future__ import annotations

import dataclasses

from thawline.components.shared.records import Record
from thawline.components.statistics.paired_outcome import PairedTest


@dataclasses.dataclass(frozen=True)
class LabelQueue:
    """What to label after a refusal, as `thawline labels export` takes it.

    Attributes:
        purpose: of --for.
        count: how many images would decide, None where no number is known.
    """

    purpose: str
    count: int | None = None


@dataclasses.dataclass(frozen=True)
class RuleResult:
    """One rule of the gate and what came of it.

    Attributes:
        name: its key in the configuration, such as 'val_accuracy'.
        title: for people, such as 'Validation accuracy'.
        holds: None where it does not apply, such as a comparison without a baseline.
        value: as measured, None where it does not apply.
        bound: what the value is compared with.
        margin: by how much it holds (positive) or fails (negative), in the unit of `value`.
        sentence: the outcome in words, with its numbers.
        change: what would change it, such as how many more images; may be empty.
        caution: what it cannot tell, or found and may not refuse, for all to see although the model
            may pass; may be empty.
        queue: of a rule that fails, which images to label; None where labels would not help.
    """

    name: str
    title: str
    holds: bool | None
    value: float | None
    bound: float | None
    margin: float | None
    sentence: str
    change: str = ''
    caution: str = ''
    queue: LabelQueue | None = None


@dataclasses.dataclass(frozen=True)
class Verdict(Record):
    """The decision: blessed or not, one headline in words, and every rule.

    `paired` is the candidate beside its baseline, None where the two are not compared.
    """

    FILE = 'verdict.json'
    FORMAT = 1

    blessed: bool
    headline: str
    rules: tuple[RuleResult, ...]
    paired: PairedTest | None = None

    @property
    def cautions(self) -> list[str]:
        """What all should see, each once, whether the model is blessed or not."""
        return list(dict.fromkeys(rule.caution for rule in self.rules if rule.caution))

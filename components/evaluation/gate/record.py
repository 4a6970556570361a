"""The verdict on a model, as values; read without SciPy, TensorFlow and TFX."""

from __future__ import annotations

import dataclasses
import pathlib

from thawline.components.shared import records

FILE = 'verdict.json'
FORMAT = 1


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
        caution: what it cannot tell although the model may pass, for all to see; may be empty.
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


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The decision: blessed or not, one headline in words, and every rule."""

    blessed: bool
    headline: str
    rules: tuple[RuleResult, ...]

    @property
    def cautions(self) -> list[str]:
        """What the rules cannot tell, each once, whether the model is blessed or not."""
        return list(dict.fromkeys(rule.caution for rule in self.rules if rule.caution))


def write(verdict: Verdict, folder: pathlib.Path) -> None:
    """Writes `verdict.json`."""
    records.write(verdict, folder / FILE, FORMAT)


def read(folder: pathlib.Path) -> Verdict:
    """Reads what `write` wrote.

    Raises:
        FileNotFoundError: there is none.
        DataError: it is damaged, or of another format.
    """
    return records.read(Verdict, folder / FILE, FORMAT)

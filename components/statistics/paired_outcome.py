"""What a paired test says of two models, as a value and in words; read without SciPy.

The gate, the report, `thawline compare` and `thawline promote` say it in these words alone, so they
cannot contradict each other.
"""

from __future__ import annotations

import dataclasses
import enum

from thawline.components.shared import percentages

LEVEL = 0.05  # of the test where no gate sets another
# Fewer pairs cannot tell a bad loss from chance: of 20 the test finds a model that loses 6 and wins
# none (p = 0.03); with 5 or fewer that differ it finds nothing, however they fall.
FEWEST_PAIRS = 20
FEWEST_GROUPS = 6  # of which all must be lost, and none won, for p = 0.03


@dataclasses.dataclass(frozen=True)
class Difference:
    """A difference with the ends of its 95 % interval, None where none is computed."""

    value: float
    lower: float | None
    upper: float | None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves out 0."""
        return self.lower is not None and self.upper is not None and self.lower * self.upper > 0


class PairedOutcome(enum.StrEnum):
    """What a paired test shows of the first model beside the second."""

    BETTER = 'better'
    WORSE = 'worse'
    NO_DIFFERENCE = 'no difference shown: may be chance'
    TOO_FEW = 'too few to judge'


@dataclasses.dataclass(frozen=True)
class PairedTest:
    """Two models on the same `n` images; see `paired.compare`.

    Attributes:
        won: images that the first model alone answers correctly.
        lost: images that the second model alone answers correctly.
        n: all of them.
        level: of significance.
        p_value: of McNemar's exact test, two-sided; over groups, of the sign-flip test.
        difference: of the accuracies, the first less the second; None without images.
        outcome: of the first model.
        groups: how many groups of images that are not independent there are; None where each image
            stands for itself.
    """

    won: int
    lost: int
    n: int
    level: float
    p_value: float
    difference: Difference | None
    outcome: PairedOutcome
    groups: int | None = None


def describe(test: PairedTest, first: str, second: str, shared_classes: bool = False) -> str:
    """The outcome in sentences, with its counts.

    Args:
        test: of images that neither model has seen.
        first, second: names of the models, in the middle of a sentence.
        shared_classes: whether images of classes that only one of the two knows are left out.
    """
    images = unseen_images(test.n, shared_classes, test.groups)
    if test.outcome is PairedOutcome.TOO_FEW:
        few_groups = test.groups is not None and test.n >= FEWEST_PAIRS
        least = f'{FEWEST_GROUPS} groups are' if few_groups else f'{FEWEST_PAIRS} are'
        return f'Too few to judge {first} against {second}: {images}; at least {least} needed.'
    chance = p_text(test.p_value, test.level)
    if test.outcome is PairedOutcome.NO_DIFFERENCE:
        shown = f'No difference is shown between {first} and {second}; it may be chance ({chance}).'
    else:
        shown = f'{first[:1].upper()}{first[1:]} is {test.outcome} than {second} ({chance}).'
    if not test.won + test.lost:
        return f'{shown} Of {images}, both answer the same ones correctly.'
    return (
        f'{shown} Of {images}, only {first} answers {test.won:,} correctly, only {second} '
        f'{test.lost:,}.'
    )


def unseen_images(n: int, shared_classes: bool = False, groups: int | None = None) -> str:
    """'200 images in 40 groups that neither has seen', also limited to the shared classes."""
    of = ' of the shared classes' if shared_classes else ''
    number = f'{n:,}' if n else 'no'
    within = in_groups(groups)
    return f'{number} {"image" if n == 1 else "images"}{of}{within} that neither has seen'


def in_groups(groups: int | None) -> str:
    """' in 40 groups'; '' where each image stands for itself."""
    return '' if groups is None else f' in {groups:,} {"group" if groups == 1 else "groups"}'


def p_text(p: float, level: float = LEVEL) -> str:
    """'p = 0.412', with as many decimals as tell it from the level."""
    if p < 0.001:
        return 'p < 0.001'
    shown, _ = percentages.apart(p, level, 3, lambda value, decimals: f'{value:.{decimals}f}')
    return f'p = {shown}'

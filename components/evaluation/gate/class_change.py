"""Classes that one model has and another has not; read without SciPy, by commands too."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Self


@dataclasses.dataclass(frozen=True)
class ClassChange:
    """How the classes of one model differ from those of an earlier one."""

    added: tuple[str, ...]
    removed: tuple[str, ...]

    @classmethod
    def between(cls, before: Sequence[str], now: Sequence[str]) -> Self:
        """The names that only one of the two has, in its order."""
        return cls(
            tuple(name for name in now if name not in before),
            tuple(name for name in before if name not in now),
        )

    def __bool__(self) -> bool:
        """Whether they differ."""
        return bool(self.added or self.removed)


NO_CHANGE = ClassChange((), ())

"""How the data differ from the reviewed schema: one record a difference, with its name."""

from __future__ import annotations

import collections
import dataclasses
import shlex
from collections.abc import Iterable, Sequence
from typing import Literal, get_args

from thawline.components.shared.text import abbreviate

Kind = Literal[
    'new_class',
    'vanished_class',
    'new_column',
    'vanished_column',
    'new_value',
    'missing_values',
    'formats',
    'sizes',
    'lighting',
    'other_rules',
]
"""Also the key of the policy for it."""
KINDS: tuple[Kind, ...] = get_args(Kind)

SHARES = 'shares'  # the subject of `formats` where formats keep but their shares have shifted
_LISTED = 5
_PREFIXES: dict[Kind, str] = {
    'new_class': 'class',
    'vanished_class': 'class',
    'new_column': 'column',
    'vanished_column': 'column',
    'new_value': 'value',
    'missing_values': 'missing',
    'formats': 'format',
    'sizes': 'size',
    'lighting': 'lighting',
    'other_rules': 'rule',
}
_PLURALS: dict[Kind, str] = {
    'new_class': 'new classes',
    'vanished_class': 'classes without an image',
    'new_column': 'new columns',
    'vanished_column': 'columns without a value',
    'new_value': 'new values of {}',
    'missing_values': 'columns with more empty cells than allowed',
    'formats': 'new source formats',
    'sizes': 'sizes outside their range',
    'lighting': 'facts outside their range',
    'other_rules': 'broken rules',
}


@dataclasses.dataclass(frozen=True)
class SchemaChange:
    """A difference between a schema and the data.

    Attributes:
        kind: also the key of its policy.
        subject: the class, the format, or the feature as the schema names it.
        message: what differs, in words.
        value: of `new_value`, the value; '' for all of the feature's.
    """

    kind: Kind
    subject: str
    message: str
    value: str = ''

    @property
    def name(self) -> str:
        """What `thawline schema accept` takes: class:bees, value:meta_site=north."""
        return f'{self._of_subject}={self.value}' if self.value else self._of_subject

    @property
    def group(self) -> str:
        """What accepts all changes of this kind; for values, all of the column."""
        return self._of_subject if self.kind == 'new_value' else self.kind

    @property
    def _of_subject(self) -> str:
        return f'{_PREFIXES[self.kind]}:{self.subject}'


@dataclasses.dataclass(frozen=True)
class ChangeLine:
    """A line for people: a change, or many of one group together.

    Attributes:
        kind: of all of them.
        name: what accepts them.
        message: what differs, in words.
        changes: those that it stands for.
    """

    kind: Kind
    name: str
    message: str
    changes: Sequence[SchemaChange]

    @property
    def accept(self) -> str:
        """The command that takes them into the schema."""
        return f'thawline schema accept {shlex.quote(self.name)}'


def lines(changes: Iterable[SchemaChange]) -> list[ChangeLine]:
    """A line a change; more than five of one group share a line."""
    groups: dict[tuple[Kind, str], list[SchemaChange]] = collections.defaultdict(list)
    for change in changes:
        groups[change.kind, change.group].append(change)
    of_all: list[ChangeLine] = []
    for (kind, group), members in groups.items():
        if len(members) <= _LISTED:
            of_all += [ChangeLine(kind, one.name, one.message, (one,)) for one in members]
            continue
        items = abbreviate((repr(one.value or one.subject) for one in members), _LISTED)
        what = _PLURALS[kind].format(members[0].subject)
        message = f'{len(members):,} {what}: {items}'
        of_all.append(ChangeLine(kind, group, message, tuple(members)))
    return of_all


def select(
    changes: Sequence[SchemaChange], names: Iterable[str]
) -> tuple[list[SchemaChange], list[str]]:
    """The changes that names stand for, in their order, and the names that stand for none.

    Args:
        changes: to choose from.
        names: of changes or groups, as in `SchemaChange`.
    """
    asked = set(names)
    chosen = [one for one in changes if {one.name, one.group, one.kind} & asked]
    known = {name for one in chosen for name in (one.name, one.group, one.kind)}
    return chosen, sorted(asked - known)

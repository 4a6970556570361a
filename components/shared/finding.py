"""What a node finds wrong with the data, in words."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from thawline.components.shared.errors import DataError


@dataclasses.dataclass(frozen=True)
class Finding:
    """A problem of the data; a fatal one stops the run.

    Attributes:
        fatal: whether it does.
        message: in words, with the next step.
        kind: the key of the policy that decides about it; '' where none does.
    """

    fatal: bool
    message: str
    kind: str = ''


def stop_if_fatal(findings: Iterable[Finding]) -> None:
    """Ends the run where a finding is fatal.

    Raises:
        DataError: with all fatal ones.
    """
    if fatal := [finding.message for finding in findings if finding.fatal]:
        raise DataError('; '.join(fatal))

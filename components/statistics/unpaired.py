"""The difference of two shares of different images, with its interval."""

from __future__ import annotations

import math

from thawline.components.statistics.paired_outcome import Difference
from thawline.components.statistics.proportions import Interval


def unpaired_difference(before: Interval, now: Interval) -> Difference | None:
    """The second share less the first; None where one has no image.

    From the Wilson intervals of both: Newcombe, "Interval estimation for the difference between
    independent proportions", Statistics in Medicine 1998, method 10.
    """
    if now.share is None or before.share is None:
        return None
    change = now.share - before.share
    down = math.hypot(now.share - now.lower, before.upper - before.share)
    up = math.hypot(now.upper - now.share, before.share - before.lower)
    return Difference(change, change - down, change + up)

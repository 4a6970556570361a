"""What the serving check asked and what came, as values, without TensorFlow."""

from __future__ import annotations

import dataclasses

from thawline.components.shared.records import Record


@dataclasses.dataclass(frozen=True)
class Latency:
    """Milliseconds of one image a call: median and 95th percentile."""

    p50: float
    p95: float


@dataclasses.dataclass(frozen=True)
class Request:
    """A hostile request; `came` is 'answer', 'error', 'hang' or 'crash'."""

    name: str
    signature: str
    came: str
    said: str
    seconds: float


@dataclasses.dataclass(frozen=True)
class ServingCheckRecord(Record):
    """The whole check.

    Attributes:
        checked: False for a model that was not blessed.
        passed: the blessing.
        problems: why it is not given, in words; empty where it is.
        images: of val that were replayed through each signature.
        largest_change: of any probability against what was evaluated; None where nothing came.
        import_seconds: of TensorFlow.
        load_seconds, first_answer_seconds: of the model; both together are the cold start.
        memory_mb: peak of the process after single images, in 10**6 bytes.
        without_model_mb: of the process before the model was loaded.
        peak_mb: after all requests.
        latency: by signature.
        requests: the hostile ones.
        seconds: of the whole check.
    """

    FILE = 'serving.json'
    FORMAT = 1

    checked: bool
    passed: bool
    problems: tuple[str, ...] = ()
    images: int = 0
    largest_change: float | None = None
    import_seconds: float | None = None
    load_seconds: float | None = None
    first_answer_seconds: float | None = None
    memory_mb: float | None = None
    without_model_mb: float | None = None
    peak_mb: float | None = None
    latency: dict[str, Latency] = dataclasses.field(default_factory=dict)
    requests: tuple[Request, ...] = ()
    seconds: float = 0.0

    @property
    def cold_start(self) -> float | None:
        """Seconds from the start of loading to the first answer."""
        if self.load_seconds is None or self.first_answer_seconds is None:
            return None
        return self.load_seconds + self.first_answer_seconds

"""From what the probe wrote to a decision. Needs neither TensorFlow nor TFX."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thawline.components.serving_check.params import ServingCheckSettings
from thawline.components.serving_check.record import Latency, Request, ServingCheckRecord
from thawline.components.shared.settings import seconds_of

SIGNATURES = ('serving_default', 'serving_bytes', 'serving_pixels')


def lines(text: str) -> list[dict[str, Any]]:
    """What the probe told; a last line that a crash cut short is left out."""
    messages = []
    for line in text.splitlines():
        try:
            messages.append(json.loads(line))
        except ValueError:
            break
    return messages


def judge(
    messages: Sequence[Mapping[str, Any]],
    labels: Sequence[str],
    probabilities: np.ndarray,
    check: ServingCheckSettings,
    ending: str,
    seconds: float,
) -> ServingCheckRecord:
    """Holds what came against what was evaluated and against the limits.

    Args:
        messages: of `lines`.
        labels: that the Evaluator saw, of the replayed images.
        probabilities: the same, float [N, C].
        check: the limits.
        ending: how the process ended in words; empty where it ended well.
        seconds: of the whole check.
    """
    facts: dict[str, Any] = {}
    answers: dict[str, list[Mapping[str, Any]]] = {name: [] for name in SIGNATURES}
    latency, requests, asking = {}, [], ''
    for message in messages:
        if 'asking' in message:
            asking = message['asking']
        elif 'image' in message:
            answers[message['signature']].append(message)
        elif 'latency' in message:
            latency[message['latency']] = Latency(message['p50'], message['p95'])
        elif 'request' in message:
            requests.append(
                Request(
                    message['request'],
                    message['signature'],
                    message['came'],
                    message['said'],
                    message['seconds'],
                )
            )
        else:
            facts |= message
    problems: list[str] = []
    if ending or not facts.get('ended'):
        came = ending or 'the process ended early'
        problems.append(f'{came}, at: {asking or "starting"}')
        if asking and not any(request.name == asking for request in requests):
            requests.append(Request(asking, '', 'hang' if 'within' in came else 'crash', came, 0.0))
    change, differing = _compare(answers, labels, probabilities, check.tolerance)
    problems += differing
    problems += [
        f'{request.name} through {request.signature}: no answer within {check.timeout}'
        for request in requests
        if request.came == 'hang' and request.signature
    ]
    if facts.get('foreign'):
        problems.append(f'loading it needs {", ".join(facts["foreign"])} beside TensorFlow')
    record = ServingCheckRecord(
        checked=True,
        passed=False,
        images=len(labels),
        largest_change=change,
        import_seconds=facts.get('import_seconds'),
        load_seconds=facts.get('load_seconds'),
        first_answer_seconds=facts.get('first_answer_seconds'),
        memory_mb=facts.get('memory_mb'),
        without_model_mb=facts.get('without_model_mb'),
        peak_mb=facts.get('peak_mb'),
        latency=latency,
        requests=tuple(requests),
        seconds=seconds,
    )
    problems += _limits(record, check)
    return dataclasses.replace(record, passed=not problems, problems=tuple(problems))


def _compare(
    answers: Mapping[str, Sequence[Mapping[str, Any]]],
    labels: Sequence[str],
    probabilities: np.ndarray,
    tolerance: float,
) -> tuple[float | None, list[str]]:
    """The largest change of a probability, and what differs, a sentence a signature."""
    problems, largest = [], None
    for signature, replies in answers.items():
        if len(replies) < len(labels):
            continue  # the process did not get there, which is told already
        other, worst = 0, 0.0
        for reply in replies:
            expected = probabilities[reply['image']]
            mine = np.array(reply['probabilities'])
            change = float(np.abs(mine - expected).max()) if mine.shape == expected.shape else 1.0
            worst = max(worst, change if math.isfinite(change) else 1.0)
            # Where the chance of two classes is equal but for rounding, either may be answered.
            margin = float(np.diff(np.sort(expected)[-2:])[0]) if len(expected) > 1 else 1.0
            other += reply['label'] != labels[reply['image']] and margin > 2 * tolerance
        largest = worst if largest is None else max(largest, worst)
        if other or worst > tolerance:
            problems.append(
                f'{signature} answers otherwise than was evaluated: {other} of {len(labels)} '
                f'labels, probabilities by up to {worst:.2g} (allowed: {tolerance:g})'
            )
    return largest, problems


def _limits(record: ServingCheckRecord, check: ServingCheckSettings) -> list[str]:
    coldest = None if check.max_cold_start is None else seconds_of(check.max_cold_start)
    of_bytes = record.latency.get('serving_bytes')
    slowest = None if of_bytes is None else of_bytes.p95
    asked = (
        ('max_latency_ms', slowest, check.max_latency_ms, 'ms for one image (p95)'),
        ('max_memory_mb', record.memory_mb, check.max_memory_mb, 'MB of memory'),
        ('max_cold_start', record.cold_start, coldest, 's to the first answer'),
    )
    return [
        f'{value:.1f} {words}; serving.check.{name} allows {limit:g}'
        for name, value, limit, words in asked
        if limit is not None and value is not None and value > limit
    ]

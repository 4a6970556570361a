"""Loads a SavedModel as TensorFlow Serving does and asks it; run as a program of its own.

    python -I probe.py QUESTIONS.json

Imports TensorFlow and numpy alone, so that it shows that the model needs nothing else. Loads the
way the C++ loader does: by the meta graph, with its init operation, in a Session. `QUESTIONS.json`
is written by `questions.py`; answers go, a JSON line each as soon as it is there, to the file that
it names: whoever reads it knows after a crash or a hang which request it was. Nothing here can
assume that the process survives the next request.
"""

from __future__ import annotations

import json
import os
import struct
import sys
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

Tell = Callable[..., None]

WARM_UP = 3
TIMED = 20


def memory_mb(field: str) -> float:
    """Resident memory of this process, in 10**6 bytes: now ('VmRSS') or at its peak ('VmHWM')."""
    try:
        with open('/proc/self/status') as file:
            text = file.read()
        return int(text.split(f'{field}:')[1].split()[0]) * 1024 / 1e6
    except (OSError, IndexError):  # not Linux
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


class ProbedModel:
    """The loaded model."""

    def __init__(self, folder: str, timeout: float) -> None:
        # TensorFlow Serving asks for no eager runtime either.
        self._session = tf.compat.v1.Session(graph=tf.Graph())
        with self._session.graph.as_default():
            loaded = tf.compat.v1.saved_model.load(self._session, ['serve'], folder)
        self.signatures = loaded.signature_def
        self._options = tf.compat.v1.RunOptions(timeout_in_ms=int(1000 * timeout))

    def ask(self, signature: str, value: np.ndarray) -> dict[str, np.ndarray]:
        """Outputs by name."""
        definition = self.signatures[signature]
        (given,) = definition.inputs.values()
        wanted = {name: output.name for name, output in definition.outputs.items()}
        found: dict[str, np.ndarray] = self._session.run(
            wanted, {given.name: value}, options=self._options
        )
        return found


def texts(values: Sequence[bytes]) -> np.ndarray:
    """An array of byte strings; numpy's own type would cut zeros at their end."""
    array = np.empty(len(values), object)
    array[:] = values
    return array


def png(width: int, height: int, lines: int) -> bytes:
    """A black PNG whose header says `width` x `height`, of which `lines` lines are there."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack('>I', len(data)) + body + struct.pack('>I', zlib.crc32(body))

    packer = zlib.compressobj(1)
    line = b'\0' * (1 + 3 * width)
    data = b''.join([packer.compress(line) for _ in range(lines)] + [packer.flush()])
    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    return (
        b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + chunk(b'IDAT', data) + chunk(b'IEND', b'')
    )


def hostile(
    asked: Mapping[str, Any], encoded: Sequence[bytes]
) -> list[tuple[str, str, Callable[[], np.ndarray]]]:
    """Requests that a server gets sooner or later: (name, signature, how to make its value)."""
    side = max(1, round(asked['huge_pixels'] ** 0.5))
    garbage = bytes(range(256)) * 8
    example = tf.train.Example()
    example.features.feature['image'].bytes_list.value.append(garbage)
    first = encoded[0]
    many = [encoded[i % len(encoded)] for i in range(256)]
    no_pixels = np.zeros((0, 8, 8, 3), np.uint8)
    return [
        ('garbage bytes', 'serving_bytes', lambda: texts([garbage])),
        ('empty bytes', 'serving_bytes', lambda: texts([b''])),
        ('half an image', 'serving_bytes', lambda: texts([first[: len(first) // 2]])),
        ('one bad image of two', 'serving_bytes', lambda: texts([first, garbage])),
        ('decompression bomb', 'serving_bytes', lambda: texts([png(60_000, 60_000, 1)])),
        ('bomb cut short', 'serving_bytes', lambda: texts([png(9_000, 9_000, 1)])),
        ('huge image', 'serving_bytes', lambda: texts([png(side, side, side)])),
        ('one pixel', 'serving_bytes', lambda: texts([png(1, 1, 1)])),
        ('batch of 0', 'serving_bytes', lambda: texts([])),
        ('batch of 256', 'serving_bytes', lambda: texts(many)),
        ('garbage example', 'serving_default', lambda: texts([garbage])),
        ('example without an image', 'serving_default', lambda: texts([b''])),
        ('example of garbage', 'serving_default', lambda: texts([example.SerializeToString()])),
        ('batch of 0 examples', 'serving_default', lambda: texts([])),
        ('batch of 0 pixels', 'serving_pixels', lambda: no_pixels),
        ('images of no size', 'serving_pixels', lambda: np.zeros((1, 0, 0, 3), np.uint8)),
    ]


def replayed(
    model: ProbedModel, serialized: Sequence[bytes], encoded: Sequence[bytes], tell: Tell
) -> dict[str, list[np.ndarray]]:
    """The val images through each signature, one a call."""
    values = {
        'serving_default': [texts([image]) for image in serialized],
        'serving_bytes': [texts([image]) for image in encoded],
        'serving_pixels': [
            tf.io.decode_image(image, channels=3, expand_animations=False).numpy()[None]
            for image in encoded
        ],
    }
    for signature, some in values.items():
        for position, value in enumerate(some):
            tell(asking=f'image {position + 1} through {signature}')
            outputs = model.ask(signature, value)
            tell(
                signature=signature,
                image=position,
                label=outputs['label'][0].decode(),
                probabilities=[float(p) for p in outputs['probabilities'][0]],
            )
    return values


def latency(model: ProbedModel, values: Mapping[str, Sequence[np.ndarray]], tell: Tell) -> None:
    """Milliseconds of one image a call, one call at a time."""
    for signature, some in values.items():
        tell(asking=f'latency of {signature}')
        seconds = []
        for turn in range(WARM_UP + TIMED):
            started = time.perf_counter()
            model.ask(signature, some[turn % len(some)])
            if turn >= WARM_UP:
                seconds.append(time.perf_counter() - started)
        p50, p95 = np.percentile(seconds, [50, 95])
        tell(latency=signature, p50=1000 * float(p50), p95=1000 * float(p95))


def essence(message: str) -> str:
    """The line of an error that says what is wrong, without where in the graph."""
    where = ('Graph execution error', 'Detected at', '<stack traces', '[[', 'Node:')
    lines = [line.strip() for line in message.splitlines()]
    useful = [line for line in lines if line and not line.startswith(where)]
    return (useful or lines or [''])[0][:200]


def attacked(
    model: ProbedModel, asked: Mapping[str, Any], encoded: Sequence[bytes], tell: Tell
) -> None:
    """What came of each hostile request: an answer or an error, if anything comes at all."""
    for name, signature, make in hostile(asked, encoded):
        value = make()
        tell(asking=name)
        started = time.perf_counter()
        try:
            outputs = model.ask(signature, value)
        except tf.errors.DeadlineExceededError:
            came, said = 'hang', ''
        except tf.errors.OpError as error:
            came, said = 'error', f'{type(error).__name__}: {essence(error.message)}'
        else:
            came, said = 'answer', f'{len(outputs["label"])} answers'
        tell(request=name, signature=signature, came=came, said=said,
             seconds=time.perf_counter() - started)  # fmt: skip


def main(path: str) -> None:
    imported = time.time()
    with open(path, encoding='utf-8') as file:
        asked = json.load(file)
    with open(asked['answers'], 'w', encoding='utf-8') as answers:

        def tell(**values: Any) -> None:
            answers.write(json.dumps(values) + '\n')
            answers.flush()

        tell(import_seconds=imported - asked['started'])
        answer_all(asked, tell)


def answer_all(asked: Mapping[str, Any], tell: Tell) -> None:
    """Everything, in an order that keeps what is measured apart from what may end badly."""
    empty = memory_mb('VmRSS')
    tell(asking='loading')
    serialized = list(tf.data.TFRecordDataset(asked['examples']).as_numpy_iterator())
    encoded = [
        tf.train.Example.FromString(record).features.feature['image'].bytes_list.value[0]
        for record in serialized
    ]
    began = time.perf_counter()
    model = ProbedModel(asked['model'], asked['timeout'])
    loaded = time.perf_counter()
    tell(asking='first image')
    model.ask('serving_bytes', texts(encoded[:1]))
    first = time.perf_counter()
    tell(
        load_seconds=loaded - began,
        first_answer_seconds=first - loaded,
        foreign=sorted({'tfx', 'apache_beam', 'components'} & set(sys.modules)),
    )
    values = replayed(model, serialized, encoded, tell)
    latency(model, values, tell)
    tell(memory_mb=memory_mb('VmHWM'), without_model_mb=empty)
    attacked(model, asked, encoded, tell)
    tell(peak_mb=memory_mb('VmHWM'), ended=True)


if __name__ == '__main__':
    main(sys.argv[1])
    # At once: a request that was given up may still be at work, and the end would wait for it.
    os._exit(0)

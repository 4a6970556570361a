"""Calls every signature of a SavedModel; run as a program in a process of its own.

    python call_signatures.py ((v2|session) MODEL INPUTS.npz ANSWERS.npz) ...

Imports TensorFlow and numpy alone, so that it shows that the model needs nothing else. `session`
loads the way the C++ loader of TensorFlow Serving does: by the meta graph, with restore and init
operations, in a Session. INPUTS holds `<call>|<signature>` -> array; ANSWERS `<call>|<output>`.
Several models are one process, whose imports take longer than its answers.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

import numpy as np
import tensorflow as tf

Call = Callable[[str, np.ndarray], dict[str, np.ndarray]]


def _v2(model: str) -> Call:
    loaded = tf.saved_model.load(model)

    def call(signature: str, value: np.ndarray) -> dict[str, np.ndarray]:
        function = loaded.signatures[signature]
        (name,) = function.structured_input_signature[1]
        return {k: v.numpy() for k, v in function(**{name: tf.constant(value)}).items()}

    return call


def _session(model: str) -> Call:
    session = tf.compat.v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        meta_graph = tf.compat.v1.saved_model.load(session, ['serve'], model)

    def call(signature: str, value: np.ndarray) -> dict[str, np.ndarray]:
        definition = meta_graph.signature_def[signature]
        (info,) = definition.inputs.values()
        wanted = {name: output.name for name, output in definition.outputs.items()}
        answers: dict[str, np.ndarray] = session.run(wanted, {info.name: value})
        return answers

    return call


def _typed(value: np.ndarray) -> np.ndarray:
    """A byte string cannot end in zeros in numpy's own type, so strings travel as objects."""
    return value if value.dtype != object else value.astype(bytes)


def answer(way: str, model: str, inputs: str, answers: str) -> None:
    call = {'v2': _v2, 'session': _session}[way](model)
    found: dict[str, np.ndarray] = {}
    with np.load(inputs, allow_pickle=True) as asked:
        for key in asked.files:
            number, signature = key.split('|')
            try:
                outputs = call(signature, asked[key])
            except tf.errors.InvalidArgumentError as error:
                outputs = {'InvalidArgumentError': np.array(str(error))}
            for name, value in outputs.items():
                found[f'{number}|{name}'] = _typed(value)
    np.savez(answers, **found)  # type: ignore[arg-type]


if __name__ == '__main__':
    for start in range(1, len(sys.argv), 4):
        answer(*sys.argv[start : start + 4])

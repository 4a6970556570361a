"""Loads SavedModels as TensorFlow Serving does, in a process that has only TensorFlow.

Run as a script. Each line of standard input names a folder, and a line of JSON comes back: so
TensorFlow can be imported while a folder is still being written.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any


def load(tf: Any, folder: str) -> dict[str, Any]:
    """What came of loading the SavedModel in `folder` with the module `tf`."""
    try:
        with tf.compat.v1.Session(graph=tf.Graph()) as session:
            # In a session, with the restore and init operations of the graph: the C++ loader's way.
            loaded = tf.compat.v1.saved_model.load(session, ['serve'], folder)
            return {'signatures': sorted(loaded.signature_def)}
    except Exception as error:  # noqa: BLE001 - every failure is what was asked about
        return {'error': f'{type(error).__name__}: {error}'.splitlines()[0]}


def main() -> None:
    """Answers until the input ends, which it does too when whoever asks is killed."""
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '2'
    os.environ['CUDA_VISIBLE_DEVICES'] = ''  # the GPU may be at work
    import tensorflow as tf

    for line in sys.stdin:
        print(json.dumps(load(tf, line.rstrip('\n'))), flush=True)


if __name__ == '__main__':
    main()

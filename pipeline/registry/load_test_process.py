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
    """Loads the SavedModel in `folder` with the module `tf`; returns signatures or an error."""
    try:
        with tf.compat.v1.Session(graph=tf.Graph()) as session:
            # In a session, with the restore and init operations of the graph: the C++ loader's way.
            loaded = tf.compat.v1.saved_model.load(session, ['serve'], folder)
            return {'signatures': sorted(loaded.signature_def)}
    except Exception as error:  # noqa: BLE001 - every failure is a result
        return {'error': f'{type(error).__name__}: {error}'.splitlines()[0]}


def main() -> None:
    """Answers until the input ends, also when the parent process is killed."""
    os.environ['TF_CPP_MIN_LOG_LEVEL'] = '2'
    os.environ['CUDA_VISIBLE_DEVICES'] = ''  # the GPU may be in use
    import tensorflow as tf

    for line in sys.stdin:
        print(json.dumps(load(tf, line.rstrip('\n'))), flush=True)


if __name__ == '__main__':
    main()

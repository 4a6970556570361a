"""`python -m tests.odd_process WHAT`: what a test of the fork server asks a process to be."""

from __future__ import annotations

import atexit
import codecs
import json
import os
import signal
import sys
import tempfile
import threading
import time

from thawline import ROOT


def main(what: str) -> object:
    if what == 'self':
        atexit.register(print, 'the end')
        told = {
            'arguments': sys.argv[2:],
            'program': sys.argv[0] == str(ROOT / 'tests' / 'odd_process.py'),
            'folder': os.getcwd(),
            'path': sys.path[0],
            'variables': {name: os.environ.get(name) for name in ('ODD', 'TF_USE_LEGACY_KERAS')},
            'descriptors': sorted(int(name) for name in os.listdir('/proc/self/fd'))[:-1],
            'forked': 'tensorflow' in sys.modules,
            'threads': threading.active_count(),
            'input': sys.stdin.read(),
            'umask': os.umask(0),
            'temporary': tempfile.gettempdir(),
            'streams': [
                (codecs.lookup(stream.encoding).name, stream.errors)
                for stream in (sys.stdin, sys.stdout, sys.stderr)
            ],
        }
        print(json.dumps(told))
        return None
    if what == 'code':
        return int(sys.argv[2])
    if what == 'words':
        return 'it ended with words'
    if what == 'wrong':
        raise ValueError('it is wrong')
    if what == 'crash':
        os.kill(os.getpid(), signal.SIGSEGV)
    if what == 'listen':
        signal.signal(signal.SIGTERM, lambda *_: os._exit(7))
    print(os.getpid(), flush=True)
    time.sleep(60)
    return None


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]))  # type: ignore[arg-type]

"""A server's side: 100 times a second it reads the highest version, and notes what was wrong."""

from __future__ import annotations

import hashlib
import json
import pathlib
import sys
import time
from typing import Any

RATE = 100.0


def highest(folder: pathlib.Path) -> pathlib.Path | None:
    """The version that TensorFlow Serving would take: the highest folder named by a number."""
    numbers = [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    return folder / str(max(numbers)) if numbers else None


def whole(version: pathlib.Path) -> bool:
    """Whether all files are there, with the content that the model itself says they have."""
    expected = json.loads((version / 'assets.extra' / 'digests.json').read_bytes())
    found = {
        path.relative_to(version).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in version.rglob('*')
        if path.is_file() and path.name != 'digests.json'
    }
    return expected == found


def watch(folder: pathlib.Path, stop: pathlib.Path) -> dict[str, Any]:
    """Reads until the file `stop` is there; returns counts, versions in order, and failures."""
    reads, late, seen, failures = 0, 0, [], []
    due = time.monotonic()
    while not stop.exists():
        version = highest(folder)
        try:
            if version is None or not whole(version):
                failures.append(f'{version} is not whole')
        except OSError as error:
            failures.append(str(error))
        if version is not None and (not seen or seen[-1] != version.name):
            seen.append(version.name)
        reads += 1
        due += 1 / RATE
        wait = due - time.monotonic()
        late += wait < 0
        if wait > 0:
            time.sleep(wait)
        else:
            due = time.monotonic()
    return {'reads': reads, 'late': late, 'seen': seen, 'failures': failures}


if __name__ == '__main__':
    print(json.dumps(watch(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))))

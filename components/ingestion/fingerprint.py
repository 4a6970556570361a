"""The fingerprint of a source: what of it, beside its name and settings, decides an ingestion.

Local files count by their content. Size and time of change would not do: contents that change
places between files of equal size, or archives and `cp -p` that restore times, leave both as they
were. What the system says of a file saves reading it again (`ContentDigests`), and a file that was
only copied or touched is the same file. Objects in a bucket count by size and time of their last
write, which nobody can set; reading them all would be a download.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import pathlib
import stat
import time
from collections.abc import Iterable
from concurrent import futures

from thawline.components.ingestion import label_overlay, storage
from thawline.components.ingestion.source_types import Listing
from thawline.components.shared import files, progress
from thawline.components.shared.errors import UserError

_FILE = 'source_digests.json'
_THREADS = 8
# A file that was changed this many seconds ago, or less, may be changed again without another time:
# file systems count in ticks, the coarsest in 2 s.
SETTLED = 3.0


def fingerprint(listing: Listing, digests: ContentDigests) -> str:
    """A digest over names and contents of all files, the manifest, what is left out, corrections.

    Args:
        listing: of the source.
        digests: known from earlier; what is read now is added.
    """
    local = [entry.path for entry in listing.files if not storage.is_remote(entry.path)]
    contents = digests.of(local)
    total = hashlib.sha256(listing.manifest)
    lines = [
        f'{entry.relative}\0{contents.get(entry.path) or f"{entry.size} {entry.stamp}"}'
        for entry in listing.files
    ]
    lines += [f'{entry.path}\0{entry.reason}\0{entry.detail}' for entry in listing.rejected]
    lines += label_overlay.digest_lines(listing.labels)
    for line in sorted(lines):
        total.update(f'{line}\n'.encode('utf-8', 'surrogatepass'))
    return total.hexdigest()


class ContentDigests:
    """Digests of files by path, in a file of their own, each for one state of its file.

    It may be deleted at any time: all files are then read again, and the digests are the same.
    """

    def __init__(self, folder: pathlib.Path) -> None:
        """Reads the file of digests in `folder`, where there is one."""
        self._path = folder / _FILE
        self._known: dict[str, tuple[str, str]] = {}
        try:
            content = json.loads(self._path.read_bytes())
            self._known = {path: (state, digest) for path, (state, digest) in content.items()}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, AttributeError, TypeError) as error:
            logging.warning('%s cannot be read, so all files are: %s', self._path, error)

    def of(self, paths: Iterable[str]) -> dict[str, str]:
        """The digests of the files, which replace all that are kept."""
        states = {path: _state(path) for path in sorted(set(paths))}
        rows = {path: self._known.get(path, ('', '')) for path in states}
        changed = [path for path, state in states.items() if not state or rows[path][0] != state]
        progress.start('files of the source', len(changed))
        with futures.ThreadPoolExecutor(_THREADS) as pool:
            rows.update(zip(changed, pool.map(_read, changed), strict=True))
        kept = {path: row for path, row in rows.items() if row[0]}
        if kept != self._known:
            self._known = kept
            try:
                files.write_text(self._path, json.dumps(kept))
            except UserError as error:
                logging.warning('digests of the source are not kept: %s', error)
        return {path: digest for path, (_, digest) in rows.items()}


def _read(path: str) -> tuple[str, str]:
    """State and digest of a file; no state where the digest must not be kept."""
    progress.advance()
    try:
        before = os.stat(path)
        if not stat.S_ISREG(before.st_mode):
            return '', 'no regular file'
        settled = time.time() - max(before.st_mtime, before.st_ctime) > SETTLED
        digest = files.sha256(pathlib.Path(path))
    except OSError as error:  # ingestion meets it again, and says so
        return '', f'unreadable: {error.strerror}'
    return (state_of(before) if settled else ''), digest


def _state(path: str) -> str:
    try:
        return state_of(os.stat(path))
    except OSError:
        return ''


def state_of(info: os.stat_result) -> str:
    """What cannot stay as it is when a file gets another content.

    The time of its last change of any kind (ctime) cannot be set, unlike that of its content. Where
    a file system does not keep it, size, time and number of the file are what is left.
    """
    return f'{info.st_size} {info.st_mtime_ns} {info.st_ctime_ns} {info.st_ino}'

"""Files that are replaced all at once, whoever may be reading them."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import pathlib
import secrets
from collections.abc import Iterator

from thawline.components.shared.errors import from_os_error


@contextlib.contextmanager
def replacement(path: pathlib.Path) -> Iterator[pathlib.Path]:
    """A path beside `path` for what takes its place at the end of the block; not after an error.

    A new file, not new content: `path` may be a hard link to a copy of somebody else's.

    Raises:
        OSError: there is something else than a file or folder, such as /dev/null, which the
            replacement would destroy.
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(errno.EINVAL, 'It is not a regular file')
    draft = path.with_name(f'.{path.name}-{secrets.token_hex(4)}')
    try:
        yield draft
        os.replace(draft, path)
    finally:
        draft.unlink(missing_ok=True)


@contextlib.contextmanager
def write_errors(path: pathlib.Path) -> Iterator[None]:
    """Words errors of the system in the block for people.

    Raises:
        UserError: `path` cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise from_os_error(error, f'{path} cannot be written') from error


def write_text(path: pathlib.Path, text: str) -> None:
    """Replaces the content of a file; folders above it are made.

    Raises:
        UserError: it cannot be written.
    """
    with write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacement(path) as draft:
            draft.write_text(text, 'utf-8')


def sha256(path: pathlib.Path) -> str:
    """The digest of a file's content, in hex."""
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()

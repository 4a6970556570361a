"""What a file's name says of how it was made: a copy by augmentation keeps the name of its source.

`leaf1_flipLR.jpg`, `leaf1_90deg.jpg` and `leaf1.jpg` are of one family. A name proves nothing by
itself, for people number images and reuse names; it makes a smaller likeness credible. The one
exception is Roboflow's `leaf1_jpg.rf.<hash>.jpg`, which it writes for each version of one upload.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable

_ROBOFLOW = re.compile(r'(.+)\.rf\.[0-9A-Za-z]{16,}')
# Of an upload. A name that more images share is one that was given to several uploads.
_MOST_VERSIONS = 50
# None is made of others of them: one reading of a word is enough.
_CHANGES = (
    'flip', 'flipped', 'hflip', 'vflip', 'lr', 'ud', 'tb', 'mirror', 'mirrored', 'deg', 'degrees',
    'rot', 'rotate', 'rotated', 'rotation', 'aug', 'augment', 'augmented', 'bright', 'brightness',
    'dark', 'contrast', 'blur', 'blurred', 'noise', 'noisy', 'crop', 'cropped', 'zoom', 'zoomed',
    'scale', 'scaled', 'resize', 'resized', 'shift', 'shifted', 'shear', 'sheared', 'copy', 'new',
)  # fmt: skip
_CHANGED = re.compile(f'(?:{"|".join(_CHANGES)})+', re.IGNORECASE)
_TOKENS = re.compile(r'[^\W\d_]+|\d+|[\W_]+')


def family(path: str) -> str:
    """What an image's name shares with those of its augmented copies: folder, and stem."""
    folder, name = posixpath.split(path)
    stem, _ = posixpath.splitext(name)
    if upload := _ROBOFLOW.fullmatch(stem):
        stem = posixpath.splitext(upload.group(1))[0]
    return posixpath.join(folder, _without_changes(stem))


def upload(name: str) -> str | None:
    """The name of the upload that a file of Roboflow is a version of."""
    match = _ROBOFLOW.fullmatch(posixpath.splitext(name)[0])
    return match and match.group(1)


def _without_changes(stem: str) -> str:
    """`a_new30degFlipLR` -> `a`; numbers go only where they belong to a change."""
    tokens = _TOKENS.findall(stem)
    end = len(tokens)
    while end:
        kept = end
        if tokens[kept - 1].isdigit():
            kept -= 1  # flip2, rotated_90
            if kept > 1 and not tokens[kept - 1].isalnum():
                kept -= 1
        if not kept or not _CHANGED.fullmatch(tokens[kept - 1]):
            break
        kept -= 1
        if kept > 1 and tokens[kept - 1].isdigit():
            kept -= 1  # 90deg
        end = kept
        while end > 1 and not tokens[end - 1].isalnum():
            end -= 1
    changed = end < len(tokens) and not tokens[end].isalnum()
    return ''.join(tokens[:end]) if changed and end else stem


def versions(paths: Iterable[str]) -> list[list[str]]:
    """Paths of versions of one upload to Roboflow, which wrote them into one folder."""
    uploads: dict[tuple[str, str], list[str]] = {}
    for path in paths:
        folder, name = posixpath.split(path)
        if upload := _ROBOFLOW.fullmatch(posixpath.splitext(name)[0]):
            uploads.setdefault((folder, upload.group(1)), []).append(path)
    return [sorted(same) for same in uploads.values() if 2 <= len(same) <= _MOST_VERSIONS]

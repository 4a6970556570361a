"""The files that the rows of a manifest name."""

from __future__ import annotations

import dataclasses
import os
import posixpath
from collections.abc import Iterable

from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion import storage
from thawline.components.ingestion.folder import IMAGE_SUFFIXES


class ManifestFiles:
    """Finds the files of a manifest below its root."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._remote = storage.is_remote(root)
        self._stems: dict[str, dict[str, list[str]]] = {}
        if self._remote:  # One listing instead of a request for every row.
            self._known = {e.relative: e for e in storage.tree(root).entries}
        elif not os.path.isdir(root):
            raise storage.missing_error(root, 'data.root, the folder')

    def find(self, written: str) -> storage.Entry | str:
        """The file, or the reason why it cannot be used.

        A path without a suffix stands for the one image of that name, as in many exports of ids.
        Links are followed wherever they lead, as in a folder source; what is written stays below
        the root.
        """
        if not written:
            return reasons.MALFORMED_ROW
        for path in dict.fromkeys((written, written.replace('\\', '/'))):  # the latter: of Windows
            relative = self._relative(path)
            if relative is None:
                return reasons.ESCAPES_ROOT
            if '\0' in relative:
                return reasons.MISSING_FILE
            entry = self._stat(relative) or self._without_suffix(relative)
            if entry:
                return entry
        return reasons.MISSING_FILE

    def find_first(self, places: Iterable[str]) -> storage.Entry | str:
        """The file at the first place that has one, or why the first place has none."""
        problem = ''
        for place in places:
            file = self.find(place)
            if not isinstance(file, str):
                return file
            problem = problem or file
        return problem

    def _without_suffix(self, relative: str) -> storage.Entry | None:
        folder, slash, stem = relative.rpartition('/')
        names = self._images(folder).get(stem, [])
        return self._stat(f'{folder}{slash}{names[0]}') if len(names) == 1 else None

    def _stat(self, relative: str) -> storage.Entry | None:
        if self._remote:
            return self._known.get(relative)
        entry = storage.stat(storage.join(self._root, relative))
        return entry and dataclasses.replace(entry, relative=relative)

    def _images(self, folder: str) -> dict[str, list[str]]:
        """Names of the images of a folder by their stems."""
        if folder not in self._stems:
            stems = self._stems[folder] = {}
            for name in self._names(folder):
                stem, _, suffix = name.rpartition('.')
                if suffix.lower() in IMAGE_SUFFIXES:
                    stems.setdefault(stem, []).append(name)
        return self._stems[folder]

    def _names(self, folder: str) -> list[str]:
        if self._remote:
            return [posixpath.basename(r) for r in self._known if posixpath.dirname(r) == folder]
        try:
            return os.listdir(storage.join(self._root, folder))
        except OSError:
            return []

    def _relative(self, written: str) -> str | None:
        if storage.is_remote(written):
            if not written.startswith(self._root.rstrip('/') + '/'):
                return None
            written = written.removeprefix(self._root.rstrip('/') + '/')
        elif not self._remote and os.path.isabs(written):
            written = os.path.relpath(written, self._root)
        relative = posixpath.normpath(written)
        escapes = relative == '..' or relative.startswith(('../', '/'))
        return None if escapes else relative

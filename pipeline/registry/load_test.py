"""Loads a model in a separate process, so that a crash is a test result."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import pathlib
import subprocess
import sys
import tempfile
from types import TracebackType
from typing import Self

from thawline.components.shared import parent_death
from thawline.components.shared.errors import ConfigError

_SCRIPT = pathlib.Path(__file__).with_name('load_test_process.py')
_ITS_OWN = '__saved_model_init_op'  # TensorFlow's, in every SavedModel


def tensorflow_version() -> str:
    """The TensorFlow that loads models, with its version."""
    return f'TensorFlow {importlib.metadata.version("tensorflow")}'


class LoadTest:
    """A process that imports TensorFlow at once, then loads models on request."""

    def __init__(self) -> None:
        self._log = tempfile.TemporaryFile('w+', errors='replace')  # noqa: SIM115  see __exit__
        self._process = subprocess.Popen(
            parent_death.command([sys.executable, '-I', str(_SCRIPT)]),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._log):
            assert stream is not None, 'all are pipes'
            # Closing flushes a request that a dead process never read.
            with contextlib.suppress(BrokenPipeError):
                stream.close()

    def load(self, folder: pathlib.Path) -> list[str]:
        """Loads the SavedModel in `folder`.

        Returns:
            Names of its signatures.

        Raises:
            ConfigError: it does not load, or has no signature.
        """
        answer = self._ask(str(folder))
        if not answer:
            raise ConfigError(
                f'loading the model in {folder} ended the process (exit code '
                f'{self._process.wait()}): {self._last_output()}'
            )
        result = json.loads(answer)
        if 'error' in result:
            raise ConfigError(f'the model in {folder} does not load: {result["error"]}')
        signatures = [name for name in result['signatures'] if name != _ITS_OWN]
        if not signatures:
            raise ConfigError(f'the model in {folder} has no signatures, so no server can use it')
        return signatures

    def _ask(self, line: str) -> str:
        """The answer; empty where the process has ended."""
        assert self._process.stdin is not None and self._process.stdout is not None, 'are pipes'
        try:
            self._process.stdin.write(f'{line}\n')
            self._process.stdin.flush()
        except BrokenPipeError:
            return ''
        return self._process.stdout.readline()

    def _last_output(self) -> str:
        self._log.seek(0)
        lines = self._log.read().strip().splitlines()
        return lines[-1] if lines else 'no output'

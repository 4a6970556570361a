"""The jars of a cluster and of Beam's job server for it, from Maven Central, each verified."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile
from collections.abc import Mapping

from thawline.components.shared import progress
from thawline.components.shared.errors import ConfigError, Unavailable

_ASSETS = pathlib.Path(__file__).parent / 'assets'
_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies'
_PATIENCE = 1800  # seconds


@dataclasses.dataclass(frozen=True)
class Jars:
    """All jars of a pom.xml: of a program, and of Beam's runner for it."""

    title: str
    version: str
    beam: str
    megabytes: int

    @property
    def _assets(self) -> pathlib.Path:
        return _ASSETS / self.title.lower()

    def folder(self) -> pathlib.Path:
        """Their folder in the user's cache."""
        cache = os.environ.get('XDG_CACHE_HOME') or str(pathlib.Path.home() / '.cache')
        name = f'{self.title.lower()}-{self.version}-beam-{self.beam}'
        return pathlib.Path(cache) / 'thawline' / name

    def expected(self) -> dict[str, str]:
        """SHA-256 of each file by its name."""
        text = (self._assets / 'jars.sha256').read_text('utf-8')
        return {name: digest for digest, name in (line.split() for line in text.splitlines())}

    def missing(self) -> bool:
        """Whether any must be downloaded."""
        return bool(mismatches(self.folder(), self.expected()))

    def fetch(self) -> pathlib.Path:
        """The folder with all of them; downloads them if they are missing."""
        folder, expected = self.folder(), self.expected()
        if not mismatches(folder, expected):
            return folder
        maven = shutil.which('mvn')
        if maven is None:
            raise ConfigError(f'the jars of {self.title} need Maven; install it (Debian: maven)')
        folder.parent.mkdir(parents=True, exist_ok=True)
        progress.start(
            f'downloading {self.title} {self.version} and its job server, {self.megabytes} MB'
        )
        with tempfile.TemporaryDirectory(dir=folder.parent) as temporary:
            new = pathlib.Path(temporary) / 'jars'
            _download(maven, self._assets / 'pom.xml', new)
            if bad := mismatches(new, expected):
                raise ConfigError(
                    f'{len(bad)} downloaded files do not match pipeline/tools/cluster_demo/assets/'
                    f'{self._assets.name}/jars.sha256: {", ".join(bad[:3])}'
                )
            shutil.rmtree(folder, ignore_errors=True)
            new.rename(folder)
        return folder


FLINK = Jars('Flink', '1.19.0', '2.62.0', 150)
SPARK = Jars('Spark', '3.5.0', '2.62.0', 300)


def mismatches(folder: pathlib.Path, expected: Mapping[str, str]) -> list[str]:
    """Names of missing, changed and unexpected files."""
    names = {path.name for path in folder.glob('*')} if folder.is_dir() else set()
    actual = {name: _digest(folder / name) for name in names & set(expected)}
    return sorted(
        name for name in names | set(expected) if actual.get(name, '') != expected.get(name)
    )


def _download(maven: str, pom: pathlib.Path, target: pathlib.Path) -> None:
    command = [
        maven, '-B', '-q', '-f', str(pom), _PLUGIN,
        f'-DoutputDirectory={target}', '-DincludeScope=runtime',
    ]  # fmt: skip
    try:
        ended = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_PATIENCE,
            check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f'Maven took longer than {_PATIENCE} s to get the jars') from error
    if ended.returncode:
        lines = [line for line in ended.stdout.splitlines() if 'ERROR' in line]
        raise Unavailable(f'Maven could not get the jars: {(lines or ["no message"])[0]}')


def _digest(path: pathlib.Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()

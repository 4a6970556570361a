"""A cluster's program and Beam's job server for it, as jars from Maven Central, each checked."""

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
from thawline.components.shared.errors import ConfigError

_ASSETS = pathlib.Path(__file__).parent / 'assets'
_PLUGIN = 'org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies'
_PATIENCE = 1800  # seconds


@dataclasses.dataclass(frozen=True)
class Jars:
    """All that a pom.xml asks for.

    Attributes:
        title: of the program, for people.
        version: its own.
        beam: version of the runner.
        megabytes: to download.
    """

    title: str
    version: str
    beam: str
    megabytes: int

    @property
    def _listed(self) -> pathlib.Path:
        return _ASSETS / self.title.lower()

    def folder(self) -> pathlib.Path:
        """Where they are kept, for all projects of the user."""
        cache = os.environ.get('XDG_CACHE_HOME') or str(pathlib.Path.home() / '.cache')
        name = f'{self.title.lower()}-{self.version}-beam-{self.beam}'
        return pathlib.Path(cache) / 'thawline' / name

    def expected(self) -> dict[str, str]:
        """SHA-256 of each file by its name."""
        text = (self._listed / 'jars.sha256').read_text('utf-8')
        return {name: digest for digest, name in (line.split() for line in text.splitlines())}

    def missing(self) -> bool:
        """Whether they are still to be had."""
        return bool(wrong(self.folder(), self.expected()))

    def fetched(self) -> pathlib.Path:
        """The folder with all of them; gets them where they are not there yet.

        Raises:
            ConfigError: they cannot be had, or are not what they should be.
        """
        place, wanted = self.folder(), self.expected()
        if not wrong(place, wanted):
            return place
        maven = shutil.which('mvn')
        if maven is None:
            raise ConfigError(f'the jars of {self.title} come by Maven; install it (Debian: maven)')
        place.parent.mkdir(parents=True, exist_ok=True)
        progress.start(
            f'downloading {self.title} {self.version} and its job server, {self.megabytes} MB'
        )
        with tempfile.TemporaryDirectory(dir=place.parent) as made:
            new = pathlib.Path(made) / 'jars'
            _download(maven, self._listed / 'pom.xml', new)
            if bad := wrong(new, wanted):
                raise ConfigError(
                    f'{len(bad)} downloaded files are not what pipeline/tools/cluster_demo/assets/'
                    f'{self._listed.name}/jars.sha256 says: {", ".join(bad[:3])}'
                )
            shutil.rmtree(place, ignore_errors=True)
            new.rename(place)
        return place


FLINK = Jars('Flink', '1.19.0', '2.62.0', 150)
SPARK = Jars('Spark', '3.5.0', '2.62.0', 300)


def wrong(place: pathlib.Path, wanted: Mapping[str, str]) -> list[str]:
    """Names of files that are missing, are not what they should be, or should not be there."""
    names = {path.name for path in place.glob('*')} if place.is_dir() else set()
    found = {name: _digest(place / name) for name in names & set(wanted)}
    return sorted(name for name in names | set(wanted) if found.get(name, '') != wanted.get(name))


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
        raise ConfigError(f'Maven took longer than {_PATIENCE} s to get the jars') from error
    if ended.returncode:
        lines = [line for line in ended.stdout.splitlines() if 'ERROR' in line]
        raise ConfigError(f'Maven could not get the jars: {(lines or ["no message"])[0]}')


def _digest(path: pathlib.Path) -> str:
    with path.open('rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()

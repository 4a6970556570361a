"""Small projects with images drawn here, and the command run as a user would."""

from __future__ import annotations

import dataclasses
import pathlib
import subprocess
from collections.abc import Callable

import numpy as np
import PIL.Image
import pytest

from tests import fork_server, tiny_base
from tests.fork_server import environment

CLASSES = ('coral', 'moss', 'slate')
# For runs of which it does not matter on which base; each saves a fifth of its processor time.
# Fresh processes do not know it.
TINY_BASE = f'{{backbone: {tiny_base.NAME}, weights: random}}'


def draw_classes(folder: pathlib.Path, images: int, seed: int = 0) -> None:
    """A folder a class; each class is noise around a colour of its own: easy to learn."""
    rng = np.random.default_rng(seed)
    for number, name in enumerate(CLASSES):
        (folder / name).mkdir(parents=True)
        for image in range(images):
            pixels = rng.integers(0, 120, (48, 56, 3))
            pixels[..., number] += rng.integers(60, 130)
            made = PIL.Image.fromarray(pixels.clip(0, 255).astype(np.uint8))
            made.save(folder / name / f'{image:03d}.{"png" if image % 3 else "jpg"}')


@dataclasses.dataclass(frozen=True)
class Project:
    """A project on disk and the way to run it."""

    home: pathlib.Path

    def write(self, **changes: str) -> None:
        """Writes thawline.yaml; `changes` replace whole top-level sections, in YAML flow style."""
        sections = {
            'name': 'stones',
            'data': '{source: images}',
            'preprocessing': '{image_size: 32}',
            'model': '{backbone: mobilenet_v2_035, weights: random}',
            'training': '{augmentation: light, fine_tune: {blocks: 2, epochs: 2}}',
            'gate': '{val_accuracy: 0.6}',
            # A large image takes as long as all the others; `test_parity` has the defaults.
            'serving': '{check: {images: 4, huge_pixels: 250000}}',
        } | changes
        text = ''.join(f'{key}: {value}\n' for key, value in sections.items())
        (self.home / 'thawline.yaml').write_text(text, 'utf-8')

    def thawline(self, *arguments: str, fresh: bool = False) -> subprocess.CompletedProcess[str]:
        """Runs the command in the project's folder.

        Args:
            arguments: of the command.
            fresh: in an interpreter of its own rather than in a fork: see `fork_server`.
        """
        command = fork_server.fresh_command() if fresh else fork_server.command()
        return subprocess.run(
            [*command, *arguments],
            cwd=self.home, env=environment(), capture_output=True, text=True, timeout=600,
        )  # fmt: skip

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Starts the command and returns at once."""
        return subprocess.Popen(
            [*fork_server.command(), *arguments],
            cwd=self.home, env=environment(), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def output(self) -> pathlib.Path:
        """Where its runs are kept."""
        return self.home / 'runs' / 'stones'

    def versions(self) -> list[pathlib.Path]:
        """Pushed models, oldest first."""
        return sorted((self.output / 'serving' / 'staging').glob('*'))

    def artifact(self, node: str, key: str) -> pathlib.Path:
        """The newest artifact of a node."""
        folders = (self.output / 'artifacts' / node / key).iterdir()
        return max(folders, key=lambda folder: int(folder.name))


@pytest.fixture(scope='module')
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """Makes a project with drawn images: `make_project(images=40, **sections)`."""

    def make(images: int = 40, **sections: str) -> Project:
        project = Project(tmp_path_factory.mktemp('project'))
        draw_classes(project.home / 'images', images)
        project.write(**sections)
        return project

    return make

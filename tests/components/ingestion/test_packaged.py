"""Installed packages as sources, with a package installed only on the path of the test."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pydantic
import pytest

from thawline import ROOT

CODE = """
import sys

from thawline.components.shared.errors import UserError
from thawline.components.ingestion.sources import SourceSpec, list_source
try:
    found = list_source(SourceSpec('package:elpv_dataset'))
    print([(i.relative_path, i.label, i.confidence) for i in found.items])
    print([r.reason for r in found.rejected])
except UserError as error:
    print(type(error).__name__, error)
"""


# What settings and YOLO's own configuration are read with, and what that needs.
NEEDED = (
    'annotated_types', 'pydantic', 'pydantic_core', 'typing_extensions.py', 'typing_inspection',
    'yaml',
)  # fmt: skip


def run(path: pathlib.Path, *options: str) -> str:
    # -S: without site-packages, so that only what the test lays out is installed.
    code = f'import sys; sys.path[:0] = [{str(path)!r}, {str(ROOT)!r}]\n{CODE}'
    for name in NEEDED:
        (path / name).symlink_to(pathlib.Path(pydantic.__file__).parents[1] / name)
    done = subprocess.run(
        [sys.executable, '-S', *options, '-c', code], capture_output=True, text=True, check=False
    )
    assert done.stderr == ''
    return done.stdout.strip()


def install(root: pathlib.Path, table: str, images: int) -> None:
    (root / 'elpv_dataset-1.dist-info').mkdir()
    (root / 'elpv_dataset-1.dist-info' / 'METADATA').write_text('Name: elpv-dataset\nVersion: 1\n')
    folder = root / 'elpv_dataset' / 'data' / 'images'
    folder.mkdir(parents=True)
    (folder.parent / 'labels.csv').write_text(table)
    for index in range(images):
        (folder / f'{index}.png').write_bytes(b'x')


def test_missing_package_says_how_to_install_it(tmp_path: pathlib.Path) -> None:
    message = run(tmp_path)
    assert message.startswith('ConfigError')
    assert 'pip install elpv-dataset' in message


def test_rule_and_missing_files(tmp_path: pathlib.Path) -> None:
    chances = (0.0, 0.25, 0.5, 0.6666, 1.0, 1.0, 1.0)
    table = ''.join(f'images/{i}.png {p} mono\n' for i, p in enumerate(chances))
    install(tmp_path, table, 6)
    names = ['functional'] * 3 + ['defective'] * 3
    sure = [1.0, 0.75, 0.5, 0.6666, 1.0, 1.0]
    pairs = zip(names, sure, strict=True)
    expected = [(f'images/{i}.png', *pair) for i, pair in enumerate(pairs)]
    assert run(tmp_path) == f"{expected}\n['missing file']"


@pytest.mark.parametrize('probability', ['high', '1.5', '-0.1', 'nan'])
def test_damaged_table(tmp_path: pathlib.Path, probability: str) -> None:
    install(tmp_path, f'images/0.png {probability} mono\n', 1)
    message = run(tmp_path)
    assert message.startswith('DataError')
    assert 'line 1' in message

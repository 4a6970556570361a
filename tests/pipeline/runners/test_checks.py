"""What is found before anything heavy starts."""

from __future__ import annotations

import pathlib
import re
import shutil

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.evaluation.gate.params import Gate, SliceFloor
from thawline.components.evaluation.params import Evaluation
from thawline.components.ingestion.source_types import Listing, SourceItem
from thawline.components.ingestion.storage import Entry
from thawline.components.shared import metadata_store
from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.runners import checks


@pytest.mark.parametrize(
    ('types', 'told'),
    [
        ((), False),
        (('tfx.dsl.components.common.resolver.Resolver',), False),
        (('components.ingestion.component.ImageExampleGen',), True),
        (
            (
                'components.ingestion.component.ImageExampleGen',
                'thawline.components.ingestion.component.ImageExampleGen',
            ),
            False,
        ),
    ],
)
def test_a_store_of_the_class_paths_of_before_is_told_once(
    tmp_path: pathlib.Path, types: tuple[str, ...], told: bool
) -> None:
    project = Project.of(loading.parse('name: x\ndata: {source: images}', 'file'), tmp_path)
    assert checks.older_types_note(project) is None  # no run yet
    project.output.mkdir(parents=True)
    store = metadata_store.open_sqlite(project.metadata)
    for name in types:
        store.put_execution_type(pb.ExecutionType(name=name))
    assert bool(checks.older_types_note(project)) is told


def test_a_full_disk_is_refused_and_a_tight_one_noted(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = Project.of(loading.parse('name: x\ndata: {source: images}', 'file'), tmp_path)
    project.output.mkdir(parents=True)
    file = Entry('a.jpg', 'a.jpg', 2_000_000, 'x')
    items = tuple(SourceItem('a.jpg', f'{number}.jpg', 'a') for number in range(1000))
    listing = Listing(items, (), (), files=(file,) * 1000)
    # Copies of 2 GB, pixels, two rows of features an image and view, and models.
    needed = 2000 + 1000 * 3 * project.config.image_size**2 / 1e6 + 300
    for free, refused, noted in ((10, True, False), (1000, False, True), (9000, False, False)):
        usage = shutil.disk_usage(tmp_path)._replace(free=free * 10**6)
        monkeypatch.setattr(shutil, 'disk_usage', lambda path, usage=usage: usage)
        if refused:
            with pytest.raises(Unavailable, match=f'{project.output}, 10 MB free'):
                checks.check_disk(project, listing)
            continue
        note = checks.check_disk(project, listing)
        assert bool(note) is noted
        if note:
            (about,) = re.findall(r'about ([\d,]+) MB', note)
            assert needed < int(about.replace(',', '')) < needed * 1.1


def test_a_misspelt_column_is_named_before_the_training(tmp_path: pathlib.Path) -> None:
    from tests.components.evaluation import evaluating
    from tests.components.transformed import rows

    some = [evaluating.example(row, 'train', {'module': 'mono'}) for row in rows(3, 1)]
    evaluating.write_statistics(tmp_path, {'train': some, 'val': some})
    right = Evaluation(crossed=(('meta_module', 'source_format'),))
    checks.check_columns(right, Gate(), tmp_path)
    wrong = Evaluation(crossed=(('source_format', 'meta_modul'),))
    with pytest.raises(ConfigError, match=r"crossed\[0\].*'meta_modul'.*mean 'meta_module'"):
        checks.check_columns(wrong, Gate(), tmp_path)
    floor = SliceFloor(column='meta_x', accuracy=0.5)
    with pytest.raises(ConfigError, match=r'gate.slices\[0\].column'):
        checks.check_columns(Evaluation(), Gate(slices=(floor,)), tmp_path)
    # Nothing is read where nothing is named.
    checks.check_columns(Evaluation(), Gate(), tmp_path / 'none')

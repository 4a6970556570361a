from __future__ import annotations

import pathlib

import pytest

from thawline.components.shared import version_folders


@pytest.mark.parametrize(
    ('name', 'number'),
    [('1', 1), ('0012', 12), ('1795272290', 1795272290), (str(2**63 - 1), 2**63 - 1),
     (str(2**63), None), ('', None), ('.incoming-3', None), ('3.old', None), ('-1', None),
     ('1_0', None), ('٣', None), ('²', None)],
)  # fmt: skip
def test_names_of_versions(name: str, number: int | None) -> None:
    assert version_folders.version_number(name) == number


def test_only_complete_versions_count_and_the_highest_is_first(tmp_path: pathlib.Path) -> None:
    for name in ('9', '10', '2', '.incoming-11', '12'):
        (tmp_path / name).mkdir()
        if name != '12':  # still being written
            (tmp_path / name / 'saved_model.pb').touch()
    (tmp_path / '13').touch()
    assert list(version_folders.complete_versions(tmp_path).items()) == [
        (10, tmp_path / '10'), (9, tmp_path / '9'), (2, tmp_path / '2')
    ]  # fmt: skip
    assert version_folders.is_model(tmp_path / '9') and not version_folders.is_model(
        tmp_path / '12'
    )


def test_no_folder_has_no_versions(tmp_path: pathlib.Path) -> None:
    assert version_folders.complete_versions(tmp_path / 'none') == {}
    (tmp_path / 'file').touch()
    assert version_folders.complete_versions(tmp_path / 'file') == {}

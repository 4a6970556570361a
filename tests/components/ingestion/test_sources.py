"""The source specification, format detection and the package source."""

from __future__ import annotations

import collections
import importlib.util

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thawline.components.ingestion.params import Boxes, Columns
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import detect_format, list_source
from thawline.components.shared.errors import ConfigError

TEXTS = st.text(max_size=9)
MAYBE = st.none() | TEXTS


@given(
    st.builds(
        SourceSpec, TEXTS, TEXTS, MAYBE,
        st.builds(
            Columns, path=TEXTS, label=TEXTS, split=MAYBE, group=MAYBE, confidence=MAYBE,
            metadata=st.none() | st.lists(TEXTS).map(tuple),
        ),
        MAYBE, st.booleans(), boxes=st.builds(Boxes, padding=st.floats(0, 1)),
    )
)  # fmt: skip
def test_spec_travels_as_json(spec: SourceSpec) -> None:
    assert SourceSpec.from_json(spec.to_json()) == spec
    assert spec.to_json() == SourceSpec.from_json(spec.to_json()).to_json()


@pytest.mark.parametrize(
    ('source', 'expected'),
    [
        ('data/photos', 'folder'), ('gs://bucket/photos/', 'folder'), ('x/labels.CSV', 'csv'),
        ('s3://b/x.tsv', 'csv'), ('x/train.tfrecord.gz', 'tfrecord'), ('x/a-*', 'tfrecord'),
        ('x.tfrecord-00000-of-00002', 'tfrecord'), ('package:elpv_dataset', 'package'),
        ('gs://b/instances.json', 'coco'), ('gs://b/data.yaml', 'yolo'),
    ],
)  # fmt: skip
def test_formats_are_guessed(source: str, expected: str) -> None:
    assert detect_format(SourceSpec(source)) == expected
    assert detect_format(SourceSpec(source, 'csv')) == 'csv'


def test_settings_of_boxes_are_part_of_the_cache_key() -> None:
    specs = [SourceSpec('x', boxes=boxes) for boxes in (Boxes(), Boxes(padding=0.2))]
    assert len({spec.to_json() for spec in specs}) == 2


def test_bad_specs() -> None:
    with pytest.raises(ConfigError, match="Received: 'zip'"):
        detect_format(SourceSpec('x', 'zip'))
    with pytest.raises(ConfigError, match="data.source .* Received: ' '"):
        detect_format(SourceSpec(' '))
    with pytest.raises(ConfigError, match='package:elpv_dataset'):
        list_source(SourceSpec('package:mnist'))


@pytest.mark.skipif(
    importlib.util.find_spec('elpv_dataset') is None, reason='elpv-dataset is not installed'
)
def test_solar_cells() -> None:
    found = list_source(SourceSpec('package:elpv-dataset'))
    assert len(found.items) == 2624
    assert found.rejected == ()
    assert sum(i.label == 'defective' for i in found.items) == 821
    assert {i.metadata['probability'][:4] for i in found.items} == {'0.0', '0.33', '0.66', '1.0'}
    sure = collections.Counter(round(i.confidence or 0.0, 3) for i in found.items)
    assert sure == {1.0: 2223, 0.667: 401}
    assert {i.metadata['module_type'] for i in found.items} == {'mono', 'poly'}
    assert found.items[0].relative_path == 'images/cell0001.png'

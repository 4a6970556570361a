"""The images that are named for a difference are those that differ."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from thawline.components.data_gate import schema_change
from thawline.components.data_gate.schema_change import Kind, SchemaChange
from thawline.pipeline.schema_review import evidence
from thawline.pipeline.schema_review.evidence import Evidence

SCHEMA = text_format.Parse(
    """
    feature { name: "height" int_domain { min: 16 max: 100 } }
    feature { name: "brightness" float_domain { max: 0.9 } }
    feature { name: "meta_site" domain: "sites" }
    string_domain { name: "sites" value: "north" }
    """,
    schema_pb2.Schema(),
)


def write(path: pathlib.Path, *rows: dict[str, Any]) -> str:
    """TFRecords of images with these facts, as ingestion writes them."""
    with tf.io.TFRecordWriter(str(path), 'GZIP') as writer:
        for row in rows:
            example = tf.train.Example()
            for name, value in row.items():
                feature = example.features.feature[name]
                if isinstance(value, str):
                    feature.bytes_list.value.append(value.encode())
                elif isinstance(value, int):
                    feature.int64_list.value.append(value)
                else:
                    feature.float_list.value.append(value)
            writer.write(example.SerializeToString())
    return str(path)


@pytest.fixture(scope='module')
def files(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    folder = tmp_path_factory.mktemp('examples')
    usual = {'label': 'cat', 'height': 50, 'brightness': 0.5, 'source_format': 'JPEG'}
    return [
        write(
            folder / 'train.gz',
            {**usual, 'path': 'a.jpg', 'meta_site': 'north'},
            {**usual, 'path': 'b.jpg', 'meta_site': 'été', 'label': 'owl'},
            {**usual, 'path': 'c.jpg', 'meta_site': 'south', 'height': 9, 'brightness': 1.0},
        ),
        write(
            folder / 'val.gz',
            {**usual, 'path': 'd.png', 'source_format': 'PNG', 'meta_new': 'x', 'label': 'owl'},
            {**usual, 'path': 'e.png', 'source_format': 'PNG', 'height': 101, 'label': 'owl'},
        ),
    ]


@pytest.mark.parametrize(
    ('kind', 'subject', 'value', 'images', 'paths'),
    [
        ('new_class', 'owl', '', 3, ('b.jpg', 'd.png')),
        ('vanished_class', 'emu', '', 0, ()),
        ('new_column', 'meta_new', '', 1, ('d.png',)),
        ('new_value', 'meta_site', 'été', 1, ('b.jpg',)),
        ('new_value', 'meta_site', '', 2, ('b.jpg', 'c.jpg')),
        ('missing_values', 'meta_site', '', 2, ('d.png', 'e.png')),
        ('formats', 'PNG', '', 2, ('d.png', 'e.png')),
        ('formats', 'shares', '', 0, ()),
        ('sizes', 'height', '', 2, ('c.jpg', 'e.png')),
        ('lighting', 'brightness', '', 1, ('c.jpg',)),
        ('other_rules', 'height', '', 0, ()),
    ],
)
def test_images_behind_a_change(
    files: list[str], kind: Kind, subject: str, value: str, images: int, paths: tuple[str, ...]
) -> None:
    lines = schema_change.lines([SchemaChange(kind, subject, '', value)])
    assert evidence.gather(lines, SCHEMA, files, 2) == [Evidence(images, paths)]


def test_many_changes_in_one_pass(files: list[str]) -> None:
    values = ['été', 'south', *(f'site {i}' for i in range(1_000))]
    lines = schema_change.lines(
        [
            SchemaChange('formats', 'PNG', ''),
            *(SchemaChange('new_value', 'meta_site', '', value) for value in values),
        ]
    )
    assert [of.images for of in evidence.gather(lines, SCHEMA, files, 3)] == [2, 2]


def test_examples_that_were_deleted_name_nothing() -> None:
    lines = schema_change.lines([SchemaChange('formats', 'PNG', '')])
    assert evidence.gather(lines, SCHEMA, [], 3) == [Evidence(0, ())]

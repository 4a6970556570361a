"""The proposed schema joins the curated rules with what was inferred."""

from __future__ import annotations

import importlib.resources

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from thawline.pipeline.commands import schema

CURATED = (importlib.resources.files('thawline.schemas') / 'images.pbtxt').read_text('utf-8')
INFERRED = """
feature { name: "label" type: BYTES domain: "label" presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "image" type: BYTES presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "meta_site" type: BYTES domain: "meta_site" presence { min_count: 1 } }
string_domain { name: "label" value: "scratch" value: "dent" value: "\u00e9t\u00e9" }
string_domain { name: "meta_site" value: "north" }
"""


def merged(inferred: str = INFERRED) -> schema_pb2.Schema:
    return text_format.Parse(schema.merge(CURATED, inferred), schema_pb2.Schema())


def feature(schema: schema_pb2.Schema, name: str) -> schema_pb2.Feature:
    return next(f for f in schema.feature if f.name == name)


def test_curated_schema_has_an_image_domain_and_every_fixed_feature():
    schema = text_format.Parse(CURATED, schema_pb2.Schema())
    assert feature(schema, 'image').HasField('image_domain')
    names = {f.name for f in schema.feature}
    assert names == {
        'image', 'label', 'image_id', 'path', 'group', 'cluster', 'split', 'source_format',
        'height', 'width', 'brightness', 'contrast', 'sharpness', 'label_confidence',
    }  # fmt: skip


def test_labels_and_metadata_come_from_the_data_rules_from_the_curated_schema():
    schema = merged()
    assert feature(schema, 'image').HasField('image_domain')
    assert feature(schema, 'height').int_domain.min == 16
    domains = {d.name: list(d.value) for d in schema.string_domain}
    assert domains[feature(schema, 'label').domain] == ['dent', 'scratch', 'été']
    assert domains[feature(schema, 'meta_site').domain] == ['north']
    assert [f.name for f in schema.feature].count('label') == 1


def test_labels_inside_the_feature_are_found_too():
    inline = (
        'feature { name: "label" type: BYTES string_domain { name: "l" value: "b" value: "a" } }'
    )
    schema = merged(inline)
    assert list(schema.string_domain[0].value) == ['a', 'b']

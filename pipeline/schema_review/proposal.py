"""A schema to review: the rules of all projects, and what the images of this one are like.

TFDV infers from the data what it can see (types, presence, the labels); the curated schema adds
what it cannot: that `image` is an image, which facts have bounds, which features may be absent.
Bounds of sizes and of brightness and contrast are those of the images with a margin, so that a few
more images of the same kind keep them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from thawline.components.data_gate import format_shares
from thawline.components.data_gate.split_statistics import SplitStatistics, Statistics
from thawline.pipeline.schema_review import schema_text

LABELS = 'labels'  # the domain of the classes
SMALLEST_SIDE = 16  # as in the curated schema


def infer(statistics: Iterable[Statistics]) -> schema_pb2.Schema:
    """The schema that SchemaGen infers; it does not run where there is a reviewed one.

    Args:
        statistics: of each split, one or more.
    """
    schema = None
    for of_split in statistics:
        schema = tfdv.update_schema(schema, of_split) if schema else tfdv.infer_schema(of_split)
    assert schema is not None
    return schema


def propose(curated_text: str, inferred: schema_pb2.Schema, data: SplitStatistics) -> str:
    """The curated rules, inferred ones for all other features, and what the images are like.

    Args:
        curated_text: a Schema in text format, whose comments are kept.
        inferred: by TFDV, of the same images.
        data: of all splits.

    Returns:
        The proposed schema in text format.
    """
    curated = text_format.Parse(curated_text, schema_pb2.Schema())
    proposed = schema_pb2.Schema()
    proposed.CopyFrom(curated)
    own = {feature.name: feature for feature in proposed.feature}
    for feature in inferred.feature:
        if feature.name not in own:
            proposed.feature.add().CopyFrom(feature)
            if feature.WhichOneof('domain_info') == 'domain':
                proposed.string_domain.extend(
                    domain for domain in inferred.string_domain if domain.name == feature.domain
                )
    for name, domain in (('label', LABELS), (format_shares.FEATURE, format_shares.FEATURE)):
        if values := sorted(data.count_values(name)):
            own[name].domain = domain
            proposed.string_domain.add(name=domain, value=values)
    format_shares.remember(own[format_shares.FEATURE], data)
    for name in ('height', 'width'):
        least, most = size_bounds(*data.find_range(name))
        own[name].int_domain.min, own[name].int_domain.max = least, most
    for name in ('brightness', 'contrast'):
        bounds = own[name].float_domain
        bounds.min, bounds.max = lighting_bounds(*data.find_range(name), bounds.min, bounds.max)
    return schema_text.edit(curated_text, curated, proposed)


def size_bounds(least: float, most: float) -> tuple[int, int]:
    """Half the smallest side, but no less than a base can use, to twice the largest, in pixels."""
    return min(max(math.floor(least / 2), SMALLEST_SIDE), int(least)), 2 * math.ceil(most)


def lighting_bounds(
    least: float, most: float, physical_least: float, physical_most: float
) -> tuple[float, float]:
    """A quarter of the range more on both sides, within what is possible at all."""
    margin = (most - least) / 4
    return (
        max(physical_least, math.floor(100 * (least - margin)) / 100),
        min(physical_most, math.ceil(100 * (most + margin)) / 100),
    )

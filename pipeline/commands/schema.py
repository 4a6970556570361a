"""Writes the schema that a person reviews: the curated rules with this project's labels.

TFDV infers from the data what it can see (types, presence, the labels); the curated schema knows
what it cannot: that `image` is an image, which facts have bounds, which features may be absent.
"""

from __future__ import annotations

import importlib.resources
import pathlib

import click

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import runs
from thawline.pipeline.metadata.stores import opening

_CURATED = 'images.pbtxt'
_HEADER = """\
# What {name}'s images and labels must look like; proposed from run {run}.
# Review it like code and keep it beside thawline.yaml: runs use it as soon as it is there.
# - string_domain "labels": a label that is not listed stops a run.
# - presence.min_fraction: share of images that must have the feature.
# - min, max of a feature: an image outside is reported as an anomaly.
"""


def merge(curated_text: str, inferred_text: str) -> str:
    """Curated rules where there are some, inferred ones for all other features, and the labels.

    Args:
        curated_text, inferred_text: `tensorflow_metadata` Schema in text format.

    Returns:
        The merged schema in text format.
    """
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    merged = text_format.Parse(curated_text, schema_pb2.Schema())
    inferred = text_format.Parse(inferred_text, schema_pb2.Schema())
    known = {feature.name for feature in merged.feature}
    for feature in inferred.feature:
        if feature.name == 'label':
            label = next(own for own in merged.feature if own.name == 'label')
            label.domain = 'labels'
            domain = merged.string_domain.add(name='labels')
            domain.value.extend(_label_values(inferred, feature))
        elif feature.name not in known:
            merged.feature.add().CopyFrom(feature)
            if feature.WhichOneof('domain_info') == 'domain':
                domains = (d for d in inferred.string_domain if d.name == feature.domain)
                merged.string_domain.extend(domains)
    return text_format.MessageToString(merged, as_utf8=True)


def _label_values(schema: object, label: object) -> list[str]:
    if label.WhichOneof('domain_info') == 'string_domain':  # type: ignore[attr-defined]
        return sorted(label.string_domain.value)  # type: ignore[attr-defined]
    name = label.domain  # type: ignore[attr-defined]
    domains = schema.string_domain  # type: ignore[attr-defined]
    return sorted(next((d.value for d in domains if d.name == name), []))


def propose(project: Project, force: bool) -> None:
    """Writes the proposal from the latest run that inferred a schema.

    Raises:
        ConfigError: no run has inferred one yet, or a reviewed schema is already there.
    """
    target = project.schema
    if target.exists() and not force:
        raise ConfigError(f'{target} exists; edit it, or replace it with: thawline schema --force')
    inferred = None
    store = opening.to_read(project)
    for run in runs.runs(store, project.name) if store else ():
        output = run.output('SchemaGen', 'schema')
        file = pathlib.Path(output.uri, 'schema.pbtxt') if output else None
        if file and file.is_file():
            inferred = run.id, file
    if inferred is None:
        raise ConfigError(f'no run in {project.output} has inferred a schema yet; thawline run')
    run_id, file = inferred
    curated = (importlib.resources.files('thawline.schemas') / _CURATED).read_text('utf-8')
    text = merge(curated, file.read_text('utf-8'))
    target.write_text(_HEADER.format(name=project.name, run=run_id) + text, 'utf-8')
    click.echo(f'wrote {target}; review it, keep it under version control, and run again')

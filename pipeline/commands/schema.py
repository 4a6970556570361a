"""`thawline schema`: a schema to review, the curated rules with this project's labels.

TFDV infers from the data what it can see (types, presence, the labels); the curated schema adds
what it cannot: that `image` is an image, which facts have bounds, which features may be absent.
"""

from __future__ import annotations

import importlib.resources
import json
import pathlib
from typing import TYPE_CHECKING, Any

import click
import rich.console

from thawline.components.shared import files, node_names
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.commands.arguments import project_argument
from thawline.pipeline.system import log_redirect
from thawline.pipeline.terminal.console import echo, spinner

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project
    from thawline.pipeline.metadata.runs import Output, Run

_CURATED = 'images.pbtxt'
_STATISTICS = 'thawline run --to StatisticsGen'
_HEADER = """\
# Schema of {name}'s images and labels, inferred in run {run}.
# Review it like code and keep it beside thawline.yaml: every run then checks the data against it.
# - string_domain "labels": an unlisted label stops a run.
# - presence.min_fraction: share of images that must have the feature.
# - min, max of a feature: an image outside this range is reported as an anomaly.
"""


@click.command()
@project_argument
@click.option('--force', is_flag=True, help='Replace the reviewed schema.')
def command(project: Project, force: bool) -> None:
    """Write a schema for review, inferred from the latest run."""
    target = project.schema
    if target.exists() and not force:
        raise ConfigError(f'{target} exists; edit it, or replace it with: thawline schema --force')
    run, statistics = _latest_statistics(project)
    curated = (importlib.resources.files('thawline.schemas') / _CURATED).read_text('utf-8')
    text = merge(curated, _inferred(project, run, statistics))
    files.write_text(target, _HEADER.format(name=project.name, run=run.id) + text)
    echo(f'wrote {target}; review it, put it under version control, and run again')


def _latest_statistics(project: Project) -> tuple[Run, Output]:
    """The latest run with statistics of the images as they are now, and these."""
    from thawline.pipeline.metadata import ingestions, runs
    from thawline.pipeline.metadata.stores import opening

    store = opening.find_store(project)
    with_statistics = [
        (run, examples, statistics)
        for run in reversed(runs.read_runs(store, project.name) if store else ())
        if (examples := run.output(node_names.IMAGE_EXAMPLE_GEN, 'examples'))
        and (statistics := run.output(node_names.STATISTICS_GEN, 'statistics'))
        and pathlib.Path(statistics.uri).is_dir()
    ]
    if store is None or not with_statistics:
        raise NotFound(f'no run in {project.output} has statistics yet; run: {_STATISTICS}')
    expected = ingestions.expected_properties(project)
    for run, examples, statistics in with_statistics:
        if ingestions.has_properties(store, examples, expected):
            return run, statistics
    raise ConfigError(
        f'the images, or the settings or code that read them, have changed since run '
        f'{with_statistics[0][0].id}; run: {_STATISTICS}'
    )


def _inferred(project: Project, run: Run, statistics: Output) -> str:
    """The schema that SchemaGen infers, which does not run where there is a reviewed one."""
    output = run.output(node_names.SCHEMA_GEN, 'schema')
    file = pathlib.Path(output.uri, 'schema.pbtxt') if output else None
    if file and file.is_file():
        return file.read_text('utf-8')
    with (
        log_redirect.redirect_output(project.logs / 'schema.log') as terminal,
        spinner(rich.console.Console(file=terminal), 'starting TensorFlow'),
    ):
        import tensorflow_data_validation as tfdv
        from google.protobuf import text_format

        schema = None
        for split in json.loads(statistics.properties['split_names']):
            file = pathlib.Path(statistics.uri, f'Split-{split}', 'FeatureStats.pb')
            of_split = tfdv.load_stats_binary(str(file))
            schema = tfdv.update_schema(schema, of_split) if schema else tfdv.infer_schema(of_split)
        return str(text_format.MessageToString(schema, as_utf8=True))


def merge(curated_text: str, inferred_text: str) -> str:
    """Merges the curated rules, inferred ones for all other features, and the labels.

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


def _label_values(schema: Any, label: Any) -> list[str]:
    if label.WhichOneof('domain_info') == 'string_domain':
        return sorted(label.string_domain.value)
    return sorted(next((d.value for d in schema.string_domain if d.name == label.domain), []))

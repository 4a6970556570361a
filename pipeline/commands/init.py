"""`thawline init`: a commented project file for somebody's own images, from a quick scan."""

from __future__ import annotations

import collections
import os
import pathlib
import re
import string
from collections.abc import Mapping

import click
import yaml

from thawline.components import backbones
from thawline.components.ingestion import sources
from thawline.components.ingestion.source_types import Listing, SourceSpec
from thawline.components.shared.errors import ConfigError
from thawline.components.training import params
from thawline.pipeline.config import loading

_TEMPLATE = string.Template("""\
# A Thawline project. Keys that are left out have sensible values; see the config reference in the
# README. Check and run it with:
#
#   thawline run $file
#
name: $name

data:
  # $found
  source: $source
  # Images with the same match are never in two splits (a patient, a part, a place):
  # group_pattern: '^[^/]+/(\\d+)_'
$columns$split
data_gate:
  min_images_per_class: $minimum
  # Largest share of files that may be unusable before the run stops:
  max_quarantined: 0.05

preprocessing:
  # stretch, crop (centre) or letterbox; $shapes
  resize: stretch
  image_size: $size

model:
  # One of: $backbones
  backbone: $backbone
  # imagenet (downloaded once), package (efficientnet_lite0, offline), or a weights file:
  weights: $weights

training:
  seed: 0
  # auto: as much as val shows that the images bear. Or none, flip, flips, light, standard, strong,
  # trivial; any_orientation (as flips) is for pictures without an up.
  augmentation: auto
  fine_tune:
    epochs: $epochs

gate:
  # The lower end of the 95 % interval of val accuracy must reach this. The largest class alone
  # would give $majority.
  val_accuracy: $threshold
""")


def project_name(folder: pathlib.Path) -> str:
    """A valid project name from a folder's name."""
    name = re.sub(r'[^a-z0-9_-]+', '_', folder.resolve().name.lower()).strip('_-')
    return name[:63] or 'project'


def scan(listing: Listing) -> Mapping[str, int]:
    """Images a class, largest first."""
    counts = collections.Counter(item.label or '' for item in listing.items)
    return dict(counts.most_common())


def _base() -> tuple[str, str]:
    """A base whose weights are here already, else the default, whose weights are downloaded."""
    for name, weights in (('efficientnet_lite0', 'package'), ('mobilenet_v2', 'imagenet')):
        if backbones.availability(name).get(weights, '').startswith('present'):
            return name, weights
    return 'mobilenet_v2', 'imagenet'


def render(name: str, source: str, listing: Listing, file: str) -> str:
    """The text of the project file."""
    counts = scan(listing)
    total = sum(counts.values())
    majority = max(counts.values()) / total if total else 0.0
    given = {item.split for item in listing.items} - {None}
    classes = ', '.join(f'{label} {n:,}' for label, n in list(counts.items())[:8])
    more = f' and {len(counts) - 8} more' if len(counts) > 8 else ''
    backbone, weights = _base()
    kept = ', '.join(sorted(str(split) for split in given))
    split = (
        f'  # The splits that the source gives are kept: {kept}.\n'
        if given
        else '  split: {train: 0.7, val: 0.15, test: 0.15, seed: 0}\n'
    )
    columns = (
        '  # A column or feature with the probability that the label is right, if there is one:\n'
        '  # columns: {confidence: agreement}\n'
        if sources.detect_format(SourceSpec(source)) in ('csv', 'tfrecord')
        else ''
    )
    return _TEMPLATE.substitute(
        file=file,
        name=name,
        found=f'Found {total:,} images in {len(counts)} classes: {classes}{more}'
        if total
        else 'TFRecord files; their images are counted when they are read.',
        source=yaml.safe_dump(source, width=1000).splitlines()[0],
        columns=columns,
        split=split,
        minimum=max(1, min(10, min(counts.values(), default=10))),
        shapes='stretch is right for most',
        size=backbones.entry(backbone).default_size,
        backbones=', '.join(backbones.names()),
        backbone=backbone,
        weights=weights,
        epochs=params.FineTune().epochs,
        majority=f'{majority:.2f}',
        # Halfway between the trivial answer and perfection: a start, to be set with care.
        threshold=f'{(1 + majority) / 2:.2f}',
    )


def write(folder: pathlib.Path, data: str, force: bool) -> None:
    """Scans `data` and writes `folder`/thawline.yaml.

    Raises:
        ConfigError: the file exists already.
        DataError: the images cannot be used as they are.
    """
    target = folder / loading.PROJECT_FILE
    if target.exists() and not force:
        raise ConfigError(f'{target} exists; edit it, or replace it with --force')
    local = '://' not in data and not data.startswith('package:')
    located = str(pathlib.Path(data).expanduser().resolve()) if local else data
    listing = sources.list_source(SourceSpec(source=located))
    folder.mkdir(parents=True, exist_ok=True)
    # Relative where the data lie inside the project, so that the project can be moved as a whole.
    inside = local and pathlib.Path(located).is_relative_to(folder.resolve())
    source = os.path.relpath(located, folder.resolve()) if inside else located
    text = render(project_name(folder), source, listing, str(target))
    loading.parse(text, str(target))  # what is written must be readable
    target.write_text(text, 'utf-8')
    for note in listing.notes:
        click.echo(f'note: {note}')
    counts = scan(listing)
    click.echo(f'{sum(counts.values()):,} images in {len(counts)} classes')
    click.echo(f'wrote {target}; look through it, then: thawline run {target}')

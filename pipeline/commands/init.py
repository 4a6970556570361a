"""`thawline init`: a commented project file for your own images, from a quick scan."""

from __future__ import annotations

import collections
import math
import os
import pathlib
import re
import shlex
import string
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
import yaml

from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError, DataError
from thawline.components.shared.percentages import percent
from thawline.pipeline.commands.arguments import PATH
from thawline.pipeline.terminal.console import echo

if TYPE_CHECKING:
    from thawline.components.ingestion.source_types import Listing
    from thawline.pipeline.config.config import Config

_TEMPLATE = string.Template("""\
# A Thawline project. Omitted keys have sensible defaults; docs/config.md lists them all. Run it:
#
#   thawline run $file
#
name: $name

data:
  # $summary
  $source
$layout  # Keep images of the same patient, part or place in one split, if their paths match alike:
  # group_pattern: '^[^/]+/(\\d+)_'
$columns$split
data_gate:
  min_images_per_class: $minimum
  # The run stops if a larger share of the files is unusable:
  max_quarantined: 0.05

preprocessing:
  # stretch, crop (centre) or letterbox; stretch is right for most images.
  resize: stretch
  image_size: $size

model:
$backbones
  backbone: $backbone
  # imagenet (downloaded once), package (efficientnet_lite0, offline), or a weights file:
  weights: $weights

training:
  seed: 0
  # auto: standard, or less if standard lowers accuracy on val. Or none, flip, flips, light,
  # standard, strong, trivial; any_orientation (like flips) is for images without a fixed upright.
  augmentation: auto
  fine_tune:
    epochs: $epochs

gate:
  # A model is blessed if the lower end of the 95 % interval of its val accuracy reaches this.
  # Always answering the largest class would score $majority.
  val_accuracy: $threshold
""")


_SHOWN = 12
_CHOSEN = {'path', 'label', 'labels', 'labeller'}  # columns
_KINDS = {
    'folder': 'a folder of images', 'csv': 'a table of images', 'tfrecord': 'TFRecords',
    'coco': 'boxes in COCO', 'yolo': 'boxes in YOLO', 'package': 'a package of images',
    'huggingface': 'an image folder of Hugging Face', 'roboflow': "Roboflow's _classes.csv",
    'label-studio': 'an export of Label Studio', 'cvat': 'an export of CVAT',
}  # fmt: skip


@click.command()
@click.argument('folder', type=PATH)
@click.option(
    '--data',
    required=True,
    help='Images or a list of them: a folder, a table, boxes, an export; see docs/sources.md.',
)
@click.option(
    '--layout',
    type=click.Choice(['auto', 'classes', 'splits']),
    default='auto',
    help='What the folders on the first level are; default: found out from what they hold.',
)
@click.option(
    '--root',
    help='Folder that the paths of a table, of COCO or of an export begin in; default: its own.',
)
@click.option(
    '--path-column', help='Column of a table with the path of the image; default: guessed.'
)
@click.option(
    '--label-column',
    multiple=True,
    help='Column of a table with the class; default: guessed. Once for each of several labellers.',
)
@click.option('--force', is_flag=True, help='Replace an existing thawline.yaml.')
def command(
    folder: pathlib.Path,
    data: str,
    layout: str,
    root: str | None,
    path_column: str | None,
    label_column: tuple[str, ...],
    force: bool,
) -> None:
    """Write a commented thawline.yaml for your own images."""
    import pydantic

    from thawline.components.ingestion import sources
    from thawline.components.ingestion.params import Columns
    from thawline.components.ingestion.source_types import SourceSpec
    from thawline.pipeline.config import loading
    from thawline.pipeline.config.errors import explain
    from thawline.pipeline.runners import checks

    target = folder / loading.PROJECT_FILE
    if target.exists() and not force:
        raise ConfigError(f'{target} exists; edit it, or replace it with --force')
    if not data.strip():
        raise ConfigError(f'--data must name a folder or file. Received: {data!r}.')
    located = _in_full(data)
    images = None if root is None else _in_full(root)
    named: dict[str, Any] = {'path': path_column, 'label': next(iter(label_column), None)}
    if len(label_column) > 1:
        named = {'path': path_column, 'labels': label_column}
    try:
        columns = Columns.model_validate({k: v for k, v in named.items() if v is not None})
    except pydantic.ValidationError as error:
        raise ConfigError(explain(error, Columns, '--label-column')) from error
    spec = SourceSpec(source=located, root=images, columns=columns, layout=layout)
    kind = sources.detect_format(spec)
    listing = sources.list_source(spec)
    places = {'source': _as_written(located, folder)}
    if images is not None:
        places['root'] = _as_written(images, folder)
    text = _render(_project_name(folder), places, kind, layout, listing, str(target))
    loading.parse(text, str(target))  # it must be readable
    files.write_text(target, text)
    echo(f'{data} is read as {_KINDS[kind]}')
    for line in _tree(listing):
        echo(line)
    for note in (*listing.notes, *listing.label_notes):
        echo(f'note: {note}')
    try:
        checks.check_output((folder / 'runs').resolve())
    except ConfigError as error:
        echo(f'note: {error}')
    counts = _class_counts(listing)
    echo(f'{sum(counts.values()):,} images in {len(counts)} classes')
    echo(f'wrote {target}')
    where = '' if folder == pathlib.Path() else f' {shlex.quote(str(folder))}'
    if line := _outlook(loading.parse(text, str(target)), listing, where):
        echo(line)
    echo(f'next  review it, then: thawline run{where}')


def _outlook(config: Config, listing: Listing, where: str) -> str:
    """What a model must be right on to pass the gate that is written; '' where no one can say."""
    from thawline.pipeline.planning import judges, power

    threshold = config.gate.val_accuracy
    try:
        judging = judges.judges_of_items(config.data.split, listing.items).judging
    except DataError:  # the run says what is missing
        return ''
    least = power.accuracy_for(0.8, judging, threshold, judges.confidence_of(config.gate))
    if least is None:
        return (
            f'with {judging:,} to judge by, no model can pass the gate; see: thawline plan{where}'
        )
    return (
        f'to pass the gate ({percent(threshold, 0)}) in 4 of 5 cases, a model must be right on '
        f'{percent(least, 0)}; more: thawline plan{where}'
    )


def _in_full(path: str) -> str:
    """A local path in full; URLs and packages as they are."""
    local = '://' not in path and not path.startswith('package:')
    return str(pathlib.Path(path).expanduser().resolve()) if local else path


def _as_written(path: str, folder: pathlib.Path) -> str:
    """Relative if it is inside the project, so that the project can be moved as a whole."""
    inside = '://' not in path and pathlib.Path(path).is_relative_to(folder.resolve())
    return os.path.relpath(path, folder.resolve()) if inside else path


def _tree(listing: Listing) -> list[str]:
    """How folders were read, a line a class folder; nothing for other sources."""
    folders: collections.Counter[tuple[str, str, str]] = collections.Counter()
    for item in listing.items:
        above, slash, _ = f'/{item.relative_path}'.partition(f'/{item.label}/')
        if slash:
            folders[f'{above}/{item.label}/'[1:], item.label or '', item.split or ''] += 1
    width = max((len(path) for path, *_ in folders), default=0)
    lines = [
        f'  {path:<{width}}  {images:>7,} images  class {label}{split and f", {split}"}'
        for (path, label, split), images in sorted(folders.items())
    ]
    more = len(lines) - _SHOWN
    return lines if more <= 0 else [*lines[:_SHOWN], f'  and {more:,} more folders']


def _project_name(folder: pathlib.Path) -> str:
    name = re.sub(r'[^a-z0-9_-]+', '_', folder.resolve().name.lower()).strip('_-')
    return name[:63] or 'project'


def _class_counts(listing: Listing) -> Mapping[str, int]:
    """Images per class, largest first."""
    return dict(collections.Counter(item.label or '' for item in listing.items).most_common())


def _backbone_and_weights() -> tuple[str, str]:
    """A backbone whose weights are on this machine, else the default, whose are downloaded."""
    from thawline.components import backbones

    for name, weights in (('efficientnet_lite0', 'package'), ('mobilenet_v2', 'imagenet')):
        if backbones.availability(name).get(weights, '').startswith('present'):
            return name, weights
    return 'mobilenet_v2', 'imagenet'


def _yaml(value: Any, flow: bool = False) -> str:
    """On one line, and as people write it: with é for é."""
    return yaml.safe_dump(
        value, default_flow_style=flow, width=math.inf, allow_unicode=True, sort_keys=flow
    )


def _columns(listing: Listing, may_have_confidence: bool) -> str:
    """The columns that have other names than the defaults, as YAML."""
    columns = listing.columns
    chosen: dict[str, Any] = {}
    if columns:
        chosen = columns.model_dump(include=_CHOSEN, exclude_defaults=True, mode='json')

    def line(names: Mapping[str, Any]) -> str:
        return f'columns: {_yaml(names, flow=True)}'

    if {'labels', 'labeller'} & chosen.keys():
        return f'  # Labels by several people: most of them decide.\n  {line(chosen)}'
    if not may_have_confidence:
        return f'  {line(chosen)}' if chosen else ''
    text = '  # A column or feature with the probability that the label is right, if any:\n'
    text += f'  # {line({**chosen, "confidence": "agreement"})}'
    return f'{text}  {line(chosen)}' if chosen else text


# Where few images would be left to judge by, all of them judge.
_FOLDS = """\
  # auto: up to some 2,000 images are judged in folds, each by a training that never saw it.
  # 0: one split into train, val and test; fine-tuning then takes a fraction of the time.
  split: {folds: auto, seed: 0}
"""


def _boxes() -> str:
    """How boxes are cut out, as YAML."""
    from thawline.components.ingestion.params import Boxes

    values = _yaml(Boxes().model_dump(), flow=True)
    return (
        '  # What is kept around a box, as a share of its sides, and the smallest one in pixels:\n'
        f'  boxes: {values}'
    )


def _render(
    name: str, places: Mapping[str, str], kind: str, layout: str, listing: Listing, file: str
) -> str:
    from thawline.components import backbones
    from thawline.components.training import params

    counts = _class_counts(listing)
    total = sum(counts.values())
    majority = max(counts.values()) / total if total else 0.0
    classes = ', '.join(f'{label} {n:,}' for label, n in list(counts.items())[:8])
    more = f' and {len(counts) - 8} more' if len(counts) > 8 else ''
    splits = ', '.join(sorted(str(split) for split in {i.split for i in listing.items} - {None}))
    settings = ''
    if any(item.box for item in listing.items):
        settings = _boxes()
    elif listing.columns or kind == 'tfrecord':
        settings = _columns(listing, kind in ('csv', 'tfrecord'))
    backbone, weights = _backbone_and_weights()
    return _TEMPLATE.substitute(
        file=shlex.quote(file),
        name=_yaml(name).splitlines()[0],
        layout='' if layout == 'auto' else f'  layout: {layout}\n',
        summary=f'{total:,} images in {len(counts)} classes: {classes}{more}'
        if total
        else 'TFRecord files; their images are counted when they are read.',
        source=_yaml(dict(places)).strip().replace('\n', '\n  '),
        columns=settings,
        split=(f'  # The source defines the splits: {splits}.\n' if splits else _FOLDS),
        minimum=max(1, min(10, min(counts.values(), default=10))),
        size=backbones.entry(backbone).default_size,
        backbones=textwrap.fill(
            f'One of: {", ".join(backbones.names())}',
            width=96,
            initial_indent='  # ',
            subsequent_indent='  # ',
            break_on_hyphens=False,
        ),
        backbone=backbone,
        weights=weights,
        epochs=params.FineTune().epochs,
        majority=f'{majority:.2f}',
        # Halfway between the trivial answer and perfection: a starting point for the user.
        threshold=f'{(1 + majority) / 2:.2f}',
    )

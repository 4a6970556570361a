"""Image sets that come as an installed Python package."""

from __future__ import annotations

import importlib.metadata
import pathlib

from thawline.components.ingestion import labels, storage
from thawline.components.ingestion.quarantine import MISSING_FILE, Rejected
from thawline.components.ingestion.source_types import (
    PACKAGE_PREFIX,
    Listing,
    SourceItem,
    SourceSpec,
)
from thawline.components.shared.errors import ConfigError, DataError

_ELPV = 'elpv_dataset'


def read(spec: SourceSpec) -> Listing:
    """Lists the images of a package: 'package:elpv_dataset'.

    Raises:
      ConfigError: a package that is not known here, or not installed.
      DataError: its files are not as expected.
    """
    name = spec.source.removeprefix(PACKAGE_PREFIX).strip().replace('-', '_')
    if name != _ELPV:
        raise ConfigError(
            f'data.source names a package that is not known: {spec.source!r}. '
            f'Known: {PACKAGE_PREFIX}{_ELPV}.'
        )
    return _solar_cells(_data_folder(name))


def _data_folder(name: str) -> pathlib.Path:
    distribution = name.replace('_', '-')
    try:
        files = importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        raise ConfigError(
            f'data.source is {PACKAGE_PREFIX}{name}, but the package is not installed. '
            f'Install it with: pip install {distribution}'
        ) from None
    return pathlib.Path(str(files.locate_file(f'{name}/data')))


def _solar_cells(folder: pathlib.Path) -> Listing:
    """2,624 photovoltaic cells (Deitsch et al. 2019), with the probability that one is defective.

    A cell is 'defective' above a probability of 0.5, else 'functional': experts disagree on the
    cells in between (1/3 and 2/3), and this side of the coin is the one most of them took. How many
    took it is the label's confidence.
    Each line of labels.csv has a path, a probability and a module type, parted by spaces.
    """
    table = folder / 'labels.csv'
    try:
        content = table.read_bytes()
    except OSError as error:
        raise DataError(f'{table} cannot be read: {error.strerror}. Reinstall {_ELPV}.') from error
    entries = {e.relative: e for e in storage.tree(str(folder)).entries}
    items, rejected = [], []
    for number, line in enumerate(content.decode().splitlines(), 1):
        cells = line.split()
        if not cells:
            continue
        try:
            path, probability, module_type = cells
            defective = float(probability)
            confidence = labels.confidence(str(max(defective, 1.0 - defective)))
        except ValueError as error:
            raise DataError(
                f'{table}, line {number}: expected path, probability and type. Received: {line!r}.'
            ) from error
        if path not in entries:
            rejected.append(Rejected(path, MISSING_FILE, f'line {number} of labels.csv'))
            continue
        metadata = {'probability': probability, 'module_type': module_type}
        label = 'defective' if defective > 0.5 else 'functional'
        items.append(
            SourceItem(entries[path].path, path, label, metadata=metadata, confidence=confidence)
        )
    files = tuple(entries[item.relative_path] for item in items)
    return Listing(tuple(items), tuple(rejected), (), files=files, manifest=content)

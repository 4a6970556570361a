"""What there is to predict: images of folders, of CSV lists and of TFRecords, and single files.

Labels are not asked for and, where there are some, not looked at. An image is named as one would
open it from where the command runs: the source as it was given, and the path below it. Names are
therefore different for different files, also of several sources.

Names only are read here, never pixels; neither TensorFlow nor, for local paths, Beam is needed.
"""

from __future__ import annotations

import dataclasses
import glob
import os
import posixpath
from collections.abc import Collection, Iterator, Sequence

from thawline.components.ingestion import (
    manifest_columns,
    manifest_files,
    manifest_table,
    storage,
    tfrecord,
)
from thawline.components.ingestion import quarantine as reasons
from thawline.components.ingestion.folder import IMAGE_SUFFIXES, OTHER_IMAGE_SUFFIXES
from thawline.components.ingestion.params import Columns
from thawline.components.ingestion.quarantine import Rejected
from thawline.components.ingestion.source_types import Listing, SourceItem, SourceSpec, is_utf8
from thawline.components.shared.errors import ConfigError, DataError, from_os_error

# A name that no feature of an example has: which split or group it was in does not matter.
_NONE = ' '


@dataclasses.dataclass(frozen=True, order=True)
class Item:
    """One image, or one TFRecord file.

    Attributes:
        name: what it is called.
        path: the file.
        stamp: changes with the file.
    """

    name: str
    path: str
    stamp: str = dataclasses.field(default='', compare=False)


@dataclasses.dataclass(frozen=True)
class UnlabelledListing:
    """All that was named.

    Attributes:
        items: images in files of their own, by name.
        records: TFRecord files, by name; how many images they hold is only known when they are
            read.
        rejected: what is known to be no image before it is read.
    """

    items: tuple[Item, ...]
    records: tuple[Item, ...]
    rejected: tuple[Rejected, ...]


def anywhere(listing: UnlabelledListing) -> UnlabelledListing:
    """The same with full paths, for workers whose working folder is another one."""
    return dataclasses.replace(
        listing,
        items=tuple(_full(item) for item in listing.items),
        records=tuple(_full(item) for item in listing.records),
    )


def _full(item: Item) -> Item:
    path = item.path if '://' in item.path else os.path.abspath(item.path)
    return dataclasses.replace(item, path=path)


def to_ingest(listing: UnlabelledListing) -> Listing:
    """The same as ingestion lists it."""
    items, records = (
        tuple(storage.Entry(item.path, item.name, 0, item.stamp) for item in part)
        for part in (listing.items, listing.records)
    )
    return Listing(
        tuple(SourceItem(item.path, item.relative) for item in items),
        listing.rejected,
        (),
        records,
        files=(*items, *records),
    )


def of_sources(
    sources: Sequence[str], columns: Columns, leave_out: Collection[str] = ()
) -> UnlabelledListing:
    """Lists all sources.

    Args:
        sources: folders, CSV lists with a column of paths, TFRecord files (a pattern is fine) and
            images; local or any URL that Beam has a file system for.
        columns: `path` is the column of a CSV, `image` the feature of an example.
        leave_out: absolute paths of files that are no part of the sources, although they may lie
            in one: what is about to be written.

    Raises:
        ConfigError: no source.
        DataError: a source cannot be read, or there is nothing in all of them.
    """
    if not sources:
        raise ConfigError('name at least one folder, CSV, TFRecord file or image')
    items: dict[str, Item] = {}
    records: dict[str, Item] = {}
    rejected: set[Rejected] = set()
    for source in sources:
        for entry in _of_source(source, columns):
            if isinstance(entry, Rejected):
                rejected.add(entry)
            elif storage.absolute(entry.path) in leave_out:
                continue
            elif not is_utf8(entry.name):
                rejected.add(Rejected(_shown(entry.name), reasons.BAD_NAME, 'rename the file'))
            elif isinstance(entry, _Record):
                records[entry.name] = Item(entry.name, entry.path, entry.stamp)
            else:
                items[entry.name] = entry
    rejected = {r for r in rejected if storage.absolute(r.path) not in leave_out}
    if not items and not records:
        why = f': {reasons.in_words(rejected)}' if rejected else ''
        raise DataError(
            f'no images in {", ".join(map(str, sources))}{why}. Images are recognised by their '
            f'suffix: {", ".join(sorted(IMAGE_SUFFIXES))}.'
        )
    return UnlabelledListing(
        tuple(sorted(items.values())), tuple(sorted(records.values())), tuple(sorted(rejected))
    )


class _Record(Item):
    """A TFRecord file."""


def without_labels(columns: Columns) -> Columns:
    """The same names, with no label, split or group to be looked for in examples."""
    return Columns(
        path=columns.path, image=columns.image, label='', split=_NONE, group=_NONE, metadata=()
    )


def _of_source(source: str, columns: Columns) -> Iterator[Item | Rejected]:
    name = posixpath.basename(source.rstrip('/')).lower()
    if not name.strip():
        raise ConfigError(f'a source must name a folder or file. Received: {source!r}.')
    if storage.is_remote(source):
        is_folder = False
    else:
        source = os.path.expanduser(source)
        is_folder = os.path.isdir(source)
        # Brackets are no pattern in the name of a file that is there, as browsers save them.
        if glob.has_magic(source) and not os.path.lexists(source):
            yield from _of_pattern(source, columns)
            return
    if name.endswith(('.csv', '.tsv')) and not is_folder:
        yield from _of_list(source, columns)
    elif 'tfrec' in name and not is_folder:
        yield from _of_records(source)
    elif is_folder or (entry := storage.stat(storage.absolute(source))) is None:
        yield from _of_folder(source)
    else:
        yield Item(source, entry.path, _stamp(entry))


def _of_pattern(pattern: str, columns: Columns) -> Iterator[Item | Rejected]:
    """Whatever a pattern of the local disk matches, as a shell would have named it."""
    paths = sorted(glob.glob(pattern, recursive=True))
    if not paths:
        raise DataError(f'no file matches {pattern}.')
    for source in paths:
        yield from _of_source(source, columns)


def _of_folder(source: str) -> Iterator[Item | Rejected]:
    entries = storage.tree(storage.absolute(source)).entries
    kinds = {entry.relative: _suffix(entry.relative) for entry in entries}
    if entries and all('tfrec' in posixpath.basename(entry.relative) for entry in entries):
        yield from _of_records(source)
        return
    for entry in entries:
        name = _named(source, entry.relative)
        kind = kinds[entry.relative]
        # A name without a suffix may be an image; its content will tell.
        if not kind or kind in IMAGE_SUFFIXES:
            yield Item(name, entry.path, _stamp(entry))
        elif kind in OTHER_IMAGE_SUFFIXES:
            yield Rejected(_shown(name), reasons.UNSUPPORTED, f'.{kind}')
        else:
            yield Rejected(_shown(name), reasons.NOT_AN_IMAGE, f'by its suffix .{kind}')


def _of_list(source: str, columns: Columns) -> Iterator[Item | Rejected]:
    """Rows of a CSV; those that name one file several times are one image."""
    path = storage.absolute(source)
    folder = storage.parent(path)
    if storage.stat(path) is None:
        raise storage.missing_error(path, 'The file')
    try:
        content = storage.read(path)
    except OSError as error:
        raise from_os_error(error, f'{source} cannot be read', DataError) from error
    table = manifest_table.parse(content, source)
    columns_of_list = Columns(path=columns.path, label='', metadata=())
    column = manifest_columns.resolve_columns(table, columns_of_list, source)[0].path
    here = _named_folder(source)
    for line, why in table.malformed:
        yield Rejected(f'{source}:{line}', reasons.MALFORMED_ROW, why)
    files = manifest_files.ManifestFiles(folder)  # as ingestion finds them
    for line, cells in table.rows:
        written = cells[column].strip()
        file = files.find(written)
        if isinstance(file, str):
            named = _named(here, written) if written else f'{source}:{line}'
            yield Rejected(_shown(named), file, f'line {line} of {source}')
        else:
            yield Item(_named(here, file.relative), file.path, _stamp(file))


def _of_records(source: str) -> Iterator[Item]:
    """A file, the files of a folder, or those that a pattern of a bucket matches."""
    root = storage.absolute(source)
    for entry in tfrecord.read(SourceSpec(source, 'tfrecord')).record_files:
        below = entry.path.removeprefix(root).lstrip('/') if entry.path != root else ''
        name = _named(source, below) if below and not storage.is_remote(source) else source
        yield _Record(entry.path if storage.is_remote(source) else name, entry.path, _stamp(entry))


def _stamp(entry: storage.Entry) -> str:
    return f'{entry.size} {entry.stamp}'


def _named_folder(source: str) -> str:
    """The folder of a file as one names it from here: `data/list.csv` -> `data`."""
    return source.rpartition('/')[0] if '/' in source else ''


def _named(folder: str, relative: str) -> str:
    if not folder:
        return relative
    return f'{folder.rstrip("/") or "/"}{"" if folder == "/" else "/"}{relative}'


def _shown(name: str) -> str:
    return name.encode('utf-8', 'backslashreplace').decode()


def _suffix(path: str) -> str:
    name = path.rpartition('/')[2]
    return name.rpartition('.')[2].lower() if '.' in name else ''

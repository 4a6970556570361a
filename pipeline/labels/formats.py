"""Writes a queue in the format of a tool, and reads what the tool exports."""

from __future__ import annotations

import json
import pathlib
import shutil
import zipfile
from collections.abc import Collection, Sequence

from thawline.components.ingestion import label_studio_export
from thawline.components.shared import files
from thawline.components.shared.errors import ConfigError, DataError, NotFound, from_os_error
from thawline.components.shared.text import counted
from thawline.pipeline.labels import csv_table, cvat, fiftyone, label_studio
from thawline.pipeline.labels.exchange import Answer, QueuedImage

_DEFAULT_NAMES = {
    'label-studio': 'queue.json', 'cvat': 'queue-cvat', 'fiftyone': 'queue-fiftyone',
    'csv': 'queue.csv',
}  # fmt: skip
_ANNOTATIONS, _LABELS = 'annotations.xml', 'labels.json'
_MOST_BYTES = 2**30  # unpacked, of a file within a zip


def default_name(kind: str) -> str:
    return _DEFAULT_NAMES[kind]


def needs_pictures(kind: str) -> bool:
    return kind != 'csv'


def write(
    kind: str,
    queue: Sequence[QueuedImage],
    classes: Sequence[str],
    out: pathlib.Path,
    imported: Collection[str],
) -> None:
    """Writes the queue to `out`, which appears when it is whole; folders must not exist.

    Args:
        kind: of tool.
        queue: the images.
        classes: that an image can have.
        out: a file or folder.
        imported: ids of images whose answers were imported; a file with others is not replaced.

    Raises:
        ConfigError: the folder exists, or a file that has answers, or is no queue.
        UserError: it cannot be written.
    """
    is_file = kind in ('csv', 'label-studio')
    if is_file and (out.is_dir() or out.suffix == '.xml'):
        raise ConfigError(f'{out} is no name for the file {default_name(kind)}; name another one')
    if is_file and out.exists():
        _check_replaceable(kind, out, imported)
    if kind == 'csv':
        files.write_text(out, csv_table.table(queue))
    elif kind == 'label-studio':
        files.write_text(out.with_suffix('.xml'), label_studio.labelling_config(classes))
        files.write_text(out, label_studio.tasks(queue))
    else:
        if out.exists():
            raise ConfigError(f'{out} exists; delete it, or name another folder with --out')
        draft = out.with_name(f'.{out.name}-unfinished')
        with files.write_errors(out):
            shutil.rmtree(draft, ignore_errors=True)
            draft.mkdir(parents=True)
            _write_folder(kind, queue, classes, draft)
            draft.rename(out)


def _check_replaceable(kind: str, out: pathlib.Path, imported: Collection[str]) -> None:
    """That no answer is lost with a file."""
    other = 'name another file with --out'
    read = csv_table.read_queue if kind == 'csv' else label_studio.read_queue
    with files.write_errors(out):
        content = out.read_bytes()
    try:
        lost = [answer for answer in read(content, str(out)) if answer.image_id not in imported]
    except DataError as error:
        raise ConfigError(f'{out} exists and is no queue ({error}); {other}') from error
    if lost:
        raise ConfigError(
            f'{out} has {counted(len(lost), "answer", "answers")} that would be lost; take them '
            f'first with thawline labels import, or {other}'
        )


def _write_folder(
    kind: str, queue: Sequence[QueuedImage], classes: Sequence[str], folder: pathlib.Path
) -> None:
    if kind == 'cvat':
        with zipfile.ZipFile(folder / 'images.zip', 'w') as archive:
            for position, image in enumerate(queue):
                archive.writestr(cvat.file_name(position, image), image.encoded)
        (folder / _ANNOTATIONS).write_text(cvat.annotations_xml(queue), 'utf-8')
        (folder / 'task_labels.json').write_text(cvat.label_constructor(classes), 'utf-8')
        return
    (folder / 'data').mkdir()
    for image in queue:
        (folder / 'data' / f'{image.image_id}{image.suffix}').write_bytes(image.encoded)
    (folder / _LABELS).write_text(fiftyone.labels_json(queue, classes), 'utf-8')


def read(path: pathlib.Path, kind: str | None = None) -> list[Answer]:
    """The answers in a file or folder, one an image.

    Args:
        path: what a tool exported; also a zip of it.
        kind: one of `FORMATS`; None: found out.

    Raises:
        NotFound: it does not exist.
        DataError: it is damaged, of no known format, without an answer, or answers an image in two
            ways.
    """
    try:
        answers = _read(path, kind)
    except FileNotFoundError as error:
        raise NotFound(f'there is no file {path}') from error
    except zipfile.BadZipFile as error:
        raise DataError(f'{path} is a damaged zip: {error}. Export it again.') from error
    except OSError as error:
        raise from_os_error(error, f'{path} cannot be read', DataError) from error
    if not answers:
        raise DataError(
            f'{path} has no answer: no image in it has a label. Export from the tool what was '
            'labelled there; in a CSV, fill in new_label.'
        )
    by_id: dict[str, Answer] = {}
    for answer in answers:
        earlier = by_id.setdefault(answer.image_id, answer)
        if earlier.label != answer.label:
            raise DataError(
                f'The image {answer.image_id} has two labels: {earlier.label!r} ({earlier.where}) '
                f'and {answer.label!r} ({answer.where}). Agree on one, and export again.'
            )
    return list(by_id.values())


def _read(path: pathlib.Path, kind: str | None) -> list[Answer]:
    if path.is_dir():
        if (path / _LABELS).is_file():
            return _parse(_LABELS, (path / _LABELS).read_bytes(), kind)
        if (path / _ANNOTATIONS).is_file():
            return _parse(_ANNOTATIONS, (path / _ANNOTATIONS).read_bytes(), kind)
        names = [str(p.relative_to(path).as_posix()) for p in path.rglob('*') if p.is_file()]
        return list(fiftyone.read_tree(names, path.name))
    content = path.read_bytes()
    if not content.startswith(b'PK\x03\x04'):
        return _parse(path.name, content, kind)
    with zipfile.ZipFile(path) as archive:
        entries = {info.filename: info for info in archive.infolist() if not info.is_dir()}
        for name in (_ANNOTATIONS, _LABELS):
            inner = next((n for n in entries if n.rpartition('/')[2] == name), None)
            if inner is not None:
                if entries[inner].file_size > _MOST_BYTES:
                    raise DataError(f'{path}: {inner} is larger than 1 GB.')
                return _parse(inner, archive.read(inner), kind)
        return list(fiftyone.read_tree(entries, path.name))


def _parse(name: str, content: bytes, kind: str | None) -> list[Answer]:
    start = content.lstrip(b'\xef\xbb\xbf \r\n\t')[:1]
    if kind == 'cvat' or (kind is None and start == b'<'):
        return list(cvat.read(content, name))
    if kind == 'csv' or (kind is None and start not in (b'[', b'{')):
        return list(csv_table.read(content, name))
    try:
        parsed = json.loads(content)
    except ValueError as error:
        raise DataError(f'{name} is damaged JSON: {error}. Export it again.') from error
    if label_studio_export.is_export(parsed) and kind != 'fiftyone':
        return list(label_studio.read(parsed, name))
    if fiftyone.is_export(parsed) and kind != 'label-studio':
        return list(fiftyone.read(parsed, name))
    raise DataError(
        f'{name} is neither an export of Label Studio (JSON or JSON-MIN) nor a labels.json of '
        f'FiftyOne{"" if kind is None else f"; --from was {kind}"}.'
    )

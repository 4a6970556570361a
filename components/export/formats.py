"""Makes the formats beside the SavedModel, compares each with it, and places those that may go."""

from __future__ import annotations

import dataclasses
import json
import pathlib
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from thawline.components.evaluation.predictions import NOT_ASKED, Predictions
from thawline.components.export import (
    format_libraries,
    litert,
    onnx_format,
    parity,
    transformed_images,
)
from thawline.components.export.params import Kind
from thawline.components.export.record import Export
from thawline.components.saved_model import card
from thawline.components.saved_model.card import Card
from thawline.components.saved_model.runner import SavedModelRunner
from thawline.components.shared import progress
from thawline.components.shared.errors import DataError
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.shared.splits import VAL
from thawline.components.transform import examples

FOLDER = pathlib.Path('assets.extra', 'exports')
CARD = 'thawline.json'
_TIMED, _WARM_UP = 30, 5

Run = Callable[[np.ndarray], np.ndarray]


@dataclasses.dataclass(frozen=True)
class FormatSources:
    """What exports are made of.

    Attributes:
        model: folder of the SavedModel, in whose `assets.extra` they are placed.
        card: of it, complete.
        predictions: the SavedModel's answers to val, as evaluated.
        train_files, val_files: transformed examples.
        tolerance: most accuracy that may be lost.
    """

    model: pathlib.Path
    card: Card
    predictions: Predictions
    train_files: Sequence[str]
    val_files: Sequence[str]
    tolerance: float


def make(kinds: Sequence[Kind], sources: FormatSources) -> tuple[tuple[Export, ...], float | None]:
    """Makes all formats that were asked for.

    Returns:
        A record each; and the SavedModel's own latency, measured alike, None without formats.

    Raises:
        DataError: the evaluation and the transformed images have no val image in common.
    """
    if not kinds:
        return (), None
    loaded = SavedModelRunner(sources.model).module
    size = sources.card.image_size
    calibration = np.empty((0, size, size, 3), np.uint8)
    if 'litert_int8' in kinds:
        calibration = transformed_images.sample(
            sources.train_files, size, litert.CALIBRATION_IMAGES
        )
    sample = transformed_images.sample(sources.val_files, size, 1)
    if not len(sample):
        raise DataError('there is no transformed val image to compare an export on')
    exports = tuple(_make(kind, loaded, calibration, sample, sources) for kind in kinds)
    saved_model_ms = median_ms(
        lambda pixels: loaded.probabilities(tf.constant(pixels)).numpy(), sample
    )
    return exports, saved_model_ms


def _make(
    kind: Kind, loaded: Any, calibration: np.ndarray, sample: np.ndarray, sources: FormatSources
) -> Export:
    if lacking := format_libraries.missing_libraries(kind):
        return Export(kind, False, f'{", ".join(lacking)} is not installed')
    size = sources.card.image_size
    progress.start(f'exporting {kind}')
    library = onnx_format.library() if kind == 'onnx' else litert.library()
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder, onnx_format.FILE if kind == 'onnx' else litert.FILE)
        try:
            if kind == 'onnx':
                file.write_bytes(onnx_format.convert(loaded, size, card.values(sources.card)))
                run = onnx_format.runner(file)
            else:
                file.write_bytes(litert.convert(loaded, kind, size, calibration))
                run = litert.runner(file)
            compared = _compare(run, sources)
            latency = median_ms(run, sample)
        except DataError:
            raise
        except Exception as error:  # noqa: BLE001 - an operation that the format lacks is no crash
            reason = (str(error).strip() or repr(error)).splitlines()[0][:300]
            return Export(kind, False, f'it cannot be made: {reason}', library)
        difference = compared.difference
        placed, why = parity.verdict(compared, sources.tolerance)
        export = Export(
            kind,
            placed,
            why,
            library,
            file.stat().st_size / 1e6,
            latency,
            compared.images,
            compared.accuracy,
            None if difference is None else difference.value,
            None if difference is None else difference.lower,
            None if difference is None else difference.upper,
            compared.agreement,
            compared.largest_change if np.isfinite(compared.largest_change) else None,
        )
        if placed:
            _place(file, export, sources)
    return export


def _compare(run: Run, sources: FormatSources) -> parity.Parity:
    """Both on the val images that were evaluated, in the order of the transformed examples."""
    table, rule = sources.predictions, sources.card.rule
    rows = {
        str(name): row
        for row, (name, split) in enumerate(zip(table.ids, table.splits, strict=True))
        if split == VAL and table.served_answers[row] != NOT_ASKED
    }
    progress.start('val images through the export', len(rows))
    mine, places = [], []
    for batch in examples.read(sources.val_files, sources.card.image_size):
        names = [name.decode() for name in batch.ids]
        known = [i for i, name in enumerate(names) if name in rows]
        if known:
            mine.append(_run(run, batch, known))
            places += [rows[names[i]] for i in known]
        progress.advance(len(batch))
    if not places:
        raise DataError(
            'no val image of the transformed examples was evaluated; make both anew with: '
            'thawline run --no-cache'
        )
    probabilities = np.concatenate(mine)
    return parity.compare(
        probabilities,
        rule.chosen(probabilities),
        table.served_probabilities[places],
        table.served_answers[places],
        table.labels[places],
        table.labelled[places],
    )


def _run(run: Run, batch: LabelledSet, known: Sequence[int]) -> np.ndarray:
    """One image a call: a format for small devices is made for that."""
    return np.concatenate([run(batch.values[i : i + 1]) for i in known])


def median_ms(run: Run, image: np.ndarray) -> float:
    """Milliseconds of one image, uint8 [1, S, S, 3], after some calls to warm up."""
    seconds = []
    for turn in range(_WARM_UP + _TIMED):
        started = time.perf_counter()
        run(image)
        if turn >= _WARM_UP:
            seconds.append(time.perf_counter() - started)
    return 1000 * float(np.median(seconds))


def _place(file: pathlib.Path, export: Export, sources: FormatSources) -> None:
    """Puts the format into the model's folder, with a card of its own."""
    folder, size = sources.model / FOLDER / export.kind, sources.card.image_size
    folder.mkdir(parents=True)
    (folder / file.name).write_bytes(file.read_bytes())
    about = {
        **card.values(sources.card),
        'export': {
            **dataclasses.asdict(export),
            'file': file.name,
            'input': f'pixels uint8 [N, {size}, {size}, 3], RGB',
            'output': 'probabilities float32 [N, C], calibrated, in the order of classes',
        },
    }
    text = json.dumps(about, ensure_ascii=False, allow_nan=False, indent=1)
    (folder / CARD).write_text(text + '\n', 'utf-8')

"""Made-up reports of any size, with pictures that are drawn here; numbers agree with each other."""

from __future__ import annotations

import base64
import functools
import io

import numpy as np
from PIL import Image, ImageDraw

from tests import made_records
from thawline.components.evaluation.gate.counts import Counts, HitCount
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.verdict import judge
from thawline.components.report import changes_card, first_screen
from thawline.components.report.content import (
    BudgetRecord,
    CalibrationBin,
    ClassRow,
    ConfusionCell,
    EpochScores,
    Fact,
    FactCard,
    Gallery,
    LearningCurves,
    Neighbour,
    Picture,
    ReportContent,
    Slice,
    SplitResults,
    UnseenResults,
    Verdict,
)
from thawline.components.statistics import proportions
from thawline.components.statistics.paired_outcome import Difference

HOSTILE_CLASS = '"><img src=x onerror=alert(1)>'
HOSTILE = (
    HOSTILE_CLASS,
    '</script><script>alert(2)</script>',
    "it's `quoted` | piped",
    '🐝 emoji',
    'نحلة',
    '{{ 7 * 7 }}',
)
HOSTILE_PATH = (
    'a/"><img src=x onerror=alert(1)>\u202egpj.</script><script>alert(3)</script>\u2028.jpg'
)


@functools.cache
def thumbnail(seed: int, side: int = 96) -> str:
    """A drawn insect-like blob as the data URI of a JPEG."""
    generator = np.random.default_rng(seed)
    hue, ground = int(generator.integers(256)), int(generator.integers(256))
    image = Image.new('HSV', (side, side), (ground, 60, 190))
    draw = ImageDraw.Draw(image)
    x, y = (int(v) for v in generator.integers(side // 3, 2 * side // 3, 2))
    for i, radius in enumerate((0.09, 0.12, 0.17)):
        r = int(radius * side)
        cx = x + int((i - 1) * 0.2 * side)
        draw.ellipse((cx - r, y - r, cx + r, y + r), fill=(hue, 170, 60 + 30 * i))
    return _uri(image.convert('RGB'), 'JPEG')


@functools.cache
def overlay(seed: int, side: int = 96) -> str:
    """A warm spot with alpha as the data URI of a PNG."""
    generator = np.random.default_rng(seed)
    x, y = generator.integers(side // 3, 2 * side // 3, 2)
    rows, columns = np.mgrid[:side, :side]
    heat = np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * (side / 6) ** 2))
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[..., 0], pixels[..., 1], pixels[..., 3] = 230, 60, (150 * heat).astype(np.uint8)
    return _uri(Image.fromarray(pixels), 'PNG')


def _uri(image: Image.Image, kind: str) -> str:
    held = io.BytesIO()
    image.save(held, kind)
    return f'data:image/{kind.lower()};base64,{base64.b64encode(held.getvalue()).decode()}'


def _picture(
    key: str, names: tuple[str, ...], label: int, answer: int | None, path: str
) -> Picture:
    seed = int(key[1:])
    train = answer is None
    return Picture(
        id=key,
        path=path,
        split='train' if train else 'val',
        label=names[label],
        answer=None if answer is None else names[answer],
        score=None if train else 0.99 - (seed % 40) / 100,
        thumbnail=thumbnail(seed % 60),
        overlay='' if train else overlay(seed % 60),
        neighbours=() if train else tuple(Neighbour(f't{i}', 0.93 - i / 20) for i in range(4)),
        note='',
    )


def _part(
    name: str, names: tuple[str, ...], n: int, accuracy: float, baseline: bool, seed: int,
    values: int,
) -> SplitResults:  # fmt: skip
    generator = np.random.default_rng(seed)
    count = len(names)
    labels = np.arange(n) % count
    answers = labels.copy()
    wrong = generator.random(n) > accuracy
    shift = 1 + np.minimum(generator.geometric(0.5, n) - 1, max(count - 2, 0))
    answers[wrong] = (labels + shift)[wrong] % count
    right = answers == labels
    hits = int(right.sum())
    cells = []
    for label, answer in sorted(set(zip(labels.tolist(), answers.tolist(), strict=True))):
        size = int(((labels == label) & (answers == answer)).sum())
        shown = (f'p{(label * count + answer) % 40}',) if label != answer or count < 20 else ()
        cells.append(ConfusionCell(label, answer, size, shown))
    rows = []
    for position, one in enumerate(names):
        mine = labels == position
        found, said = int((mine & right).sum()), int((answers == position).sum())
        precision = found / said if said else None
        recall = proportions.wilson(found, int(mine.sum()))
        both = (precision or 0) + (recall.share or 0)
        f1 = 2 * (precision or 0) * (recall.share or 0) / both if both else None
        rows.append(
            ClassRow(one, int(mine.sum()), 4 * int(mine.sum()), precision, recall, f1, 0.97)
        )
    columns = {
        'class': [names[i] for i in labels],
        'brightness': generator.choice(['dark', 'middle', 'bright'], n).tolist(),
        'sharpness': generator.choice(['blurred', 'sharp'], n).tolist(),
        'meta_site': [f'site {i}' for i in generator.integers(values, size=n)],
    }
    slices = []
    for column, of_image in columns.items():
        for value in dict.fromkeys(of_image):
            mine = np.array([other == value for other in of_image])
            interval = proportions.wilson(int((mine & right).sum()), int(mine.sum()))
            gap = Difference(interval.share - hits / n, interval.lower - hits / n,
                             interval.upper - hits / n)  # fmt: skip
            slices.append(Slice(column, value, interval, interval.n < 20, gap))
    scores = np.clip(generator.beta(6, 1.4, n), 0, 0.999)
    bins = []
    for i in range(10):
        inside = (scores >= i / 10) & (scores < (i + 1) / 10)
        mean = float(scores[inside].mean()) if inside.any() else None
        of_bin = proportions.wilson(int((inside & right).sum()), int(inside.sum()))
        bins.append(CalibrationBin(i / 10, (i + 1) / 10, mean, of_bin))
    metrics = {'balanced_accuracy': hits / n, 'macro_f1': hits / n - 0.004, 'log_loss': 0.2143,
               'ece': 0.031, 'auc_ovr': 0.981,
               'top_3_accuracy': None if count < 3 else 0.99}  # fmt: skip
    accuracy, new = proportions.wilson(hits, n), n // 2  # images that neither model has seen
    unseen = UnseenResults(
        proportions.wilson(hits // 2, new), proportions.wilson(max(hits // 2 - n // 40, 0), new)
    )
    return SplitResults(
        accuracy, metrics, tuple(rows), tuple(cells), tuple(slices), tuple(bins),
        unseen if baseline else None,
    )  # fmt: skip


def verdict(val: SplitResults, threshold: float) -> Verdict:
    hits = HitCount(round((val.accuracy.share or 0) * val.accuracy.n), val.accuracy.n)
    counts = Counts(hits, HitCount(138, 150), {}, calibration_error=0.031, latency_ms=23.4)
    gate = Gate(val_accuracy=threshold, max_calibration_error=0.05, max_latency_ms=50.0)
    return judge(counts, gate)


def content(
    classes: int | tuple[str, ...] = 10,
    n: int = 400,
    accuracy: float = 0.9,
    threshold: float = 0.9,
    path: str = 'garden/0001.jpg',
    epochs: int = 12,
    values: int = 6,
) -> ReportContent:
    """A report of `n` val and as many test images.

    Args:
        classes: how many, or their names.
        n: images of each of both splits.
        accuracy: about what is answered right.
        threshold: of the gate.
        path: of the first picture.
        epochs: of the thaw; 0 for none.
        values: of the metadata column.
    """
    names = (
        classes if isinstance(classes, tuple) else tuple(f'class {i:03d}' for i in range(classes))
    )
    count = len(names)
    pictures = {}
    for i in range(40):
        answer = (i + 1) % count if i < 30 else i % count
        where = path if i == 0 else f'garden/{i:04d}.jpg'
        pictures[f'p{i}'] = _picture(f'p{i}', names, i % count, answer, where)
    for i in range(4):
        pictures[f't{i}'] = _picture(f't{i}', names, i % count, None, f'train/{i:04d}.jpg')
    splits = {
        'val': _part('val', names, n, accuracy, False, 1, values),
        'test': _part('test', names, n, accuracy - 0.01, True, 2, values),
    }
    thaw = tuple(
        EpochScores(i, 0.99 - 0.14 * 0.75**i, 0.93 - 0.08 * 0.7**i - 0.002 * i,
                    0.45 * 0.85**i + 0.01 * i, min(2 + i // 3 * 3, 12))
        for i in range(1, epochs + 1)
    )  # fmt: skip
    decided = verdict(splits['val'], threshold)
    changes = FactCard(
        'changes',
        'What changed since the last run',
        (
            changes_card.against_baseline(decided),
            Fact('Val accuracy', '89.0 % → 90.2 %'),
            Fact('Images', '+40'),
        ),
    )
    opening = first_screen.opening_split(decided, tuple(splits))
    evidence = first_screen.LabelEvidence(
        {'train': 9, 'val': 2}, 1904, made_records.ingestion({'train': {'a': 1904}}, 3)
    )
    return ReportContent(
        project='garden insects',
        run='2026-03-14T09-26-53',
        created='2026-03-14T09:31:07+00:00',
        classes=names,
        verdict=decided,
        threshold=threshold,
        splits=splits,
        training=LearningCurves(0.86, 0.85, thaw, min(8, epochs) if epochs else None,
                          'fine_tuned' if epochs else 'probe', 0.912, ('2 of 14 epochs',),
                          BudgetRecord(120.0, 112.0)),
        pictures=pictures,
        galleries=(
            Gallery('mistakes', 'Most confident mistakes',
                    'Wrong answers with the highest scores: errors of the model, or of the label.',
                    tuple(f'p{i}' for i in range(12))),
            Gallery('uncertain', 'Least certain hits', 'Right answers that nearly were not.',
                    tuple(f'p{i}' for i in range(30, 40))),
            Gallery('labels', 'Suspicious labels',
                    'High loss, while the neighbours agree on another class.', ()),
        ),
        cards=(
            FactCard('data', 'Data card', (Fact('Images', '1,904'), Fact('Train, val, test',
                 '1,200, 352, 352'), Fact('Quarantined', '3', 'truncated: 2; not an image: 1'),
                 Fact('Drift', 'none', 'Against the last good run no feature moved.'))),
            FactCard('model', 'Model card', (Fact('Base', 'efficientnet_lite0', 'weights 4f1c9a2e'),
                 Fact('Configuration', '14 settings', 'training:\n  epochs: 14\n' * 9))),
            changes,
        ),
        findings=(
            first_screen.weaknesses(opening, splits[opening], 20),
            first_screen.changes(decided, changes.facts[1:]),
            first_screen.labels(evidence),
        ),
    )  # fmt: skip


def hostile() -> ReportContent:
    """Class names and a file name that try to be markup, script or template."""
    return content(HOSTILE, path=HOSTILE_PATH)

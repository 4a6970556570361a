"""Drift: how often there is a false alarm, and how often a known change is seen.

    nice .venv/bin/python -m benchmarks.drift --shared ../shared --write

Images of a set are drawn as the earlier ones (400) and as new ones (others; 20, 50 or 200), with
features of EfficientNet-Lite0 (packaged weights, 96 px, all blocks) that are kept in the folder
`--cache`. The new images are left as they are, made darker (factor 0.7), saved as JPEG of quality
30, three in ten of them taken from another set, or drawn from one class three times as often. What
stands for the predicted class is the label. Counted is the verdict, at the default limits.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import pathlib
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks import images
from thawline.components import backbones
from thawline.components.backbones.features import feature_model
from thawline.components.data_audit import two_sample
from thawline.components.data_audit.images import AuditedImages
from thawline.components.ingestion import decoding, image_facts
from thawline.components.transform import decoded_images
from thawline.pipeline.config.drift import Drift
from thawline.pipeline.drift import judgement
from thawline.pipeline.drift.judgement import AnsweredImages
from thawline.pipeline.drift.record import APPEARANCE

RESULTS = pathlib.Path(__file__).with_suffix('.md')
_TITLE = (
    '# Drift\n\n`python -m benchmarks.drift --shared ../shared --write`; what is measured and how '
    'is said in [drift.py](drift.py).'
)
_SIDE, _EARLIER, _COUNTS = 96, 400, (20, 50, 200)
_FACTS = ('brightness', 'contrast', 'sharpness', 'width', 'height')
_SHIFTS = ('darker', 'JPEG 30', '30 % foreign', 'one class x 3')


def _darker(image: Image.Image) -> bytes:
    return _saved(ImageEnhance.Brightness(image).enhance(0.7), 90)


def _saved(image: Image.Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, 'JPEG', quality=quality)
    return out.getvalue()


_CHANGES: dict[str, Callable[[Image.Image], bytes] | None] = {
    'plain': None,
    'darker': _darker,
    'JPEG 30': lambda image: _saved(image, 30),
}


@dataclasses.dataclass(frozen=True)
class Embedded:
    """A set: features float32 [N, D] and facts float [N, F] by change, and labels."""

    features: dict[str, np.ndarray]
    facts: dict[str, np.ndarray]
    labels: np.ndarray
    classes: tuple[str, ...]


def embedded(name: str, shared: pathlib.Path, cache: pathlib.Path) -> Embedded:
    """Reads a set and changes its images; or what is kept of it."""
    file = cache / f'drift-{name}.npz'
    if not file.exists():
        listed = images.listed(name, shared)
        base = backbones.build('efficientnet_lite0', _SIDE, 'package')
        model = feature_model(base, 'blocks')
        columns: dict[str, Any] = {}
        for change, apply in _CHANGES.items():
            encoded, facts = [], []
            for path in listed.files:
                data = pathlib.Path(path).read_bytes()
                if apply is not None:
                    data = apply(Image.open(io.BytesIO(data)).convert('RGB'))
                canonical = decoding.canonicalise(data, 1024, 10**8)
                encoded.append(canonical.image)
                measured = dataclasses.astuple(image_facts.measure(canonical.luma))
                facts.append((*measured, canonical.source_width, canonical.source_height))
            pixels = decoded_images.decode(encoded, _SIDE, 'stretch').astype(np.float32)
            parts = [
                model(pixels[start : start + 64], training=False).numpy()
                for start in range(0, len(pixels), 64)
            ]
            columns |= {f'{change} features': np.concatenate(parts).astype(np.float16)}
            columns |= {f'{change} facts': np.array(facts, float)}
        cache.mkdir(parents=True, exist_ok=True)
        np.savez(file, labels=listed.labels, classes=listed.classes, **columns)
    kept = np.load(file)
    return Embedded(
        {change: kept[f'{change} features'].astype(np.float32) for change in _CHANGES},
        {change: kept[f'{change} facts'] for change in _CHANGES},
        kept['labels'],
        tuple(kept['classes'].tolist()),
    )


def draw(of: Embedded, other: Embedded, shift: str, count: int, seed: int) -> judgement.Judgement:
    """The judgement on images that are drawn and changed."""
    rng = np.random.default_rng(seed)
    weights = np.ones(len(of.labels))
    mixed = rng.permutation(len(of.labels))
    before, rest = mixed[:_EARLIER], mixed[_EARLIER:]
    if shift == 'one class x 3':
        weights[of.labels == seed % len(of.classes)] = 3
    weights = weights[rest] / weights[rest].sum()
    now = rng.choice(rest, count, replace=False, p=weights)
    kind = shift if shift in _CHANGES else 'plain'
    features, facts = of.features[kind][now], of.facts[kind][now]
    if shift == '30 % foreign':
        some = rng.choice(len(other.labels), round(0.3 * count), replace=False)
        features = np.concatenate([features[len(some) :], other.features['plain'][some]])
        facts = np.concatenate([facts[len(some) :], other.facts['plain'][some]])
    ids = np.array([f'{row:06d}' for row in range(len(of.labels))], str)
    earlier = AuditedImages(
        ids[before], ids[before], np.full(_EARLIER, 'train'), of.labels[before], ids[before],
        np.ones(_EARLIER, np.float32), of.features['plain'][before],
        dict(zip(_FACTS, of.facts['plain'][before].T, strict=True)), of.classes,
    )  # fmt: skip
    names = np.array([f'new{row}' for row in range(count)], str)
    classes = np.array(of.classes)
    new = AnsweredImages(
        names, names, names, features, dict(zip(_FACTS, facts.T, strict=True)),
        classes[of.labels[now]], np.ones(count, np.float32),
    )  # fmt: skip
    return judgement.judge(earlier, classes[of.labels[before]], new, of.classes, Drift())


def rows(
    sets: dict[str, Embedded], shifts: tuple[str, ...], draws: int
) -> Iterator[tuple[str, ...]]:
    """A row a set, change and number of images: shares of draws, and the mean area."""
    names = list(sets)
    for place, name in enumerate(names):
        other = sets[names[place - 1]]
        for shift in shifts:
            for count in _COUNTS:
                results = [draw(sets[name], other, shift, count, seed) for seed in range(draws)]
                appearance = [
                    next(of for of in result.compared if of.name == APPEARANCE)
                    for result in results
                    if result.compared
                ]
                guesses = [of.lower is not None and of.lower <= 0.5 for of in appearance]
                seen = np.mean([result.verdict == 'drift' for result in results])
                by_appearance = np.mean([of.drifted for of in appearance])
                yield (
                    name, shift, f'{count}', f'{100 * seen:.0f} %', f'{100 * by_appearance:.0f} %',
                    f'{np.mean([of.value for of in appearance]):.2f}',
                    f'{100 * np.mean(guesses):.0f} %',
                )  # fmt: skip


def level_rows(pool: pathlib.Path, draws: int) -> Iterator[tuple[str, ...]]:
    """The classifier alone on images of one pool: a row a number of new images."""
    features = np.load(pool)['features'].astype(np.float32)
    for count in _COUNTS:
        is_new = np.arange(_EARLIER + count) >= _EARLIER
        units = np.arange(len(is_new)).astype(str)
        p_values, areas = [], []
        for seed in range(draws):
            rows = np.random.default_rng(seed).permutation(len(features))[: len(is_new)]
            test = two_sample.test(features[rows], is_new, units, seed)
            p_values.append(test.p_value)
            areas.append(test.auroc.share)
        small = np.array(p_values) <= 0.05
        yield (
            f'{count}', f'{100 * small.mean():.1f} %',
            f'{100 * (small & (np.array(areas) >= Drift().auroc)).mean():.1f} %',
            f'{np.mean(areas):.3f}',
        )  # fmt: skip


def main() -> None:
    """Measures, prints, and writes the results where asked."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument('--shared', type=pathlib.Path, default=pathlib.Path('../shared'))
    parser.add_argument('--cache', type=pathlib.Path, default=pathlib.Path('/tmp/drift'))
    parser.add_argument(
        '--draws', type=int, default=10, help='of each change; without one five times as many'
    )
    parser.add_argument('--penalty', type=float, help='another one of the classifier')
    parser.add_argument('--write', action='store_true')
    arguments = parser.parse_args()
    warnings.simplefilter('ignore')
    if arguments.penalty is not None:
        two_sample._PENALTY = arguments.penalty
    names = ('flowers5', 'trashnet')
    sets = {name: embedded(name, arguments.shared, arguments.cache) for name in names}
    heads = (
        'set', 'change', 'new images', 'drift', 'by appearance', 'AUROC, mean',
        'its interval reaches 0.5',
    )  # fmt: skip
    parts = [_TITLE]

    def add(
        title: str, draws: int, columns: tuple[str, ...], of: Iterator[tuple[str, ...]]
    ) -> None:
        lines = [f'## {title}', '', f'{draws} draws a row.', '', f'| {" | ".join(columns)} |']
        lines.append('|---' * len(columns) + '|')
        for row in of:
            print(row, flush=True)
            lines.append(f'| {" | ".join(row)} |')
        parts.append('\n'.join(lines))

    draws = arguments.draws
    pool = arguments.shared / 'pools' / 'cifar10_lite0_128.npz'
    add(
        'The classifier alone, on one pool (CIFAR-10)', 20 * draws,
        ('new images', 'p at most 0.05', 'and AUROC at least 0.6', 'AUROC, mean'),
        level_rows(pool, 20 * draws),
    )  # fmt: skip
    add('False alarms', 5 * draws, heads, rows(sets, ('none',), 5 * draws))
    add('Power', draws, heads, rows(sets, _SHIFTS, draws))
    if arguments.write:
        RESULTS.write_text('\n\n'.join(parts) + '\n', 'utf-8')


if __name__ == '__main__':
    main()

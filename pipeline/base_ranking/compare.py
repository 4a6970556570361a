"""Compares bases on a project's own images: those of train, or of all folds."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from thawline.components import backbones
from thawline.components.shared import progress
from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.pipeline.base_ranking import candidates
from thawline.pipeline.base_ranking.candidates import Candidate, MissingBase
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.project import WEIGHTS_BY_NAME, Project

if TYPE_CHECKING:
    import numpy as np

    from thawline.components.training.cross_validation import ProbeScores
    from thawline.pipeline.base_ranking.embedding import BaseCost
    from thawline.pipeline.base_ranking.images import ImageSample
    from thawline.pipeline.base_ranking.ranking import Ranking

_LARGEST_SIDE = 1024


@dataclasses.dataclass(frozen=True)
class MeasuredBase:
    """The measurements of one base.

    Attributes:
        candidate: the base.
        transfer, cost: how well its features classify, and what they cost.
        weights_digest, weights_source: of its weights, as in `backbones.Backbone`.
        seconds: total time of measuring it.
        decoding: of these, decoding images at its size; 0 where an earlier base needed it too.
    """

    candidate: Candidate
    transfer: ProbeScores
    cost: BaseCost
    weights_digest: str
    weights_source: str
    seconds: float
    decoding: float


@dataclasses.dataclass(frozen=True)
class BaseComparison:
    """The measurements of all bases.

    Attributes:
        bases: those that could be measured.
        random: the smallest base with random weights.
        missing: the skipped bases.
        sample: the images.
        ranking: positions are those of `bases`.
    """

    bases: tuple[MeasuredBase, ...]
    random: MeasuredBase
    missing: tuple[MissingBase, ...]
    sample: ImageSample
    ranking: Ranking


def parse_bases(text: str | None) -> tuple[str, ...]:
    """Parses `mobilenet_v2,resnet50`; all bases for None.

    Raises:
        ConfigError: a base is unknown, or there is none.
    """
    if text is None:
        return backbones.names()
    names = tuple(dict.fromkeys(part.strip() for part in text.split(',') if part.strip()))
    if not names:
        raise ConfigError(f'--bases is empty; choose from {", ".join(backbones.names())}')
    return tuple(backbones.entry(name).name for name in names)


def parse_sizes(text: str | None) -> tuple[int, ...]:
    """Parses image sides such as `128,224`; none for None.

    Raises:
        ConfigError: a size is not a whole number in the range.
    """
    sides = []
    for part in (text or '').split(','):
        if not part.strip() and text is None:
            continue
        number = int(part) if part.strip().isdecimal() and len(part.strip()) < 5 else 0
        if not 32 <= number <= _LARGEST_SIDE:
            raise ConfigError(
                f'--sizes takes whole numbers from 32 to {_LARGEST_SIDE}, such as 128,224. '
                f'Received: {text!r}'
            )
        sides.append(number)
    return tuple(dict.fromkeys(sides))


def find_candidates(
    project: Project,
    bases: Sequence[str],
    sizes: Sequence[int],
    folder: pathlib.Path | None = None,
    download: bool = False,
) -> tuple[list[Candidate], list[MissingBase]]:
    """The bases that can be compared, and those that cannot; see `candidates.find`.

    Args:
        project: with the current base.
        bases: their names.
        sizes: image sides; empty for the default size of each base and the project's current one.
        folder: with weights files; the folder of the project's own file is searched too.
        download: whether Keras may download weights.
    """
    current = project.config.model
    pairs = [(name, size) for name in bases for size in sizes or (_default_size(name),)]
    if not sizes and current.backbone in bases and current.weights != 'random':
        pairs.append((current.backbone, project.config.image_size))
    files = {}
    folders = [folder] if folder else []
    if current.weights not in WEIGHTS_BY_NAME:
        path = pathlib.Path(project.weights())
        files[current.backbone] = (path, current.weights)
        folders.append(path.parent)
    return candidates.find(pairs, files, folders, download)


def _default_size(base: str) -> int:
    return backbones.entry(base).default_size


def compare_bases(
    bases: Sequence[Candidate],
    missing: Sequence[MissingBase],
    sample: ImageSample,
    resize: str,
    seed: int,
    on_measured: Callable[[MeasuredBase, Sequence[Candidate]], None],
    on_start: Callable[[Candidate], Any],
) -> BaseComparison:
    """Measures each base, then random weights, on the same images and folds.

    A base whose weights turn out to be unusable is skipped, with the reason.

    Args:
        bases: ordered by size, so that images are decoded once for each size.
        missing: bases that are skipped already.
        sample: the images.
        resize: mode of `preprocessing.resize`.
        seed: of the folds and of the random weights.
        on_measured: is called after each base, with those still to come.
        on_start: makes the context in which a base is measured.

    Raises:
        ConfigError: no base could be measured.
        DataError: the images allow no cross-validation.
    """
    import keras

    from thawline.components.training import cross_validation
    from thawline.components.transform import decoded_images
    from thawline.pipeline.base_ranking import embedding, ranking

    pixels: dict[int, np.ndarray] = {}

    def measure(candidate: Candidate) -> MeasuredBase:
        start = time.monotonic()
        size = candidate.image_size
        if size not in pixels:
            pixels.clear()  # keep one size in memory
            pixels[size] = decoded_images.decode(sample.images.values, size, resize)
        decoded = time.monotonic()
        progress.start('building the base')
        keras.utils.set_random_seed(seed)
        base = backbones.build(candidate.backbone, size, candidate.load)
        features, cost = embedding.embed(base, pixels[size])
        transfer = cross_validation.cross_validate(
            features, sample.images.labels, sample.groups, cross_validation.FOLDS, seed
        )
        source = base.weights_source
        keras.backend.clear_session()  # else the graphs of all bases stay in memory
        end = time.monotonic()
        return MeasuredBase(
            candidate, transfer, cost, base.weights_digest, source, end - start, decoded - start
        )

    # Last, at the size that is in memory by then.
    baseline = Candidate(candidates.smallest_base(), bases[-1].image_size, 'random', 'random')
    candidates_left = [*bases, baseline]
    measured: list[MeasuredBase] = []
    skipped = list(missing)
    while candidates_left:
        candidate = candidates_left.pop(0)
        if candidate is baseline and not measured:
            break
        try:
            with on_start(candidate):
                measured.append(measure(candidate))
        except (ConfigError, Unavailable) as error:
            skipped.append(MissingBase(candidate.label, str(error)))
            continue
        on_measured(measured[-1], list(candidates_left))
    if not measured:
        raise ConfigError(
            'no base could be measured: '
            + '; '.join(f'{base.backbone}: {base.reason}' for base in skipped)
        )
    random = measured.pop()
    ranks = ranking.rank(
        [base.transfer for base in measured],
        [base.cost.milliseconds for base in measured],
        random.transfer,
        sample.groups,
    )
    return BaseComparison(tuple(measured), random, tuple(skipped), sample, ranks)


def seconds_left(measured: MeasuredBase, images: int, rest: Sequence[Candidate]) -> float:
    """An estimate for the remaining bases from one base: forward passes by their multiply-adds."""
    forward = measured.cost.milliseconds / 1000 * images
    overhead = max(0.0, measured.seconds - measured.decoding - forward)
    other_sizes = {c.image_size for c in rest} - {measured.candidate.image_size}
    passes = sum(forward * c.work / measured.candidate.work + overhead for c in rest)
    return passes + len(other_sizes) * measured.decoding


def to_json(comparison: BaseComparison, config: Config) -> dict[str, Any]:
    """All numbers as JSON values; hits are a string of 0 and 1 in the order of `images.ids`."""
    sample, ranks = comparison.sample, comparison.ranking

    def values(base: MeasuredBase) -> dict[str, Any]:
        transfer = base.transfer
        return {
            'backbone': base.candidate.backbone,
            'image_size': base.candidate.image_size,
            'weights': base.candidate.weights,
            'weights_source': base.weights_source,
            'weights_digest': base.weights_digest,
            'probe': dataclasses.asdict(transfer.probe),
            'knn': dataclasses.asdict(transfer.knn),
            'l2_strengths': list(transfer.strengths),
            'probe_hits': _bits(transfer.probe_hits),
            'knn_hits': _bits(transfer.knn_hits),
            **dataclasses.asdict(base.cost),
            'seconds': base.seconds,
        }

    counts = [int((sample.images.labels == i).sum()) for i in range(len(sample.classes))]
    return {
        'project': config.name,
        'resize': config.preprocessing.resize,
        'seed': config.training.seed,
        'images': {
            'used': len(sample.images),
            'of': sample.available,
            'groups': len(set(sample.groups)),
            'classes': dict(zip(sample.classes, counts, strict=True)),
            'ids': [identity.decode() for identity in sample.images.ids],
        },
        'bases': [values(comparison.bases[i]) for i in ranks.order],
        'random': values(comparison.random),
        'majority': dataclasses.asdict(comparison.random.transfer.majority),
        'best': comparison.bases[ranks.best].candidate.label,
        'recommended': comparison.bases[ranks.recommended].candidate.label,
        'best_over_recommended': dataclasses.asdict(ranks.best_over_recommended),
        'best_over_random': dataclasses.asdict(ranks.best_over_random),
        'best_over_majority': dataclasses.asdict(ranks.best_over_majority),
        'left_out': [dataclasses.asdict(base) for base in comparison.missing],
    }


def _bits(hits: np.ndarray) -> str:
    return ''.join('1' if hit else '0' for hit in hits)

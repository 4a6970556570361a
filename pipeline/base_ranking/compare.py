"""Compares the bases that are here on a project's own training images; shows nothing itself."""

from __future__ import annotations

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from thawline.components import backbones
from thawline.components.shared import progress
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.base_ranking import candidates
from thawline.pipeline.base_ranking.candidates import Candidate, MissingBase
from thawline.pipeline.config.models import Config
from thawline.pipeline.config.project import WEIGHTS_BY_NAME, Project

if TYPE_CHECKING:
    import numpy as np

    from thawline.pipeline.base_ranking.crossval import ProbeScores
    from thawline.pipeline.base_ranking.embedding import BaseCost
    from thawline.pipeline.base_ranking.images import ImageSample
    from thawline.pipeline.base_ranking.ranking import Ranking

_LARGEST_SIDE = 1024


@dataclasses.dataclass(frozen=True)
class MeasuredBase:
    """One base as measured.

    Attributes:
        candidate: which.
        transfer, cost: what its features are worth, and what they cost.
        weights_digest, weights_source: of its weights, as `backbones.Backbone` says.
        seconds: all that it took here.
        decoding: of these, decoding images at its size; 0 where an earlier base had done it.
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
    """All that was measured.

    Attributes:
        rows: one a base that could be measured.
        random: the smallest base with random weights.
        missing: what was left out.
        sample: the images.
        verdict: positions are those of `rows`.
    """

    rows: tuple[MeasuredBase, ...]
    random: MeasuredBase
    missing: tuple[MissingBase, ...]
    sample: ImageSample
    verdict: Ranking


def parse_bases(text: str | None) -> tuple[str, ...]:
    """Bases from `mobilenet_v2,resnet50`; all there are without a text.

    Raises:
        ConfigError: there is no such base.
    """
    if text is None:
        return backbones.names()
    asked = tuple(dict.fromkeys(part.strip() for part in text.split(',') if part.strip()))
    if not asked:
        raise ConfigError(f'--bases names none; give one of {", ".join(backbones.names())}')
    return tuple(backbones.entry(name).name for name in asked)


def parse_sizes(text: str | None) -> tuple[int, ...]:
    """Image sides from `128,224`; none without a text.

    Raises:
        ConfigError: one is not a whole number of pixels that a base could take.
    """
    found = []
    for part in (text or '').split(','):
        if not part.strip() and text is None:
            continue
        number = int(part) if part.strip().isdecimal() and len(part.strip()) < 5 else 0
        if not 32 <= number <= _LARGEST_SIDE:
            raise ConfigError(
                f'--sizes takes whole pixels from 32 to {_LARGEST_SIDE}, such as 128,224; '
                f'received {text!r}'
            )
        found.append(number)
    return tuple(dict.fromkeys(found))


def find_candidates(
    project: Project,
    chosen: Sequence[str],
    at: Sequence[int],
    folder: pathlib.Path | None = None,
    download: bool = False,
) -> tuple[list[Candidate], list[MissingBase]]:
    """What can be compared now, and what cannot (see `candidates.find`).

    Args:
        chosen: names of bases.
        at: image sides; without any, each base's own, and beside it what the project has now.
        folder: where weights files may lie; the folder of the project's own file is looked at too.
        download: whether Keras may fetch weights.
    """
    wanted = [(n, size) for n in chosen for size in at or (backbones.entry(n).default_size,)]
    if (
        not at
        and project.config.model.backbone in chosen
        and project.config.model.weights != 'random'
    ):
        wanted.append((project.config.model.backbone, project.config.image_size))
    files = {}
    folders = [folder] if folder else []
    if project.config.model.weights not in WEIGHTS_BY_NAME:
        path = pathlib.Path(project.weights())
        files[project.config.model.backbone] = (path, project.config.model.weights)
        folders.append(path.parent)
    return candidates.find(wanted, files, folders, download)


def compare_bases(
    found: Sequence[Candidate],
    missing: Sequence[MissingBase],
    sample: ImageSample,
    resize: str,
    seed: int,
    measured: Callable[[MeasuredBase, Sequence[Candidate]], None],
    started: Callable[[Candidate], Any],
) -> BaseComparison:
    """Measures each base, then random weights, on the same images and folds.

    A base whose weights turn out not to be usable is left out, with its reason.

    Args:
        found: size by size, so that images are decoded once a size.
        seed: of the folds and of the random weights.
        measured: is called after each with what is still to come.
        started: makes the context in which one is measured.

    Raises:
        ConfigError: none of the bases could be used.
        DataError: the images allow no cross-validation.
    """
    import keras

    from thawline.pipeline.base_ranking import crossval, embedding, ranking

    pixels: dict[int, np.ndarray] = {}

    def measure(candidate: Candidate) -> MeasuredBase:
        began = time.monotonic()
        size = candidate.image_size
        if size not in pixels:
            pixels.clear()  # one size at a time is in memory
            pixels[size] = embedding.decode(sample.encoded, size, resize)
        decoded = time.monotonic()
        progress.start('building the base')
        keras.utils.set_random_seed(seed)
        base = backbones.build(candidate.backbone, size, candidate.load)
        features, cost = embedding.embed(base, pixels[size])
        transfer = crossval.cross_validate(
            features, sample.labels, sample.groups, crossval.FOLDS, seed
        )
        source = base.weights_source
        keras.backend.clear_session()  # or the graphs of all bases stay in memory
        ended = time.monotonic()
        return MeasuredBase(
            candidate, transfer, cost, base.weights_digest, source, ended - began, decoded - began
        )

    # Last, at the size that is in memory by then.
    floor = Candidate(candidates.smallest_base(), found[-1].image_size, 'random', 'random')
    work = [*found, floor]
    rows: list[MeasuredBase] = []
    left_out = list(missing)
    for position, candidate in enumerate(work):
        if candidate is floor and not rows:
            break
        try:
            with started(candidate):
                rows.append(measure(candidate))
        except ConfigError as error:
            left_out.append(MissingBase(candidate.label, str(error)))
            continue
        measured(rows[-1], work[position + 1 :])
    if not rows:
        raise ConfigError(
            'no base could be measured: '
            + '; '.join(f'{item.backbone}: {item.reason}' for item in left_out)
        )
    random = rows.pop()
    verdict = ranking.rank(
        [row.transfer for row in rows],
        [row.cost.milliseconds for row in rows],
        random.transfer,
        sample.groups,
    )
    return BaseComparison(tuple(rows), random, tuple(left_out), sample, verdict)


def seconds_left(row: MeasuredBase, images: int, rest: Sequence[Candidate]) -> float:
    """About how long the rest will take, by what one base took: forward pass by its work."""
    forward = row.cost.milliseconds / 1000 * images
    besides = max(0.0, row.seconds - row.decoding - forward)
    other_sizes = {c.image_size for c in rest} - {row.candidate.image_size}
    passes = sum(forward * c.work / row.candidate.work + besides for c in rest)
    return passes + len(other_sizes) * row.decoding


def to_json(comparison: BaseComparison, config: Config) -> dict[str, Any]:
    """All numbers as JSON; hits are a string of 0 and 1 in the order of `images.ids`."""
    sample, verdict = comparison.sample, comparison.verdict

    def row(one: MeasuredBase) -> dict[str, Any]:
        transfer = one.transfer
        return {
            'backbone': one.candidate.backbone,
            'image_size': one.candidate.image_size,
            'weights': one.candidate.weights,
            'weights_source': one.weights_source,
            'weights_digest': one.weights_digest,
            'probe': dataclasses.asdict(transfer.probe),
            'knn': dataclasses.asdict(transfer.knn),
            'l2_strengths': list(transfer.strengths),
            'probe_hits': _bits(transfer.probe_hits),
            'knn_hits': _bits(transfer.knn_hits),
            **dataclasses.asdict(one.cost),
            'seconds': one.seconds,
        }

    counts = [int((sample.labels == i).sum()) for i in range(len(sample.classes))]
    return {
        'project': config.name,
        'resize': config.preprocessing.resize,
        'seed': config.training.seed,
        'images': {
            'used': len(sample.labels),
            'of': sample.of,
            'groups': len(set(sample.groups)),
            'classes': dict(zip(sample.classes, counts, strict=True)),
            'ids': list(sample.ids),
        },
        'bases': [row(comparison.rows[i]) for i in verdict.order],
        'random': row(comparison.random),
        'majority': dataclasses.asdict(comparison.random.transfer.majority),
        'best': comparison.rows[verdict.best].candidate.label,
        'recommended': comparison.rows[verdict.recommended].candidate.label,
        'best_over_recommended': dataclasses.asdict(verdict.behind),
        'best_over_random': dataclasses.asdict(verdict.over_random),
        'best_over_majority': dataclasses.asdict(verdict.over_majority),
        'left_out': [dataclasses.asdict(item) for item in comparison.missing],
    }


def _bits(hits: np.ndarray) -> str:
    return ''.join('1' if hit else '0' for hit in hits)

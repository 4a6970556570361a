"""How exactly classes are shared out over the splits, and which images move when others are added.

On real sets, with 70, 15 and 15 %: the largest distance of a class from its share in a split, in
images, over ten seeds, against the hash of each image alone; then half of a set, and more images of
it added, in shares of that half: those that change their split, without history and with it. The
same for five folds, with 1 and 40 images added. Time is of the processor.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import pathlib
import random
import time
from collections.abc import Callable, Mapping, Sequence

from thawline.components.ingestion import storage
from thawline.components.ingestion.hash_split import assign
from thawline.components.ingestion.params import Split
from thawline.components.ingestion.partition import Partition
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.ingestion.sources import list_source
from thawline.components.ingestion.stratify import share_out

RESULTS = pathlib.Path(__file__).with_suffix('.md')
FRACTIONS = {'train': 0.7, 'val': 0.15, 'test': 0.15}
SETS = ('flowers5', 'trashnet', 'hymenoptera', 'package:elpv_dataset')
ADDED = (0.01, 0.1, 1.0)
SEEDS = range(10)
FOLDS = 5, 10, 20
MORE = 1, 40
Images = Sequence[tuple[str, str]]  # group and class of each
Splits = Mapping[str, str]  # by group
Shares = Mapping[str, float]  # of each split or fold


def listed(name: str, data: pathlib.Path) -> Images:
    """A real set: its images are groups of their own, by their content."""
    source = name if ':' in name else str(data / name)
    contents = {}
    for item in list_source(SourceSpec(source)).items:
        content = storage.read(item.path, 10**9)
        contents[hashlib.sha256(content).hexdigest()[:32]] = str(item.label)
    return list(contents.items())


def by_hash(images: Images, seed: int) -> Splits:
    """Splits by the hash of each group alone."""
    return {group: assign(group, seed, FRACTIONS) for group, _ in images}


def by_quotas(images: Images, seed: int) -> Splits:
    """Splits as an ingestion makes them."""
    return share_out(images, seed, FRACTIONS)


def folds(number: int) -> Shares:
    """The parts of so many folds without a test split."""
    return Partition.folded(Split(folds=number), number).shares


def deviation(images: Images, splits: Splits, shares: Shares = FRACTIONS) -> float:
    """The largest distance of a class from its share in a split, in images."""
    sizes = collections.Counter(label for _, label in images)
    counts = collections.Counter((label, splits[group]) for group, label in images)
    return max(
        abs(counts[label, split] - size * fraction)
        for label, size in sizes.items()
        for split, fraction in shares.items()
    )


def worst(images: Images, split: Callable[[Images, int], Splits]) -> float:
    """The largest deviation over the seeds."""
    return max(deviation(images, split(images, seed)) for seed in SEEDS)


def moved(images: Images, more: int, shares: Shares = FRACTIONS) -> tuple[int, int]:
    """Images of half a set that move when more are added: without history and with it."""
    shuffled = random.Random(0).sample(images, len(images))
    half = len(shuffled) // 2
    before, grown = shuffled[:half], shuffled[: half + more]
    first = share_out(before, 0, shares)

    def changed(after: Splits) -> int:
        return sum(after[group] != split for group, split in first.items())

    return changed(share_out(grown, 0, shares)), changed(share_out(grown, 0, shares, first))


def of_folds(sets: Mapping[str, Images]) -> list[str]:
    """Tables of five folds of the sets, and of more of them of invented groups."""
    five = folds(5)
    lines = [
        '',
        '| set | farthest from a fifth | images | added | moved without history | with history |',
        '|' + '---|' * 6,
    ]
    for name in SETS:
        far = max(deviation(sets[name], share_out(sets[name], s, five), five) for s in SEEDS)
        for more in MORE:
            anew, kept = moved(sets[name], more, five)
            half = len(sets[name]) // 2
            lines.append(f'| {name} | {far:.1f} | {half:,} | {more} | {anew} | {kept} |')
    lines += [
        '',
        '| folds | groups | images | classes | farthest from a share | seconds |',
        '|' + '---|' * 6,
    ]
    for number in FOLDS:
        for groups, classes, most, mixed in (
            (200, 5, 20, True), (5_000, 5, 12, True), (5_000, 100, 6, True), (50_000, 5, 1, False),
        ):  # fmt: skip
            invented, shares = drawn(groups, classes, most, mixed), folds(number)
            began = time.process_time()
            there = share_out(invented, 0, shares)
            seconds = time.process_time() - began
            of = f'{classes:,}, mixed in a group' if mixed else f'{classes:,}'
            lines.append(
                f'| {number} | {groups:,} | {len(invented):,} | {of} | '
                f'{deviation(invented, there, shares):.1f} | {seconds:.1f} |'
            )
    return lines


def drawn(groups: int, classes: int, most: int, mixed: bool) -> Images:
    """Groups of up to so many images, of one class each or of any."""
    rng = random.Random(0)
    images = []
    for number in range(groups):
        label = rng.randrange(classes)
        for _ in range(rng.randint(1, most)):
            images.append((f'g{number}', str(rng.randrange(classes) if mixed else label)))
    return images


def main() -> None:
    """Measures and prints; `--write` replaces the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--data', default='../shared/data', type=pathlib.Path)
    parser.add_argument('--write', action='store_true')
    arguments = parser.parse_args()
    sets = {name: listed(name, arguments.data) for name in SETS}
    for size in (20, 100):
        sets[f'five classes of {size}'] = [
            (f'{label}{i}', label) for label in 'abcde' for i in range(size)
        ]
    lines = [
        '| set | images | farthest from a share, by hash alone | as ingested |', '|---|---|---|---|'
    ]  # fmt: skip
    for name, images in sets.items():
        far, near = (worst(images, split) for split in (by_hash, by_quotas))
        lines.append(f'| {name} | {len(images):,} | {far:.1f} | {near:.1f} |')
    lines += [
        '',
        '| set | images | added | moved without history | with history |',
        '|' + '---|' * 5,
    ]
    for name in SETS:
        for share in ADDED:
            half = len(sets[name]) // 2
            anew, kept = moved(sets[name], max(1, round(half * share)))
            lines.append(f'| {name} | {half:,} | {share:.0%} | {anew} | {kept} |')
    lines += [
        '',
        '| groups | images | classes | farthest from a share | seconds |',
        '|' + '---|' * 5,
    ]
    for groups, classes, most, mixed in (
        (200, 5, 20, True), (50_000, 5, 1, False), (50_000, 10_000, 1, False),
        (50_000, 5, 30, False), (50_000, 5, 12, True), (50_000, 100, 6, True),
    ):  # fmt: skip
        invented = drawn(groups, classes, most, mixed)
        began = time.process_time()
        splits = share_out(invented, 0, FRACTIONS)
        seconds = time.process_time() - began
        of = f'{classes:,}, mixed in a group' if mixed else f'{classes:,}'
        lines.append(
            f'| {groups:,} | {len(invented):,} | {of} | {deviation(invented, splits):.1f} | '
            f'{seconds:.1f} |'
        )
    table = '\n'.join([*lines, *of_folds(sets)])
    text = (
        '# How exactly classes are shared out over the splits\n\n'
        '`python -m benchmarks.splits --write`; what is measured and how is said in '
        f'[splits.py](splits.py).\n\n{table}\n'
    )
    print(text)
    if arguments.write:
        RESULTS.write_text(text, 'utf-8')


if __name__ == '__main__':
    main()

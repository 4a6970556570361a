"""Are near-duplicates found, and are unrelated images left alone?

Of each set, 200 images get a planted copy, each changed in one of six ways: resized to 0.5 to 2
times, saved as JPEG of quality 30 to 95, cropped to a window of at least 95 % of each side,
anywhere, up to ten percent brighter or darker, mirrored, and all of it together. With
`data.near_duplicates.turned` there is a seventh: turned by 90, 180 or 270 degrees. They go through
the product's own Beam pipeline with their set. A copy counts as found if it is in one cluster with
its source after the product's own rule on chains. The threshold of the product is in bold.

The sets hold true near-duplicates, such as cells that were photographed twice. So pairs of
originals that are joined are an upper bound of unrelated pairs that are.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import io
import itertools
import pathlib
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence

import apache_beam as beam
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions
from PIL import Image, ImageEnhance, ImageOps

from benchmarks import images, report
from thawline.components.ingestion import (
    clusters,
    decoding,
    near_duplicates,
    thumbnail,
    thumbnail_files,
)
from thawline.components.ingestion.near_duplicates import Pair
from thawline.components.ingestion.tied_groups import tie_groups

RESULTS = pathlib.Path(__file__).with_suffix('.md')
SETS = ('flowers5', 'trashnet', 'hymenoptera', images.SOLAR)
PLANTED = 200
PRODUCT = near_duplicates.LEAST_AGREEMENT
THRESHOLDS = (0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.9)

Change = Callable[[Image.Image, random.Random], Image.Image]


def _resized(image: Image.Image, draw: random.Random) -> Image.Image:
    scale = 2 ** draw.uniform(-1, 1)
    kind = draw.choice(
        [Image.Resampling.BILINEAR, Image.Resampling.BICUBIC, Image.Resampling.LANCZOS]
    )
    return image.resize((round(image.width * scale), round(image.height * scale)), kind)


def _saved(image: Image.Image, draw: random.Random, least: int = 30) -> Image.Image:
    file = io.BytesIO()
    image.save(file, 'JPEG', quality=draw.randint(least, 95))
    return Image.open(io.BytesIO(file.getvalue())).convert('RGB')


def _cropped(image: Image.Image, draw: random.Random) -> Image.Image:
    width, height = image.size
    across, down = (
        (0.95, 0.95) if draw.random() < 0.5 else (draw.uniform(0.95, 1), draw.uniform(0.95, 1))
    )
    place = (draw.random(), draw.random())
    if draw.random() < 0.5:  # at a corner
        place = (round(place[0]), round(place[1]))
    x, y = place[0] * width * (1 - across), place[1] * height * (1 - down)
    return image.crop((round(x), round(y), round(x + width * across), round(y + height * down)))


def _brighter(image: Image.Image, draw: random.Random) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(draw.choice([0.9, 1.1, draw.uniform(0.9, 1.1)]))


def _mirrored(image: Image.Image, draw: random.Random) -> Image.Image:
    return draw.choice([ImageOps.mirror, ImageOps.flip])(image)


def _turned(image: Image.Image, draw: random.Random) -> Image.Image:
    turns = Image.Transpose
    return image.transpose(draw.choice([turns.ROTATE_90, turns.ROTATE_180, turns.ROTATE_270]))


def _all(image: Image.Image, draw: random.Random) -> Image.Image:
    image = _brighter(_cropped(image, draw), draw)
    if draw.random() < 0.5:
        image = ImageOps.mirror(image)
    return _saved(_resized(image, draw), draw)


CHANGES: dict[str, Change] = {
    'resized': _resized, 'JPEG': _saved, 'cropped': _cropped, 'brightness': _brighter,
    'mirrored': _mirrored, 'all of it': _all, 'turned': _turned,
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Planted:
    """A set with planted copies, and the pairs that were found.

    Attributes:
        name: of the set.
        originals: ids of its images.
        copies: (id of the source, id of the copy, change).
        pairs: with any agreement from the lowest threshold on.
        seconds: of the processor, of the search.
    """

    name: str
    originals: frozenset[str]
    copies: Sequence[tuple[str, str, str]]
    pairs: Sequence[Pair]
    seconds: float


def search(listed: images.Listed, changes: Sequence[str], folder: pathlib.Path) -> Planted:
    """Plants copies in a set and looks for near-duplicates."""
    draw = random.Random(0)
    sources = draw.sample(range(len(listed)), min(PLANTED, len(listed)))
    change_of = {row: changes[n % len(changes)] for n, row in enumerate(sources)}
    originals, copies = [], []
    with tf.io.TFRecordWriter(str(folder / f'{thumbnail_files.THUMBNAILS}-0')) as writer:
        for row, path in enumerate(listed.files):
            data = pathlib.Path(path).read_bytes()
            originals.append(_write(writer, data, f'{row}.png'))
            if change := change_of.get(row):
                with Image.open(io.BytesIO(data)) as image:
                    changed = CHANGES[change](image.convert('RGB'), draw)
                file = io.BytesIO()
                changed.save(file, 'PNG')
                copy = _write(writer, file.getvalue(), f'copy of {row}.png')
                copies.append((originals[-1], copy, change))
    began = time.process_time()
    options = PipelineOptions(['--runner=FnApiRunner'])
    with beam.Pipeline(options=options) as pipeline:
        ids = [*originals, *(copy for _, copy, _ in copies)]
        near_duplicates.find(pipeline, str(folder), ids, 'turned' in changes)
    seconds = time.process_time() - began
    lines = (
        line
        for file in folder.glob(f'{near_duplicates.PAIRS}-*')
        for line in file.read_text().splitlines()
    )
    pairs = near_duplicates.parse_pairs(lines)
    return Planted(listed.name, frozenset(originals), copies, pairs, seconds)


def _write(writer: tf.io.TFRecordWriter, data: bytes, name: str) -> str:
    image = hashlib.sha256(data).hexdigest()[: thumbnail_files.ID_LENGTH]
    luma = decoding.canonicalise(data, 1024, 10**8).luma
    writer.write(thumbnail_files.record(image, name, thumbnail.of_luma(luma).tobytes()))
    return image


@dataclasses.dataclass(frozen=True)
class Row:
    """The outcome at a threshold.

    Attributes:
        found: share of the copies that are in a cluster with their source.
        missed: change -> copies, of the others.
        joined: pairs of originals in one cluster, directly or through others.
        share: of all pairs of originals.
        together: originals in a cluster with another one.
        largest: originals in the largest cluster.
    """

    threshold: float
    found: float
    missed: dict[str, int]
    joined: int
    share: float
    together: int
    largest: int


def rows(planted: Planted) -> Iterator[Row]:
    """The curve of a set."""
    for threshold in THRESHOLDS:
        kept = clusters.without_chains(p for p in planted.pairs if p.agreement >= threshold)
        leaders = tie_groups((str(n), image) for n, pair in enumerate(kept) for image in pair)
        missed = collections.Counter(
            change
            for source, copy, change in planted.copies
            if leaders.get(source, source) != leaders.get(copy, copy)
        )
        sizes = collections.Counter(
            leaders[image] for image in sorted(planted.originals) if image in leaders
        )
        joined = sum(n * (n - 1) // 2 for n in sizes.values())
        count = len(planted.originals)
        yield Row(
            threshold,
            1 - missed.total() / len(planted.copies),
            dict(missed),
            joined,
            joined / (count * (count - 1) / 2),
            sum(n for n in sizes.values() if n > 1),
            max(sizes.values(), default=0),
        )


COLUMNS = (
    'threshold', 'found', 'missed', 'pairs of originals joined', 'of all pairs',
    'originals with another', 'largest cluster',
)  # fmt: skip


def cells(row: Row) -> list[str]:
    """A row of the table."""
    missed = ', '.join(f'{count} {change}' for change, count in sorted(row.missed.items()))
    chosen = '**' if row.threshold == PRODUCT else ''
    return [
        f'{chosen}{row.threshold:g}{chosen}', f'{row.found:.1%}', missed or 'none',
        f'{row.joined:,}', f'{row.share:.4%}', f'{row.together:,}', str(row.largest),
    ]  # fmt: skip


def main() -> None:
    """Measures, prints and writes."""
    parser = report.parser(__doc__ or '', SETS, (0,))
    arguments = parser.parse_args()
    written = report.Report(__file__, __doc__ or '', arguments)
    written.expect(2 * len(arguments.sets))
    near_duplicates.LEAST_AGREEMENT = min(THRESHOLDS)
    for name, turned in itertools.product(arguments.sets, (False, True)):
        listed = images.listed(name, arguments.shared, arguments.limit)
        changes = [change for change in CHANGES if turned or change != 'turned']
        with tempfile.TemporaryDirectory() as folder:
            planted = search(listed, changes, pathlib.Path(folder))
        milliseconds = 1000 * planted.seconds / (len(listed) + len(planted.copies))
        title = f'{name}: {len(listed):,} images, {len(planted.copies)} planted copies'
        title += ', also turned' if turned else ''
        written.finished(title)
        written.table(
            title,
            COLUMNS,
            [cells(row) for row in rows(planted)],
            f'The search took {milliseconds:.1f} ms of the processor an image.',
        )
    written.close()


if __name__ == '__main__':
    main()

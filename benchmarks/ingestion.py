"""What ingestion costs an image: against a bare loop, in small and large sets, and by two workers.

Photographs as `growth.py` draws them, 300 pixels wide or high, through ImageExampleGen, each run in
a process of its own and into a new project:

    re-encoded    `data.max_side: 200`, so that each is decoded, resized and encoded
    kept          by default, each is decoded and its file is kept as it is
    workers       re-encoded, on the engine `multiprocess`, with one worker and with two

The bare loop decodes with Pillow, resizes to the same 200 pixels by the same filter, encodes by the
same settings and writes one file, in one thread. Ingestion does more in its time: it checks, hashes
and measures each image, searches for near-duplicates, splits, and fills the content store.

Seconds of the processor are of all threads, of the process and of its workers apart; those of
processes beside it change them less than the clock's. The peak of memory is of the process. What
two workers could gain at most follows from the processor: the starting process works alone, the
workers share their images but not what each takes to start, which a run on few images tells.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time

from PIL import Image

from benchmarks import growth

RESULTS = pathlib.Path(__file__).with_suffix('.md')
NODE = 'ImageExampleGen'
SIDE = 200
FEW = 60  # images of a run that tells what a start takes
PROJECT = """name: ingestion
data: {{source: '{images}'{side}}}
beam: {{engine: {engine}{workers}}}
model: {{backbone: efficientnet_lite0, weights: package}}
"""


def run_chain(home: pathlib.Path) -> dict[str, float]:
    """Ingests a project: seconds of the clock, of the processor here and in workers; megabytes."""
    clock, processor = growth.run_nodes(home, NODE)[NODE]
    workers = resource.getrusage(resource.RUSAGE_CHILDREN)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        'clock': clock,
        'processor': processor,
        'workers': workers.ru_utime + workers.ru_stime,
        'memory': memory,
    }


def run_bare(images: pathlib.Path) -> dict[str, float]:
    """The bare loop, for all images."""
    files = sorted(images.rglob('*.jpg'))
    began = time.monotonic(), time.process_time()
    with tempfile.TemporaryFile() as target:
        for path in files:
            image = Image.open(io.BytesIO(path.read_bytes())).convert('RGB')
            scale = SIDE / max(image.size)
            size = round(image.width * scale), round(image.height * scale)
            encoded = io.BytesIO()
            image.resize(size, Image.Resampling.LANCZOS).save(
                encoded, 'JPEG', quality=95, subsampling='4:4:4'
            )
            target.write(encoded.getvalue())
    return {'clock': time.monotonic() - began[0], 'processor': time.process_time() - began[1]}


def in_process(part: str, folder: pathlib.Path) -> dict[str, float]:
    """A part in a process of its own."""
    command = [sys.executable, '-m', 'benchmarks.ingestion', part, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(part, folder.name, found, flush=True)
    return found


def ingest(
    home: pathlib.Path, images: pathlib.Path, reencoded: bool, workers: int = 0
) -> dict[str, float]:
    """Ingests images into a new project; 0 workers: in this process."""
    home.mkdir()
    text = PROJECT.format(
        images=images,
        side=f', max_side: {SIDE}' if reencoded else '',
        engine='multiprocess' if workers else 'local',
        workers=f', workers: {workers}' if workers else '',
    )
    (home / 'thawline.yaml').write_text(text, 'utf-8')
    return in_process('chain', home)


def measure(given: argparse.Namespace, root: pathlib.Path) -> str:
    """All runs, in a folder with room; returns the tables."""
    source = (given.data / 'flowers5').resolve()
    counts = {'small': given.images[0], 'large': given.images[1]}
    folders = {name: root / f'images-{name}' for name in (*counts, 'few')}
    for name, count in counts.items():
        growth.draw_images(source, folders[name], 0, count)
    small = counts['small']
    for path in sorted(folders['small'].rglob('*.jpg'))[:: small // FEW]:  # of all classes
        target = folders['few'] / path.parent.name / path.name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(path, target)
    bare = in_process('bare', folders['small'])
    runs = {
        ('re-encoded', small): ingest(root / 'reencoded', folders['small'], True),
        ('kept', small): ingest(root / 'small', folders['small'], False),
        ('kept', counts['large']): ingest(root / 'large', folders['large'], False),
    }
    lines = [
        '| images | milliseconds of the clock | of the processor | the bare loop, of the processor '
        '| speed against it | memory MB |',
        '|---|---|---|---|---|---|',
    ]
    each = 1e3 * bare['processor'] / small
    for (what, count), run in runs.items():
        own = 1e3 * run['processor'] / count
        lines.append(
            f'| {count:,}, {what} | {1e3 * run["clock"] / count:.2f} | {own:.2f} | {each:.2f} '
            f'| {each / own:.0%} | {run["memory"]:,.0f} |'
        )
    return '\n'.join([*lines, '', *_workers(root, folders, small)])


def _workers(root: pathlib.Path, folders: dict[str, pathlib.Path], count: int) -> list[str]:
    """A table of one worker and two."""
    lines = [
        '| workers | seconds of the clock | of the processor, starting process | workers '
        '| what these take to start |',
        '|---|---|---|---|---|',
    ]
    runs = {}
    for workers in (1, 2):
        start = ingest(root / f'start-{workers}', folders['few'], True, workers)
        runs[workers] = run = ingest(root / f'workers-{workers}', folders['small'], True, workers)
        lines.append(
            f'| {workers} | {run["clock"]:.1f} | {run["processor"]:.1f} | {run["workers"]:.1f} | '
            f'{start["workers"]:.1f} |'
        )
        run['shared'] = run['workers'] - start['workers']
    one, two = runs[1], runs[2]
    most = (one['processor'] + one['shared']) / (two['processor'] + two['shared'] / 2)
    return [
        *lines,
        '',
        f'By the clock {one["clock"] / two["clock"]:.2f} times as fast with two; by the processor, '
        f'without the starts of the workers, {most:.2f} times at most, on {count:,} images.',
    ]


def main() -> None:
    """Measures and prints; `--write` replaces the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('part', nargs='?', choices=('chain', 'bare'), help='for its own use')
    parser.add_argument('folder', nargs='?', type=pathlib.Path, help='for its own use')
    parser.add_argument('--data', default='../shared/data', type=pathlib.Path)
    parser.add_argument('--images', default=(2_000, 10_000), type=int, nargs=2)
    parser.add_argument('--write', action='store_true')
    given = parser.parse_args()
    if given.part:
        part = run_chain if given.part == 'chain' else run_bare
        print(json.dumps(part(given.folder)))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = measure(given, pathlib.Path(folder))
    text = (
        '# What ingestion costs\n\n'
        f'`python -m benchmarks.ingestion --images {given.images[0]} {given.images[1]} --write`; '
        'what is measured and how is said in [ingestion.py](ingestion.py).\n\n'
        f'{os.cpu_count()} cores, load {os.getloadavg()[1]:.0f} at the end.\n\n{found}\n'
    )
    print(text)
    if given.write:
        RESULTS.write_text(text, 'utf-8')


if __name__ == '__main__':
    main()

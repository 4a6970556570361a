"""Every command in a block of README and docs, run in a project as a reader would, in their order.

What needs a cluster or a server of others is run by the tests of these, and only parsed here (by
`tests/test_docs.py`).
"""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import re
import shlex
import signal
import subprocess
import time

import pytest

from tests import fork_server
from tests.e2e.conftest import draw_classes
from tests.pipeline.recording import made_recording
from tests.test_docs import IN_BLOCK, commands, plain

pytestmark = pytest.mark.e2e

# An engine or a server of others, or a path within a container.
ELSEWHERE = re.compile(
    r'--engine (flink|spark|dataflow)|metadata (check --create|migrate)| /thawline/'
)
# They serve until Ctrl-C; what each says once it can be asked.
SERVERS = {
    'review': r'http://127\.0\.0\.1:\d+',
    'serve': r'http://127\.0\.0\.1:\d+',
    'workers': r'\d+',
}
# Images of one class alone are a drift, or too few.
VERDICTS = {'drift': {8, 9}}
SETTINGS = """
name: my_project
data: {source: ../path/to/images}
preprocessing: {image_size: 32}
model: {backbone: mobilenet_v2_035, weights: random}
training: {mode: probe, augmentation: none, seed: %d}
embedding: {views: 0}
gate: {val_accuracy: 0.3, strictness: point, class_floor: null, paired_test: null, max_drop: null}
tuning: {trials: 1, epochs: 1}
notifications: [{command: [cat]}]
"""
# What a reader puts in place of the names in a command; `{...}` is filled in as the runs go.
PLACES = {
    'A': '{first}',
    'B': '{second}',
    'MODEL': '{first}',
    '12': '{second}',
    'photos/': 'path/to/images/moss',
    'FOLDER|CSV|TFRECORD|IMAGE': '{home}/path/to/images/moss',
    'FILE': '{home}/my_project/runs/my_project/pipeline.json',
    '5c1f0f0a': '{image}',
    'runs/x/pipeline.json': 'runs/my_project/pipeline.json',
    'NODE': 'ImageExampleGen',
    'ID': 'documented',
    '$ID': 'in-parts',
    'NAME:TAG': 'registry.example/thawline:1',
    'gs://BUCKET/FOLDER': 'gs://bucket/folder',
    'CLAIM': 'claim',
    '~/airflow/dags': '{home}/airflow/dags',
}


class Reader:
    """Someone with a folder of images, who types what the documents say."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.project = home / 'my_project'
        self._runs = {'first': '', 'second': ''}

    def prepare(self) -> None:
        """Two blessed runs, the first of them in production."""
        draw_classes(self.home / 'path' / 'to' / 'images', 16)
        self.project.mkdir()
        for number, name in enumerate(self._runs):
            (self.project / 'thawline.yaml').write_text(SETTINGS % number, 'utf-8')
            done = self.call('run', 'my_project')
            assert done.returncode == 0, done.stdout + done.stderr
            table = self.call('runs', 'my_project').stdout
            self._runs[name] = max(re.findall(r'\d{8}-\d{6}\.\d+', table))
            if name == 'first':
                promoted = self.call('promote', 'last', 'my_project', '--yes')
                assert promoted.returncode == 0, promoted.stdout + promoted.stderr
        # What a server kept, beside the project and in it.
        image = (self.home / 'path' / 'to' / 'images' / 'moss' / '000.jpg').read_bytes()
        for folder in (self.home, self.project):
            made_recording.record(folder / 'kept', [image], ['moss'])
        # Pods see buckets and the volume.
        cluster = self.home / 'cluster' / 'my_project' / 'thawline.yaml'
        cluster.parent.mkdir(parents=True)
        cluster.write_text(
            (SETTINGS % 0).replace('../path/to/images', 'gs://bucket/images'), 'utf-8'
        )

    def arguments(self, command: str) -> list[str]:
        """What the reader types."""
        words = [PLACES.get(word, word) for word in shlex.split(plain(command))[1:]]
        if words[:2] == ['labels', 'import']:
            words[2] = str(self._correction())
        words = [word.format(home=self.home, image=self._image, **self._runs) for word in words]
        return [*words, '--yes'] if words[0] in ('promote', 'rollback') else words

    @property
    def _image(self) -> str:
        """The id of an image."""
        path = self.home / 'path' / 'to' / 'images' / 'moss' / '000.jpg'
        return hashlib.sha256(path.read_bytes()).hexdigest()[:32]

    def _correction(self) -> pathlib.Path:
        """A table with a label that someone has confirmed."""
        path = self.home / 'answers.csv'
        path.write_text(f'image_id,label\n{self._image},moss\n', 'utf-8')
        return path

    def folder(self, words: list[str]) -> pathlib.Path:
        """Where the reader is: beside the project where the command names it, else in it."""
        if words[0] == 'init':  # another project of that name
            empty = self.home / 'empty'
            empty.mkdir()
            (empty / 'path').symlink_to(self.home / 'path')
            return empty
        if words[:2] == ['schedule', 'kubeflow']:
            return self.home / 'cluster'
        return self.home if 'my_project' in words else self.project

    def call(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Runs a command to its end."""
        return subprocess.run(
            [*fork_server.command(), *words],
            cwd=self.folder(list(words)),
            env=fork_server.environment(HOME=str(self.home), BROWSER='true'),
            capture_output=True,
            text=True,
            timeout=600,
        )

    def serve(self, words: list[str], ready: str) -> str:
        """Starts what serves, waits until it is ready, and presses Ctrl-C; returns its output."""
        log = self.home / 'served.log'
        port = [] if words[0] == 'workers' else ['--port', '0']
        with log.open('w') as file:
            process = subprocess.Popen(
                [*fork_server.command(), *words, *port],
                cwd=self.folder(words),
                env=fork_server.environment(HOME=str(self.home), BROWSER='true'),
                stdout=file,
                stderr=file,
            )
        with contextlib.ExitStack() as stack:
            stack.callback(process.kill)
            end = time.monotonic() + 240
            while not re.search(ready, log.read_text('utf-8')):
                assert process.poll() is None and time.monotonic() < end, log.read_text('utf-8')
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) in (0, 130), log.read_text('utf-8')
        return log.read_text('utf-8')


@pytest.fixture(scope='module')
def reader(tmp_path_factory: pytest.TempPathFactory) -> Reader:
    made = Reader(tmp_path_factory.mktemp('reader'))
    made.prepare()
    return made


def documented() -> list[str]:
    lines = [plain(line).strip() for _, line in commands(IN_BLOCK)]
    return [line for line in dict.fromkeys(lines) if not ELSEWHERE.search(line)]


@pytest.mark.parametrize('command', documented())
def test_it_does_what_it_says(reader: Reader, command: str) -> None:
    words = reader.arguments(command)
    if words[0] in SERVERS:
        reader.serve(words, SERVERS[words[0]])
        return
    if words[0] == 'schema' and words[1] != 'infer':
        assert reader.call('schema', 'infer', 'my_project').returncode == 0
    done = reader.call(*words)
    assert done.returncode in VERDICTS.get(words[0], {0}), done.stdout + done.stderr
    assert done.stdout.strip()
    (reader.project / 'schema.pbtxt').unlink(missing_ok=True)  # the next reader has reviewed none

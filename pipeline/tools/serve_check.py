"""`make serve-check`: asks running servers what clients ask, and compares with the model itself.

The server in Python always, TensorFlow Serving where it is here, each as `thawline serve` starts it
on the production folder (or staging, where nothing is in production yet, or `--model`). REST by row
and by column and, of TensorFlow Serving, gRPC with its own client.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import functools
import io
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import click
import numpy as np
import rich.console

from thawline.components.shared.errors import ConfigError, UserError
from thawline.pipeline.config import loading
from thawline.pipeline.registry import files
from thawline.pipeline.server import model_choice, tensorflow_serving
from thawline.pipeline.server.model_choice import ServeOptions
from thawline.pipeline.terminal.console import say

NAME = 'checked'
_START_SECONDS = 300
_TOLERANCE = 1e-4  # batches add up in another order
Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Question:
    """Inputs of a signature, and what the model itself answers."""

    signature: str
    inputs: Arrays
    answer: Arrays


def questions(model: pathlib.Path) -> list[Question]:
    """Drawn images for every signature that predicts."""
    from thawline.pipeline.server.servable import Servable

    loaded = Servable(model, 1)
    images = [_drawn(kind, side) for kind, side in (('PNG', 40), ('JPEG', 300), ('BMP', 64))]
    rng = np.random.default_rng(0)
    inputs: dict[str, Arrays] = {
        'serving_bytes': {'image_bytes': _objects(images)},
        'serving_default': {'examples': _objects([_example(one) for one in images])},
        'serving_pixels': {'pixels': rng.integers(0, 256, (3, 30, 20, 3), np.uint8)},
    }
    if 'serving_features' in loaded.signatures:
        (features,) = loaded.signatures['serving_features'].values()
        assert features.shape is not None
        width = features.shape[1] or 1
        inputs['serving_features'] = {'features': rng.normal(size=(3, width)).astype(np.float32)}
    return [Question(name, given, loaded.predict(name, given)) for name, given in inputs.items()]


def _drawn(kind: str, side: int) -> bytes:
    from PIL import Image

    noise = np.random.default_rng(side).integers(0, 256, (side, side + 7, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def _example(image: bytes) -> bytes:
    from tensorflow.core.example import example_pb2

    message = example_pb2.Example()
    message.features.feature['image'].bytes_list.value.append(image)
    whole: bytes = message.SerializeToString()
    return whole


def _objects(values: Sequence[bytes]) -> np.ndarray:
    found = np.empty(len(values), object)
    found[:] = values
    return found


def _as_json(value: np.ndarray) -> Any:
    if value.dtype == object:
        return [{'b64': base64.b64encode(one).decode()} for one in value]
    return value.tolist()


def differences(found: Mapping[str, Any], expected: Arrays) -> list[str]:
    """What is not as it should be, a line an output; strings may be bytes or text."""
    wrong = [f'the outputs are {sorted(found)}'] if found.keys() != expected.keys() else []
    for name in found.keys() & expected.keys():
        value = expected[name]
        if value.dtype == object:
            texts = [t.decode() if isinstance(t, bytes) else t for t in list(found[name])]
            same = texts == [t.decode() for t in value]
        else:
            given = np.array(found[name], value.dtype)
            same = given.shape == value.shape and np.allclose(given, value, atol=_TOLERANCE)
        if not same:
            wrong.append(f'{name} differs')
    return wrong


def post(address: str, path: str, document: object) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    body = json.dumps(document).encode()
    try:
        with urllib.request.urlopen(f'{address}{path}', body, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def check_rest(address: str, asked: Sequence[Question]) -> Iterator[tuple[str, list[str]]]:
    """Asks over REST: name of each check, and what is wrong."""
    path = f'/v1/models/{NAME}:predict'
    for one in asked:
        columns = {name: _as_json(value) for name, value in one.inputs.items()}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        status, told = post(address, path, {'signature_name': one.signature, 'inputs': columns})
        outputs = told.get('outputs', {}) if status == 200 else {}
        yield f'{one.signature} by column', differences(outputs, one.answer)
        status, told = post(address, path, {'signature_name': one.signature, 'instances': rows})
        by_row = told.get('predictions', []) if status == 200 else []
        joined = {name: [row[name] for row in by_row] for name in (by_row or [{}])[0]}
        yield f'{one.signature} by row', differences(joined, one.answer)
    garbage = {'signature_name': 'serving_bytes', 'instances': [{'b64': 'AAAA'}]}
    for words, where, document, wanted in (
        ('garbage', path, garbage, 400),
        ('an unknown signature', path, {'signature_name': 'x', 'instances': [1]}, 400),
        ('no rows', path, {'instances': []}, 400),
        ('an unknown model', '/v1/models/x:predict', {'instances': ['x']}, 404),
    ):
        status, told = post(address, where, document)
        good = status == wanted and list(told) == ['error']
        yield f'{words}: {wanted}', [] if good else [f'status {status}: {told}']


def check_grpc(target: str, asked: Sequence[Question]) -> Iterator[tuple[str, list[str]]]:
    """Asks over gRPC, with the client of TensorFlow Serving."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    with grpc.insecure_channel(target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for one in asked:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = NAME
            request.model_spec.signature_name = one.signature
            for name, value in one.inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            told = stub.Predict(request, timeout=120)
            found = {name: tf.make_ndarray(value) for name, value in told.outputs.items()}
            yield f'{one.signature} over gRPC', differences(found, one.answer)


@contextlib.contextmanager
def started(arguments: Sequence[str]) -> Iterator[Callable[[], str]]:
    """`thawline serve` as a process; yields what it has said so far."""
    with tempfile.NamedTemporaryFile('a+') as log:
        command = [
            sys.executable,
            '-m',
            'thawline',
            'serve',
            '--name',
            NAME,
            *arguments,
        ]
        process = subprocess.Popen(command, stdout=log, stderr=log)

        def said() -> str:
            # Not by `log`: the process writes at the place that it shares.
            text = pathlib.Path(log.name).read_text('utf-8', 'replace')
            if process.poll() is not None:
                raise ConfigError(f'the server ended with {process.returncode}: {text[-2000:]}')
            return text

        try:
            yield said
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def address_of(said: Callable[[], str]) -> str:
    """Where a server answers, once it does.

    Raises:
        ConfigError: it ends, or does not become ready.
    """
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        found = re.search(r'http://127\.0\.0\.1:\d+', said())
        with contextlib.suppress(OSError):
            if found:
                urllib.request.urlopen(f'{found[0]}/v1/models/{NAME}/metadata', timeout=5)
                return found[0]
        time.sleep(0.2)
    raise ConfigError(f'the server was not ready within {_START_SECONDS} s: {said()[-2000:]}')


@click.command()
@click.argument('config', required=False, type=click.Path(path_type=pathlib.Path))
@click.option('--model', metavar='MODEL', help='As thawline serve takes it.')
def main(config: pathlib.Path | None, model: str | None) -> None:
    """Checks the servers that are here on a model; exit code 1 where an answer is wrong."""
    console = rich.console.Console()
    try:
        wrong = _check(config, model, console)
    except UserError as error:
        raise SystemExit(f'error: {error}') from error
    raise SystemExit(1 if wrong else 0)


def _check(config: pathlib.Path | None, model: str | None, console: rich.console.Console) -> int:
    """How many checks failed."""
    served = _target(config, model)
    folder = next(iter(served.versions().values()))
    say(console, f'model: {folder}')
    with console.status('asking the model itself'):
        asked = questions(folder)
    on = ['--model', str(served.folder), '--port', '0']
    say(console, ('the server in Python', 'bold'))
    with started([*on, '--python']) as said:
        wrong = _told(console, check_rest(address_of(said), asked))
    found, why = tensorflow_serving.find_installation()
    say(console, ('TensorFlow Serving', 'bold'))
    if found is None:
        say(console, f'  skipped: {why}')
        return wrong
    with started(on) as said:
        address = address_of(said)
        wrong += _told(console, check_rest(address, asked))
        grpc = re.search(r'gRPC: (\S+)', said())
        assert grpc is not None
        wrong += _told(console, check_grpc(grpc[1], asked))
    return wrong


def _target(config: pathlib.Path | None, model: str | None) -> model_choice.ServedModel:
    project = loading.load_project(config)
    stages = model_choice.stages_of(project)
    recorded = functools.partial(files.saved_model, project)
    try:
        return model_choice.choose_model(stages, ServeOptions(model=model), recorded)
    except ConfigError:
        if model is not None:
            raise
        return model_choice.choose_model(stages, ServeOptions(stage='staging'), recorded)


def _told(console: rich.console.Console, checks: Iterator[tuple[str, list[str]]]) -> int:
    failed = 0
    for name, wrong in checks:
        failed += bool(wrong)
        mark = ('  ✗ ', 'red') if wrong else ('  ✓ ', 'green')
        say(console, mark, name, f': {"; ".join(wrong)}' if wrong else '')
    return failed


if __name__ == '__main__':
    main()

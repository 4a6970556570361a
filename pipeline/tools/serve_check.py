"""`make serve-check`: compares the answers of running servers with those of the model itself.

Checks the server in Python, and TensorFlow Serving if it is installed, each as `thawline serve`
starts it on the production folder (or staging, where nothing is in production yet, or `--model`):
by REST in rows and columns and, for TensorFlow Serving, by gRPC with its own client.
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

from thawline.components.shared.errors import ConfigError, NotFound, Unavailable, UserError
from thawline.pipeline.config import loading
from thawline.pipeline.registry import lookup
from thawline.pipeline.server import model_choice, tensorflow_serving
from thawline.pipeline.server.model_choice import ServeOptions
from thawline.pipeline.terminal.console import say

NAME = 'checked'
_START_SECONDS = 300
_TOLERANCE = 1e-4  # batches add up in another order
Arrays = dict[str, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Question:
    """Inputs of a signature, and the model's own answer."""

    signature: str
    inputs: Arrays
    answer: Arrays


def questions(model: pathlib.Path) -> list[Question]:
    """Synthetic images for every signature that predicts."""
    from thawline.components.saved_model.runner import encode_example
    from thawline.pipeline.server.servable import Servable

    loaded = Servable(model, 1)
    images = [_draw(kind, side) for kind, side in (('PNG', 40), ('JPEG', 300), ('BMP', 64))]
    rng = np.random.default_rng(0)
    inputs: dict[str, Arrays] = {
        'serving_bytes': {'image_bytes': _objects(images)},
        'serving_default': {'examples': _objects([encode_example(image) for image in images])},
        'serving_pixels': {'pixels': rng.integers(0, 256, (3, 30, 20, 3), np.uint8)},
    }
    if 'serving_features' in loaded.signatures:
        (features,) = loaded.signatures['serving_features'].values()
        assert features.shape is not None
        width = features.shape[1] or 1
        inputs['serving_features'] = {'features': rng.normal(size=(3, width)).astype(np.float32)}
    return [Question(name, arrays, loaded.predict(name, arrays)) for name, arrays in inputs.items()]


def _draw(kind: str, side: int) -> bytes:
    from PIL import Image

    noise = np.random.default_rng(side).integers(0, 256, (side, side + 7, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, kind)
    return file.getvalue()


def _objects(values: Sequence[bytes]) -> np.ndarray:
    array = np.empty(len(values), object)
    array[:] = values
    return array


def _as_json(value: np.ndarray) -> Any:
    if value.dtype == object:
        return [{'b64': base64.b64encode(item).decode()} for item in value]
    return value.tolist()


def differences(outputs: Mapping[str, Any], expected: Arrays) -> list[str]:
    """A line for each output that differs; strings may be bytes or text."""
    problems = [] if outputs.keys() == expected.keys() else [f'the outputs are {sorted(outputs)}']
    for name in outputs.keys() & expected.keys():
        value = expected[name]
        if value.dtype == object:
            texts = [t.decode() if isinstance(t, bytes) else t for t in list(outputs[name])]
            same = texts == [t.decode() for t in value]
        else:
            output = np.array(outputs[name], value.dtype)
            same = output.shape == value.shape and np.allclose(output, value, atol=_TOLERANCE)
        if not same:
            problems.append(f'{name} differs')
    return problems


def post(address: str, path: str, document: object) -> tuple[int, Any]:
    """Status and JSON of an answer."""
    body = json.dumps(document).encode()
    try:
        with urllib.request.urlopen(f'{address}{path}', body, timeout=120) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def check_rest(address: str, asked: Sequence[Question]) -> Iterator[tuple[str, list[str]]]:
    """Asks over REST; yields the name of each check, and its problems."""
    path = f'/v1/models/{NAME}:predict'
    for question in asked:
        columns = {name: _as_json(value) for name, value in question.inputs.items()}
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        request = {'signature_name': question.signature}
        status, answer = post(address, path, {**request, 'inputs': columns})
        outputs = answer.get('outputs', {}) if status == 200 else {}
        yield f'{question.signature} by column', differences(outputs, question.answer)
        status, answer = post(address, path, {**request, 'instances': rows})
        by_row = answer.get('predictions', []) if status == 200 else []
        outputs = {name: [row[name] for row in by_row] for name in (by_row or [{}])[0]}
        yield f'{question.signature} by row', differences(outputs, question.answer)
    garbage = {'signature_name': 'serving_bytes', 'instances': [{'b64': 'AAAA'}]}
    for title, where, document, expected in (
        ('garbage', path, garbage, 400),
        ('an unknown signature', path, {'signature_name': 'x', 'instances': [1]}, 400),
        ('no rows', path, {'instances': []}, 400),
        ('an unknown model', '/v1/models/x:predict', {'instances': ['x']}, 404),
    ):
        status, answer = post(address, where, document)
        is_right = status == expected and list(answer) == ['error']
        yield f'{title}: {expected}', [] if is_right else [f'status {status}: {answer}']


def check_grpc(target: str, asked: Sequence[Question]) -> Iterator[tuple[str, list[str]]]:
    """Asks over gRPC, with the client of TensorFlow Serving."""
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    with grpc.insecure_channel(target) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        for question in asked:
            request = predict_pb2.PredictRequest()
            request.model_spec.name = NAME
            request.model_spec.signature_name = question.signature
            for name, value in question.inputs.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
            response = stub.Predict(request, timeout=120)
            outputs = {name: tf.make_ndarray(value) for name, value in response.outputs.items()}
            yield f'{question.signature} over gRPC', differences(outputs, question.answer)


@contextlib.contextmanager
def serving(arguments: Sequence[str]) -> Iterator[Callable[[], str]]:
    """`thawline serve` as a process; yields a function that reads its output so far."""
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

        def output() -> str:
            # Not by `log`, whose position it shares with the process.
            text = pathlib.Path(log.name).read_text('utf-8', 'replace')
            if process.poll() is not None:
                raise ConfigError(f'the server ended with {process.returncode}: {text[-2000:]}')
            return text

        try:
            yield output
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def address_of(output: Callable[[], str]) -> str:
    """Where a server answers, once it does."""
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        address = re.search(r'http://127\.0\.0\.1:\d+', output())
        with contextlib.suppress(OSError):
            if address:
                urllib.request.urlopen(f'{address[0]}/v1/models/{NAME}/metadata', timeout=5)
                return address[0]
        time.sleep(0.2)
    raise Unavailable(f'the server was not ready within {_START_SECONDS} s: {output()[-2000:]}')


@click.command()
@click.argument('config', required=False, type=click.Path(path_type=pathlib.Path))
@click.option('--model', metavar='MODEL', help='As thawline serve takes it.')
def main(config: pathlib.Path | None, model: str | None) -> None:
    """Checks the installed servers on a model; exit code 1 where an answer is wrong."""
    console = rich.console.Console()
    try:
        failed = _check(config, model, console)
    except UserError as error:
        raise SystemExit(f'error: {error}') from error
    raise SystemExit(1 if failed else 0)


def _check(config: pathlib.Path | None, model: str | None, console: rich.console.Console) -> int:
    """The number of failed checks."""
    served = _target(config, model)
    folder = next(iter(served.versions().values()))
    say(console, f'model: {folder}')
    with console.status('asking the model itself'):
        asked = questions(folder)
    arguments = ['--model', str(served.folder), '--port', '0']
    say(console, ('the server in Python', 'bold'))
    with serving([*arguments, '--python']) as output:
        failed = _report(console, check_rest(address_of(output), asked))
    program, reason = tensorflow_serving.find_installation()
    say(console, ('TensorFlow Serving', 'bold'))
    if program is None:
        say(console, f'  skipped: {reason}')
        return failed
    with serving(arguments) as output:
        address = address_of(output)
        failed += _report(console, check_rest(address, asked))
        grpc = re.search(r'gRPC: (\S+)', output())
        assert grpc is not None
        failed += _report(console, check_grpc(grpc[1], asked))
    return failed


def _target(config: pathlib.Path | None, model: str | None) -> model_choice.ServedModel:
    project = loading.load_project(config, demo=True)
    stages = project.stages
    recorded = functools.partial(lookup.find_saved_model, project)
    try:
        return model_choice.choose_model(stages, ServeOptions(model=model), recorded)
    except NotFound:
        if model is not None:
            raise
        return model_choice.choose_model(stages, ServeOptions(stage='staging'), recorded)


def _report(console: rich.console.Console, checks: Iterator[tuple[str, list[str]]]) -> int:
    failed = 0
    for name, problems in checks:
        failed += bool(problems)
        mark = ('  ✗ ', 'red') if problems else ('  ✓ ', 'green')
        say(console, mark, name, f': {"; ".join(problems)}' if problems else '')
    return failed


if __name__ == '__main__':
    main()

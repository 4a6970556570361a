"""The check of servers, on a real model behind our own server and behind a gRPC service."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import numpy as np
import pytest

from tests.pipeline.server.conftest import served_model  # noqa: F401 - a fixture
from thawline.pipeline.tools import serve_check
from thawline.pipeline.tools.serve_check import Question


@pytest.fixture(scope='module')
def asked(served_model: pathlib.Path) -> list[Question]:  # noqa: F811 - the fixture
    return serve_check.questions(served_model)


@pytest.fixture(scope='module')
def address(
    served_model: pathlib.Path,  # noqa: F811 - the fixture
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    from tests.pipeline.server import server_setup

    base = tmp_path_factory.mktemp('checked') / 'models'
    server_setup.put(served_model, base, 1)
    with server_setup.listening(server_setup.site(base, name=serve_check.NAME)) as url:
        yield url


def test_our_server_gives_the_answers_of_the_model(address: str, asked: list[Question]) -> None:
    problems = dict(serve_check.check_rest(address, asked))
    assert len(problems) == 2 * len(asked) + 4
    assert [one.signature for one in asked] == [
        'serving_bytes', 'serving_default', 'serving_pixels', 'serving_features'
    ]  # fmt: skip
    assert not any(problems.values()), problems


def test_answers_that_differ_are_told(address: str, asked: list[Question]) -> None:
    first = asked[0]
    moved = {**first.answer, 'score': first.answer['score'] + 0.01}
    wrong = [dataclasses.replace(first, answer=moved)]
    problems = dict(serve_check.check_rest(address, wrong))
    assert problems['serving_bytes by column'] == ['score differs']
    assert problems['serving_bytes by row'] == ['score differs']
    label = {'label': np.array([b'a', 'ü'.encode()], object)}
    assert serve_check.differences({'label': ['a', 'ü']}, label) == []
    assert serve_check.differences({'label': ['a', 'u']}, label) == ['label differs']
    assert serve_check.differences({}, label) == ['the outputs are []']
    assert serve_check.differences({'x': [1]}, {'x': np.zeros(2)}) == ['x differs']


def test_the_grpc_client_gets_them_too(
    served_model: pathlib.Path,  # noqa: F811 - the fixture
    asked: list[Question],
) -> None:
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    from thawline.pipeline.server.servable import Servable

    loaded = Servable(served_model, 1)

    class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
        """The part of TensorFlow Serving that the check asks."""

        def Predict(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
            assert request.model_spec.name == serve_check.NAME
            inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
            response = predict_pb2.PredictResponse()
            for name, value in loaded.predict(request.model_spec.signature_name, inputs).items():
                response.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return response

    server = grpc.server(futures.ThreadPoolExecutor(2))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Service(), server)
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    try:
        problems = dict(serve_check.check_grpc(f'127.0.0.1:{port}', asked))
    finally:
        server.stop(None)
    assert len(problems) == len(asked) and not any(problems.values()), problems

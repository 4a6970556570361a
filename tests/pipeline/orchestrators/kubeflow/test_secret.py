"""Secrets of Vertex AI's tasks, from a server that speaks Secret Manager's protocol."""

import concurrent.futures

import grpc
import pytest
from google.cloud import secretmanager
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.orchestrators.kubeflow import secret

NAME = 'projects/acme/secrets/thawline/versions/latest'
SERVICE = 'google.cloud.secretmanager.v1.SecretManagerService'


def access(request, context):
    if request.name != NAME:
        context.abort(grpc.StatusCode.NOT_FOUND, 'no such secret')
    payload = secretmanager.SecretPayload(data=b'{"THAWLINE_DB": "hunter2"}')
    return secretmanager.AccessSecretVersionResponse(name=request.name, payload=payload)


@pytest.fixture(scope='module')
def client():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    handler = grpc.unary_unary_rpc_method_handler(
        access,
        request_deserializer=secretmanager.AccessSecretVersionRequest.deserialize,
        response_serializer=secretmanager.AccessSecretVersionResponse.serialize,
    )
    methods = {'AccessSecretVersion': handler}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, methods),))
    port = server.add_insecure_port('127.0.0.1:0')
    server.start()
    channel = grpc.insecure_channel(f'127.0.0.1:{port}')
    transport = SecretManagerServiceGrpcTransport(channel=channel)
    yield secretmanager.SecretManagerServiceClient(transport=transport)
    channel.close()
    server.stop(None)


def test_variables_of_a_secret(client):
    assert secret.read_variables(NAME, client) == {'THAWLINE_DB': 'hunter2'}


def test_a_secret_that_is_not_there(client):
    with pytest.raises(ConfigError, match='the secret projects/a/secrets/b/versions/1 cannot be r'):
        secret.read_variables('projects/a/secrets/b/versions/1', client)

"""Whether a service answers. Each look is bounded in time, so that nothing hangs on an absent one.

Beam itself waits minutes for a job server that is not there, and Flink for ever for a worker.
"""

from __future__ import annotations

import json
import logging
import socket
import urllib.error
import urllib.request
from typing import Any

from thawline.components.shared.errors import ConfigError

PATIENCE = 10.0  # seconds


def listens(address: str, seconds: float = 1.0) -> bool:
    """Whether a gRPC server is at host:port within some seconds."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(seconds)
        except grpc.FutureTimeoutError:
            return False
    return True


def job_server(address: str) -> None:
    """Checks that a job server answers.

    Raises:
        ConfigError: nothing does, or something else.
    """
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

    what = f'beam.job_endpoint: no Beam job server answers at {address}'
    if not listens(address, PATIENCE):
        raise ConfigError(
            f'{what} ({PATIENCE:g} s); start it, correct the address, or leave the key out to '
            'have one started'
        )
    with grpc.insecure_channel(address) as channel:
        try:
            beam_job_api_pb2_grpc.JobServiceStub(channel).DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=PATIENCE
            )
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                logging.info('the job server at %s does not describe its options', address)
                return
            raise ConfigError(f'{what}: {error.code().name}') from error


def worker_pool(address: str) -> None:
    """Checks that something listens where workers are asked for.

    Raises:
        ConfigError: nothing does.
    """
    if not listens(address, PATIENCE):
        raise ConfigError(
            f'beam.worker_pool: no worker pool answers at {address} ({PATIENCE:g} s); start one '
            f'there with: thawline workers --port {address.rpartition(":")[2]}; or leave the key '
            'out to have one started on this machine'
        )


def flink(master: str) -> int:
    """Checks that a Flink cluster answers; returns its free and busy slots together.

    Raises:
        ConfigError: nothing does, or it has no slot.
    """
    found = flink_rest(master, '/overview')
    slots = int(found['slots-total'])
    if slots < 1:
        raise ConfigError(
            f'the Flink cluster at {master} has no TaskManager with a slot; start one'
        )
    return slots


def spark(address: str) -> None:
    """Checks that something listens where a Spark cluster's master is said to be.

    Spark itself tries for minutes.

    Raises:
        ConfigError: nothing does.
    """
    host, _, port = address.rpartition(':')
    try:
        socket.create_connection((host.strip('[]'), int(port)), timeout=PATIENCE).close()
    except OSError as error:
        raise ConfigError(
            f'beam.spark.master: no Spark cluster answers at {address} ({error}); start it, or '
            'correct the address'
        ) from error


def flink_rest(master: str, path: str, method: str = 'GET') -> dict[str, Any]:
    """What Flink's REST interface answers.

    Raises:
        ConfigError: nothing answers, or something that is no Flink.
    """
    url = f'http://{master}{path}'
    try:
        found = answered(url, method)
        if not isinstance(found, dict) or (path == '/overview' and 'slots-total' not in found):
            raise ValueError('it is no Flink')
    except (OSError, ValueError, urllib.error.URLError) as error:
        why = getattr(error, 'reason', None) or error
        raise ConfigError(
            f'beam.flink.master: no Flink cluster answers at {master} ({why}); start it, or '
            'correct the address'
        ) from error
    return found


def answered(url: str, method: str = 'GET') -> Any:
    """The JSON that a page of a cluster answers; an empty answer is {}.

    Raises:
        OSError: nothing answers.
        ValueError: something that is no JSON.
    """
    request = urllib.request.Request(url, method=method)
    # No proxy: the cluster is in the own network.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=PATIENCE) as answer:
        return json.loads(answer.read() or b'{}')

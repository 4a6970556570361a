"""Checks that services answer, each within bounded time; one that does not is `Unavailable`.

Beam itself waits minutes for an absent job server, and Flink waits forever for a worker.
"""

from __future__ import annotations

import json
import logging
import socket
import urllib.error
import urllib.request
from typing import Any

from thawline.components.shared.errors import Unavailable

TIMEOUT = 10.0  # seconds


def is_listening(address: str, seconds: float = 1.0) -> bool:
    """Whether a gRPC server accepts connections at host:port within some seconds."""
    import grpc

    with grpc.insecure_channel(address) as channel:
        try:
            grpc.channel_ready_future(channel).result(seconds)
        except grpc.FutureTimeoutError:
            return False
    return True


def check_job_server(address: str) -> None:
    """Checks that a Beam job server answers, and nothing else."""
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2, beam_job_api_pb2_grpc

    problem = f'beam.job_endpoint: no Beam job server answers at {address}'
    if not is_listening(address, TIMEOUT):
        raise Unavailable(
            f'{problem} ({TIMEOUT:g} s); start it, correct the address, or remove the key to '
            'have one started'
        )
    with grpc.insecure_channel(address) as channel:
        try:
            beam_job_api_pb2_grpc.JobServiceStub(channel).DescribePipelineOptions(
                beam_job_api_pb2.DescribePipelineOptionsRequest(), timeout=TIMEOUT
            )
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                logging.info('the job server at %s does not describe its options', address)
                return
            raise Unavailable(f'{problem}: {error.code().name}') from error


def check_worker_pool(address: str) -> None:
    """Checks that something listens where workers are requested."""
    if not is_listening(address, TIMEOUT):
        raise Unavailable(
            f'beam.worker_pool: no worker pool answers at {address} ({TIMEOUT:g} s); start one '
            f'there with: thawline workers --port {address.rpartition(":")[2]}; or remove the key '
            'to have one started on this machine'
        )


def flink_slots(master: str) -> int:
    """The slots of a Flink cluster, free and busy ones together; none is an error too."""
    slots = int(ask_flink(master, '/overview')['slots-total'])
    if slots < 1:
        raise Unavailable(
            f'the Flink cluster at {master} has no TaskManager with a slot; start one'
        )
    return slots


def check_spark(address: str) -> None:
    """Checks that something listens at the address of a Spark master; Spark tries for minutes."""
    host, _, port = address.rpartition(':')
    try:
        socket.create_connection((host.strip('[]'), int(port)), timeout=TIMEOUT).close()
    except OSError as error:
        raise Unavailable(
            f'beam.spark.master: no Spark cluster answers at {address} ({error}); start it, or '
            'correct the address'
        ) from error


def ask_flink(master: str, path: str, method: str = 'GET') -> dict[str, Any]:
    """The answer of Flink's REST interface."""
    try:
        answer = fetch_json(f'http://{master}{path}', method)
        if not isinstance(answer, dict) or (path == '/overview' and 'slots-total' not in answer):
            raise ValueError('it is not Flink')
    except (OSError, ValueError, urllib.error.URLError) as error:
        reason = getattr(error, 'reason', None) or error
        raise Unavailable(
            f'beam.flink.master: no Flink cluster answers at {master} ({reason}); start it, or '
            'correct the address'
        ) from error
    return answer


def fetch_json(url: str, method: str = 'GET') -> Any:
    """The JSON at an address of a cluster, {} for an empty answer; else OSError or ValueError."""
    request = urllib.request.Request(url, method=method)
    # No proxy: the cluster is in our own network.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=TIMEOUT) as answer:
        return json.loads(answer.read() or b'{}')

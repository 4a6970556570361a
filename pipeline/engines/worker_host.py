"""One process of a worker pool: runs Beam's Python workers as threads, with all imports done.

Beam's own pool starts a process for each worker of each job and stage, and each imports TensorFlow
and TFX: ten seconds and more, a dozen times a run.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import os
from concurrent import futures

import grpc
from apache_beam.portability.api import beam_fn_api_pb2, beam_fn_api_pb2_grpc
from apache_beam.runners.worker import worker_pool_main

from thawline.components.shared import parent_death

# What the nodes' pipelines unpickle; TFX first, so that its import order holds.
_IMPORTS = (
    'thawline.pipeline.tfx_imports',
    'thawline.components.ingestion.beam_pipeline',
    'thawline.components.transform.component',
    'thawline.components.embedding.beam_pipeline',
    'thawline.components.evaluation.tfma_run',
    'thawline.components.evaluation.inference',
    'thawline.pipeline.prediction.beam_pipeline',
    'thawline.components.bulk_prediction.inferrer',
)
# Bytes of side inputs that a worker keeps between bundles; else each bundle fetches them again.
_STATE_CACHE = 100 * 2**20


class _Servicer(worker_pool_main.BeamFnExternalWorkerPoolServicer):
    """Beam's, except that it stops no worker."""

    def StopWorker(  # noqa: N802 - the name is gRPC's
        self, stop_worker_request: beam_fn_api_pb2.StopWorkerRequest, unused_context: object
    ) -> beam_fn_api_pb2.StopWorkerResponse:
        """Does nothing: a worker ends with the runner's stream of work.

        Ids are unique only within a runner's process. Two Flink TaskManagers that share a pool both
        call their workers 1-1, 2-1 and so on, and Beam's servicer would stop the other one's.
        """
        return beam_fn_api_pb2.StopWorkerResponse()


def serve(port: int = 0) -> tuple[int, grpc.Server]:
    """Listens on the loopback interface; returns the port and the server."""
    server = grpc.server(futures.ThreadPoolExecutor(8))
    bound = server.add_insecure_port(f'127.0.0.1:{port}')
    beam_fn_api_pb2_grpc.add_BeamFnExternalWorkerPoolServicer_to_server(
        _Servicer(use_process=False, state_cache_size=_STATE_CACHE, data_buffer_time_limit_ms=-1),
        server,
    )
    server.start()
    return bound, server


def main() -> None:
    """Serves until the parent ends; prints its port when it is ready."""
    parser = argparse.ArgumentParser()
    parser.add_argument('--parent', type=int, required=True)
    parser.add_argument('--ready', type=int, required=True, help='descriptor that gets the port')
    arguments = parser.parse_args()
    parent_death.die_with(arguments.parent)
    logging.basicConfig(level=logging.INFO)
    # Hundreds of lines about types at each start.
    logging.getLogger('apache_beam.typehints').setLevel(logging.WARNING)
    logging.getLogger('absl').setLevel(logging.WARNING)
    for name in _IMPORTS:
        importlib.import_module(name)
    port, server = serve()
    os.write(arguments.ready, f'{port}\n'.encode())
    os.close(arguments.ready)
    server.wait_for_termination()


if __name__ == '__main__':
    main()

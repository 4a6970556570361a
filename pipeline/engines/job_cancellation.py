"""Cancels jobs that would outlive the run that submitted them."""

from __future__ import annotations

import logging

from thawline.components.shared.errors import Unavailable
from thawline.pipeline.engines import health_checks

# Beam's portable runner calls each job "job"; only the options have its own name.
_NAME = 'beam:option:job_name:v1'


def cancel(job_server: str, name: str) -> None:
    """Asks a Beam job server (host:port) to cancel the unfinished jobs with a name.

    A server that is gone or cannot cancel is logged: nothing more can be done from here.
    """
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2 as api
    from apache_beam.portability.api import beam_job_api_pb2_grpc as services
    from google.protobuf import json_format

    unfinished = (
        api.JobState.STARTING,
        api.JobState.RUNNING,
        api.JobState.DRAINING,
        api.JobState.UPDATING,
    )
    try:
        with grpc.insecure_channel(job_server) as channel:
            jobs = services.JobServiceStub(channel)
            answer = jobs.GetJobs(api.GetJobsRequest(), timeout=health_checks.TIMEOUT)
            for job in answer.job_info:
                options = json_format.MessageToDict(job.pipeline_options)
                if options.get(_NAME) == name and job.state in unfinished:
                    jobs.Cancel(
                        api.CancelJobRequest(job_id=job.job_id), timeout=health_checks.TIMEOUT
                    )
                    logging.info('canceled %s at the job server %s', name, job_server)
    except grpc.RpcError as error:
        logging.error('%s could not be canceled at %s: %s', name, job_server, error.code().name)


def cancel_on_flink(master: str, name: str) -> None:
    """Cancels the unfinished jobs with a name by the JobManager's REST interface (host:port)."""
    try:
        for job in health_checks.ask_flink(master, '/jobs/overview')['jobs']:
            if job['name'] == name and job['state'] in ('RUNNING', 'CREATED'):
                health_checks.ask_flink(master, f'/jobs/{job["jid"]}', 'PATCH')
                logging.info('canceled %s on Flink', name)
    except (Unavailable, KeyError):
        logging.exception('%s could not be canceled on Flink', name)

"""Ends jobs that would go on after the run that sent them."""

from __future__ import annotations

import logging

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.engines import health_checks

# Beam's portable runner calls each job "job"; its own name is among the options alone.
_NAME = 'beam:option:job_name:v1'


def cancel(job_server: str, name: str) -> None:
    """Asks a job server of Beam to cancel the jobs of a name that have not ended.

    A server that is gone, or that cannot cancel, is logged: there is nothing left to do from here.

    Args:
        job_server: host:port.
        name: of the jobs.
    """
    import grpc
    from apache_beam.portability.api import beam_job_api_pb2 as api
    from apache_beam.portability.api import beam_job_api_pb2_grpc as services
    from google.protobuf import json_format

    going = (
        api.JobState.STARTING,
        api.JobState.RUNNING,
        api.JobState.DRAINING,
        api.JobState.UPDATING,
    )
    try:
        with grpc.insecure_channel(job_server) as channel:
            jobs = services.JobServiceStub(channel)
            listed = jobs.GetJobs(api.GetJobsRequest(), timeout=health_checks.PATIENCE).job_info
            for job in listed:
                options = json_format.MessageToDict(job.pipeline_options)
                if options.get(_NAME) == name and job.state in going:
                    jobs.Cancel(
                        api.CancelJobRequest(job_id=job.job_id), timeout=health_checks.PATIENCE
                    )
                    logging.info('canceled %s at the job server %s', name, job_server)
    except grpc.RpcError as error:
        logging.error('%s could not be canceled at %s: %s', name, job_server, error.code().name)


def cancel_on_flink(master: str, name: str) -> None:
    """Cancels the jobs of a name that have not ended, by Flink's own interface.

    Args:
        master: host:port of the JobManager's REST interface.
        name: of the jobs.
    """
    try:
        for job in health_checks.flink_rest(master, '/jobs/overview')['jobs']:
            if job['name'] == name and job['state'] in ('RUNNING', 'CREATED'):
                health_checks.flink_rest(master, f'/jobs/{job["jid"]}', 'PATCH')
                logging.info('canceled %s on Flink', name)
    except (ConfigError, KeyError):
        logging.exception('%s could not be canceled on Flink', name)

"""`thawline serve`: a model behind HTTP, by TensorFlow Serving if it is installed, else our own."""

from __future__ import annotations

import pathlib
import re
import sys
from typing import TYPE_CHECKING, Any

import click

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.commands.arguments import PATH, model_project_argument
from thawline.pipeline.commands.logged_work import log_path

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project

_PORT = click.IntRange(0, 65_535)

_RECORDING = (1.0, 10_000, 1_000)  # share, answers, megabytes


@click.command()
@model_project_argument
@click.option(
    '--stage',
    default='production',
    show_default=True,
    type=click.Choice(['production', 'staging']),
    help='Serve the highest version of this stage.',
)
@click.option(
    '--model',
    metavar='MODEL',
    is_eager=True,
    help='Serve this instead: a SavedModel, a folder of versions, or a model or run id.',
)
@click.option('--name', metavar='NAME', help="Name in the URLs; default: the project's.")
@click.option('--host', metavar='ADDRESS', help='Address to listen on; default: loopback only.')
@click.option(
    '--port',
    metavar='PORT',
    default=8501,
    show_default=True,
    type=_PORT,
    help='Port of REST and the page; 0 picks a free one.',
)
@click.option(
    '--grpc-port',
    metavar='PORT',
    default=8500,
    show_default=True,
    type=click.IntRange(1, 65_535),
    help='gRPC port of TensorFlow Serving.',
)
@click.option('--python', is_flag=True, help='Use the Python server even with TensorFlow Serving.')
@click.option(
    '--max-body',
    default=32,
    show_default=True,
    type=click.IntRange(1, 1024),
    metavar='MB',
    help='Largest request.',
)
@click.option(
    '--max-values',
    metavar='N',
    default=1_000_000,
    show_default=True,
    type=click.IntRange(1),
    help='Most values in the JSON of a request.',
)
@click.option(
    '--max-batch',
    metavar='N',
    default=256,
    show_default=True,
    type=click.IntRange(1),
    help='Most rows per request.',
)
@click.option(
    '--max-pixels',
    metavar='N',
    default=50_000_000,
    show_default=True,
    type=click.IntRange(1),
    help='Most pixels per request, all images together.',
)
@click.option(
    '--grace',
    default=20,
    show_default=True,
    type=click.IntRange(0, 3600),
    metavar='SECONDS',
    help='Time for running requests to finish on shutdown.',
)
@click.option(
    '--record',
    type=PATH,
    metavar='FOLDER',
    help='Keep images and answers there, for thawline drift; think of privacy first.',
)
@click.option(
    '--record-share',
    default=_RECORDING[0],
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True),
    metavar='SHARE',
    help='Share of the answers that is kept, drawn at random.',
)
@click.option(
    '--record-answers',
    metavar='N',
    default=_RECORDING[1],
    show_default=True,
    type=click.IntRange(1),
    help='Most answers in the folder; then recording stops.',
)
@click.option(
    '--record-megabytes',
    metavar='MB',
    default=_RECORDING[2],
    show_default=True,
    type=click.IntRange(1),
    help='Most megabytes in the folder; then recording stops.',
)
def command(
    project: Project,
    max_body: int,
    max_values: int,
    max_batch: int,
    max_pixels: int,
    record: pathlib.Path | None,
    record_share: float,
    record_answers: int,
    record_megabytes: int,
    **options: Any,
) -> None:
    """Serve the production model over HTTP, with a page to try it out.

    Uses TensorFlow Serving if tensorflow_model_server or docker is installed, else a small Python
    server with the same REST API.
    """
    import rich.console

    from thawline.pipeline.recording.recorder import RecordingSettings
    from thawline.pipeline.registry import integrity
    from thawline.pipeline.server import model_choice, python_server, tensorflow_serving
    from thawline.pipeline.server.limits import RequestLimits
    from thawline.pipeline.terminal.console import say

    limits = RequestLimits(max_body * 2**20, max_values, max_batch, max_pixels)
    recording = None
    if record is not None:
        bounds = record_answers, record_megabytes * 2**20
        recording = RecordingSettings(record.resolve(), record_share, *bounds)
    elif (record_share, record_answers, record_megabytes) != _RECORDING:
        raise ConfigError('--record-share, --record-answers and --record-megabytes need --record')
    chosen = model_choice.ServeOptions(limits=limits, recording=recording, **options)
    name = chosen.name or project.name
    if not re.fullmatch(r'[A-Za-z0-9_.-]{1,100}', name):
        raise ConfigError(f'--name: use 1 to 100 letters, digits, _, . or -; received {name!r}')

    def recorded_model(model: str) -> pathlib.Path:
        from thawline.pipeline.registry import lookup

        return lookup.find_saved_model(project, model)

    served = model_choice.choose_model(project.stages, chosen, recorded_model)
    console = rich.console.Console(file=sys.stdout)

    def check(folder: pathlib.Path) -> str:
        return integrity.check_folder(project, folder)

    if not chosen.python:
        installation, why = tensorflow_serving.find_installation()
        if installation is not None and recording is not None:
            raise ConfigError(
                '--record needs the server in Python, and TensorFlow Serving is installed: add '
                '--python'
            )
        if installation is not None:
            # The one that it will load now; what it loads later nobody here sees.
            for folder in list(served.versions().values())[:1]:
                if note := check(folder):
                    say(console, ('note: ', 'yellow'), note)
            with tensorflow_serving.prepare(installation, served, name, chosen) as server:
                what = 'in docker' if installation.is_docker else installation.program
                say(console, f'TensorFlow Serving ({what}) on {server.folder}')
                if not installation.is_docker:
                    say(console, ('it listens on all addresses of this machine', 'yellow'))
                address, ports = python_server.LOOPBACK, server.ports
                rest = f'http://{address}:{ports.rest}/v1/models/{name}'
                say(console, 'REST: ', (rest, 'bold'), f'   gRPC: {address}:{ports.grpc}')
                say(console, 'Stop with Ctrl-C')
                sys.stdout.flush()
                sys.exit(server.run())
        say(console, (f'{why}: starting the server in Python', 'dim'))
    settings = python_server.ServiceSettings(
        served.folder, served.versions, check, name, chosen.host, chosen.port,
        project.config.data.max_side, chosen.limits, chosen.grace, chosen.recording,
    )  # fmt: skip
    python_server.serve(settings, log_path(project, 'serve'))

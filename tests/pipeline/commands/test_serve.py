"""Which model is served, by what, and what is output where nothing can be."""

from __future__ import annotations

import os
import pathlib
import signal
import socket
import subprocess
import time

import click.testing
import pytest

from tests import fork_server
from thawline import ROOT
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline import cli
from thawline.pipeline.server import model_choice, tensorflow_serving
from thawline.pipeline.server.model_choice import ServedModel, ServeOptions
from thawline.pipeline.server.tensorflow_serving import Installation, Ports

# Stands for the program that no package index has: says how it was called and waits to be ended.
BINARY = """#!/bin/sh
trap 'echo ended; exit 143' TERM
echo "$0 $*"
while :; do sleep 0.05; done
"""


def version(base: pathlib.Path, number: int) -> pathlib.Path:
    folder = base / str(number)
    (folder / 'variables').mkdir(parents=True)
    (folder / 'saved_model.pb').write_bytes(b'model')
    (folder / 'variables' / 'variables.index').write_bytes(b'index')
    return folder


def stages(tmp_path: pathlib.Path) -> dict[str, str]:
    return {'production': str(tmp_path / 'production'), 'staging': str(tmp_path / 'staging')}


def served(places: dict[str, str], **options: str) -> ServedModel:
    """The target, where the metadata has one model: 12, at `<staging>/17`."""

    def recorded_model(name: str) -> pathlib.Path:
        assert name == '12'
        return pathlib.Path(places['staging'], '17')

    return model_choice.choose_model(places, ServeOptions(**options), recorded_model)


def test_production_staging_or_a_path(tmp_path: pathlib.Path) -> None:
    version(tmp_path / 'production', 3)
    single = version(tmp_path / 'staging', 17)
    places = stages(tmp_path)
    assert served(places) == ServedModel(tmp_path / 'production', None)
    assert list(served(places).versions()) == [3]
    staging = served(places, stage='staging')
    assert staging == ServedModel(tmp_path / 'staging', None)
    assert served(places, model=str(tmp_path / 'staging')) == staging
    assert served(places, model=str(single)) == ServedModel(single, 17)
    assert served(places, model='staging') == staging
    assert served(places, model='12') == ServedModel(single, 17)
    other = single.rename(tmp_path / 'exported')
    chosen = served(places, model=str(other))
    assert chosen.versions() == {1: other}


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        ({}, 'train one with: thawline run, then: thawline promote'),
        ({'stage': 'staging'}, 'train one with: thawline run'),
        ({'model': 'production'}, 'train one with: thawline run'),
        ({'model': './nowhere'}, 'nowhere is neither a SavedModel nor a folder'),
    ],
)
def test_nothing_to_serve(tmp_path: pathlib.Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(NotFound, match=words):
        served(stages(tmp_path), **options)


def test_what_waits_in_staging_is_named_and_buckets_are_not_read(tmp_path: pathlib.Path) -> None:
    version(tmp_path / 'staging', 1)
    with pytest.raises(NotFound, match='thawline promote MODEL, or .*--stage staging'):
        served(stages(tmp_path))
    with pytest.raises(ConfigError, match='serving.production: gs://bucket/models'):
        served({**stages(tmp_path), 'production': 'gs://bucket/models'})


def test_command_lines_of_the_real_server(tmp_path: pathlib.Path) -> None:
    binary, docker = (
        Installation('/bin/tensorflow_model_server', False),
        Installation('/bin/docker', True),
    )
    ports = Ports(8501, 8500)
    assert tensorflow_serving.command_line(binary, tmp_path, 'cats', '127.0.0.1', ports) == [
        '/bin/tensorflow_model_server', '--port=8500', '--rest_api_port=8501',
        '--model_name=cats', f'--model_base_path={tmp_path}',
    ]  # fmt: skip
    command = tensorflow_serving.command_line(docker, tmp_path, 'cats', '127.0.0.1', ports)
    assert command[:4] == ['/bin/docker', 'run', '--rm', '--init']
    assert '127.0.0.1:8501:8501' in command and '127.0.0.1:8500:8500' in command
    assert f'type=bind,source={tmp_path},target=/models/cats,readonly' in command
    assert command[-1] == tensorflow_serving.IMAGE
    six = tensorflow_serving.command_line(docker, tmp_path, 'cats', '::1', ports)
    assert '[::1]:8501:8501' in six


def test_a_single_model_is_given_to_it_as_a_folder_of_versions(tmp_path: pathlib.Path) -> None:
    model = version(tmp_path / 'staging', 5)
    version(tmp_path / 'staging', 6)
    (tmp_path / 'scratch').mkdir()
    base = tensorflow_serving.link_as_version(model, 5, tmp_path / 'scratch')
    assert [version.name for version in base.iterdir()] == ['5']
    assert (base / '5' / 'variables' / 'variables.index').read_bytes() == b'index'


def programs(folder: pathlib.Path, **texts: str) -> str:
    folder.mkdir()
    for name, text in texts.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return str(folder)


@pytest.mark.parametrize(
    ('texts', 'program', 'why'),
    [
        ({}, None, 'found neither tensorflow_model_server nor docker'),
        ({'docker': '#!/bin/sh\nexit 1\n'}, None, 'docker daemon'),
        ({'docker': '#!/bin/sh\necho 28.1\n'}, 'docker', ''),
        ({'docker': '#!/bin/sh\necho 28.1\n', 'tensorflow_model_server': BINARY},
         'tensorflow_model_server', ''),
    ],
)  # fmt: skip
def test_what_can_be_started_here(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    texts: dict[str, str],
    program: str | None,
    why: str,
) -> None:
    folder = programs(tmp_path / 'bin', **texts)
    monkeypatch.setenv('PATH', folder)
    known, reason = tensorflow_serving.find_installation()
    assert (known and pathlib.Path(known.program).name) == program
    assert why in reason and bool(reason) == (program is None)


def test_the_binary_is_started_and_its_output_and_our_signals_are_passed_on(
    tmp_path: pathlib.Path,
) -> None:
    base = tmp_path / 'production'
    version(base, 3)
    path = os.pathsep.join((programs(tmp_path / 'bin', tensorflow_model_server=BINARY),
                            os.environ['PATH']))  # fmt: skip
    log = tmp_path / 'log'
    with log.open('w') as file:
        started = subprocess.Popen(
            [*fork_server.command(), 'serve', '--model', str(base), '--port', '0'],
            stdout=file, stderr=file, cwd=tmp_path,
            env={**os.environ, 'PATH': path, 'PYTHONPATH': str(ROOT)},
        )  # fmt: skip
    try:
        end = time.monotonic() + 120
        while '--model_base_path' not in log.read_text() and time.monotonic() < end:
            time.sleep(0.1)
        started.send_signal(signal.SIGTERM)
        assert started.wait(60) == 0, log.read_text()
    finally:
        started.kill()
        started.wait()
    output = log.read_text()
    assert f'--model_base_path={base}' in output and 'ended' in output
    assert 'all addresses' in output and '/v1/models/solar_cells' in output


def serve(*arguments: str) -> click.testing.Result:
    return click.testing.CliRunner().invoke(cli.main, ['serve', *arguments])


def test_mistakes_are_one_message(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    base = tmp_path / 'models'
    version(base, 1)
    assert 'thawline run --demo' in serve().output
    (tmp_path / 'thawline.yaml').write_text('name: x\ndata: {source: images}\n')
    assert 'error: no model in production' in serve().output
    (tmp_path / 'thawline.yaml').unlink()  # the folder of a model can do without
    assert "'a/b'" in serve('--model', str(base), '--name', 'a/b').output
    assert serve('--port', '70000').exit_code == 2
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = serve('--python', '--model', str(base), '--port', port)
    error, next_step = result.output.splitlines()
    assert result.exit_code == 6 and next_step.startswith('  next ')
    assert '--port: ' in error and f'127.0.0.1, port {port}' in error


def test_without_its_libraries_it_says_what_to_install(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    version(tmp_path / 'models', 1)
    monkeypatch.setattr('thawline.pipeline.server.python_server._LIBRARIES', ('no_such_library',))
    result = serve('--python', '--model', 'models')
    assert result.exit_code == 2
    assert 'needs no_such_library; install with: pip install "thawline[serve]"' in result.output


def test_tensorflow_serving_keeps_no_recordings(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    version(tmp_path / 'production', 3)
    folder = programs(tmp_path / 'bin', tensorflow_model_server=BINARY)
    monkeypatch.setenv('PATH', f'{folder}{os.pathsep}{os.environ["PATH"]}')
    monkeypatch.chdir(tmp_path)
    arguments = ['serve', '--model', str(tmp_path / 'production'), '--record', 'kept']
    done = click.testing.CliRunner().invoke(cli.main, arguments)
    assert done.exit_code == 2 and '--record needs the server in Python' in done.output
    assert '--python' in done.output and not (tmp_path / 'kept').exists()

"""The command as a user meets it: fast help, and one clear message a mistake, never a traceback."""

from __future__ import annotations

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import zlib

import click.testing
import pytest

from tests import fork_server
from tests.components.ingestion.images import class_folders
from thawline import ROOT
from thawline.components.ingestion import sources
from thawline.components.ingestion.params import Boxes
from thawline.pipeline import cli
from thawline.pipeline.config import loading

RED_DOT = bytes.fromhex(
    '89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cfc0'
    '000003010100c9fe92ef0000000049454e44ae426082'
)


def thawline(
    *arguments: str, cwd: pathlib.Path, fresh: bool = False
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*(fork_server.fresh_command() if fresh else fork_server.command()), *arguments],
        cwd=cwd, env={**os.environ, 'PYTHONPATH': str(ROOT), 'COLUMNS': '200'},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


def refused(project: pathlib.Path, code: int) -> str:
    """Runs the project, which must end with `code` before anything heavy starts."""
    done = thawline('run', cwd=project)
    output = done.stdout + done.stderr
    assert done.returncode == code, output
    assert 'Traceback' not in output
    assert 'error: ' in output
    assert '> ImageExampleGen' not in output
    return output


@pytest.fixture
def project(tmp_path: pathlib.Path) -> pathlib.Path:
    """A project whose two classes have twelve tiny images each."""
    for name in ('ant', 'bee'):
        (tmp_path / 'images' / name).mkdir(parents=True)
        for number in range(12):
            (tmp_path / 'images' / name / f'{number}.png').write_bytes(RED_DOT)
    write(tmp_path, '')
    return tmp_path


def write(project: pathlib.Path, rest: str, source: str = 'images') -> None:
    text = f'name: x\ndata: {{source: {source}}}\n'
    text += (
        'model: {backbone: efficientnet_lite0, weights: random}\n' if 'model' not in rest else ''
    )
    (project / 'thawline.yaml').write_text(text + rest, 'utf-8')


HEAVY = {'tensorflow', 'tfx', 'apache_beam', 'keras', 'numpy', 'scipy', 'ml_metadata', 'pydantic'}
COMMANDS = [name for lines in cli.SECTIONS.values() for name in lines]


def modules_after_help(*arguments: str) -> set[str]:
    """The modules that are imported once a help was printed."""
    code = (
        'import sys\n'
        'from thawline.pipeline import cli\n'
        'cli.main([*sys.argv[1:], "--help"], standalone_mode=False)\n'
        'print(*sys.modules, file=sys.stderr)'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_help_answers_at_once_and_imports_no_command(tmp_path):
    # The processor's time, which other tests beside this one do not stretch.
    before = os.times()
    for _ in range(5):
        answer = thawline('--help', cwd=tmp_path, fresh=True).stdout
        assert all(f'\n    {code}    ' in answer for code in (0, 1, 2, 3, 4, 6, 7))
    after = os.times()
    used = after.children_user + after.children_system
    used -= before.children_user + before.children_system
    assert used / 5 < 0.2  # seconds; 0.09 at rest
    imported = modules_after_help()
    assert not imported & HEAVY
    assert not [name for name in imported if name.startswith('thawline.pipeline.commands')]


@pytest.mark.parametrize('name', COMMANDS)
def test_help_of_a_command_imports_nothing_heavy(name):
    assert not modules_after_help(name) & HEAVY


def test_the_table_names_every_command_and_its_first_sentence():
    context = click.Context(cli.main)
    for lines in cli.SECTIONS.values():
        for name, line in lines.items():
            command = cli.main.get_command(context, name)
            assert command.get_short_help_str(limit=200) == line
    modules = {
        file.stem
        for file in pathlib.Path(cli.__file__).with_name('commands').glob('*.py')
        if '\ndef command(' in file.read_text('utf-8')
    }
    assert {name.replace('-', '_') for name in COMMANDS} == modules
    assert len(COMMANDS) == len(set(COMMANDS))


def test_help_lists_commands_in_sections_that_fit_80_columns(monkeypatch):
    monkeypatch.setenv('COLUMNS', '80')
    output = click.testing.CliRunner().invoke(cli.main, ['--help']).output
    for title, lines in cli.SECTIONS.items():
        section = output.partition(f'\n{title}:\n')[2].partition('\n\n')[0]
        assert [row.split()[0] for row in section.strip().splitlines()] == list(lines)


def test_no_such_command(tmp_path):
    done = thawline('runn', cwd=tmp_path)
    assert done.returncode == 2 and "'runn'" in done.stderr and 'Traceback' not in done.stderr


def test_no_such_path(project):
    write(project, '', source='imags')
    output = refused(project, 4)
    assert str(project / 'imags') in output
    assert 'images' in output  # what is there instead


def test_empty_folder(project):
    (project / 'empty').mkdir()
    write(project, '', source='empty')
    assert 'empty' in refused(project, 4)


def test_folder_without_images(project):
    (project / 'texts' / 'a').mkdir(parents=True)
    (project / 'texts' / 'a' / 'x.txt').write_text('x')
    write(project, '', source='texts')
    assert 'no image' in refused(project, 4).lower()


def test_one_class(project):
    for file in (project / 'images' / 'bee').iterdir():
        file.unlink()
    assert 'ant' in refused(project, 4)


def test_class_with_one_image(project):
    for file in sorted((project / 'images' / 'bee').iterdir())[1:]:
        file.unlink()
    assert 'bee' in refused(project, 4)


def test_labels_that_differ_only_in_case(project):
    (project / 'images' / 'Ant').mkdir()
    for number in range(12):
        (project / 'images' / 'Ant' / f'{number}.png').write_bytes(RED_DOT + b'%d' % number)
    output = refused(project, 4)
    assert 'Ant' in output and 'normalise_labels' in output


def test_nothing_to_predict_is_found_before_the_training(project):
    write(project, 'serving: {bulk: {data: unlabeled}}\n')
    output = refused(project, 4)
    assert 'serving.bulk.data: ' in output and str(project / 'unlabeled') in output


def test_csv_with_a_missing_column(project):
    (project / 'list.csv').write_text('where,label\nimages/ant/0.png,ant\n')
    write(project, '', source='list.csv')
    output = refused(project, 4)
    assert 'path' in output and 'data.columns.path' in output and 'list.csv' in output


def test_a_positive_class_that_does_not_exist_is_refused_before_anything_runs(project):
    write(project, "training: {decision: {aim: f1, positive: 'wasp'}}\n")
    output = refused(project, 2)
    assert "'wasp'" in output and "'ant', 'bee'" in output
    for value in ('1', 'yes', '2024-01-01'):
        write(project, f'training: {{decision: {{aim: f1, positive: {value}}}}}\n')
        assert 'quotation marks' in refused(project, 2)


@pytest.mark.parametrize('name', ['parts [v2]', 'what?', 'all*'])
def test_an_output_that_beam_reads_as_a_pattern_is_refused_at_once(project, name):
    home = shutil.copytree(project, project / 'below' / name)
    shutil.rmtree(home / 'images')
    class_folders(home / 'images', {'ant': 12, 'bee': 12})
    output = refused(home, 2)
    assert name in output and 'output' in output
    text = (home / 'thawline.yaml').read_text()
    (home / 'thawline.yaml').write_text(f"{text}output: '{project / 'elsewhere'}'\n")
    done = thawline('run', '--to', 'ImageExampleGen', cwd=home)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '24 images' in done.stdout


def test_unknown_key_wrong_type_and_percentage(project):
    for rest, part in (
        ('gat: {}', 'gat: unknown key; did you mean gate?'),
        ('training: {batch_size: big}', 'training.batch_size'),
        ('gate: {val_accuracy: 80}', 'write it as a share: 0.8'),
    ):
        write(project, rest)
        done = thawline('run', cwd=project)
        assert done.returncode == 2
        assert part in done.stderr
        assert 'Traceback' not in done.stderr


def test_missing_schema_file(project):
    text = 'name: x\ndata: {source: images, schema_file: reviewed.pbtxt}\n'
    (project / 'thawline.yaml').write_text(text)
    assert 'reviewed.pbtxt' in refused(project, 2)


def test_schema_that_does_not_parse(project):
    (project / 'schema.pbtxt').write_text('feature {\n  nam: "x"\n}\n')
    assert f'{project}/schema.pbtxt:2' in refused(project, 2)
    compiled = thawline('compile', cwd=project)
    assert compiled.returncode == 2 and 'schema.pbtxt:2' in compiled.stderr


def test_missing_weights_file(project):
    write(project, 'model: {backbone: mobilenet_v2, weights: lost.h5}\n')
    output = refused(project, 2)
    assert str(project / 'lost.h5') in output and 'model.weights' in output


def test_missing_configuration_says_how_to_make_one(tmp_path):
    done = thawline('run', str(tmp_path / 'thawline.yaml'), cwd=tmp_path)
    assert done.returncode == 2
    assert 'thawline init' in done.stderr


def test_only_excludes_from_and_to(project):
    done = thawline('run', '--only', 'Trainer', '--to', 'Pusher', cwd=project)
    assert done.returncode == 2
    assert '--only' in done.stderr


def test_second_run_of_the_same_project_is_refused(project):
    import fcntl

    output = project / 'runs' / 'x'
    output.mkdir(parents=True)
    with (output / 'lock').open('w') as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write('4711')
        lock.flush()
        done = thawline('run', cwd=project)
    assert done.returncode == 6
    assert 'process 4711' in done.stderr


def test_runs_without_any(project):
    done = thawline('runs', cwd=project)
    assert done.returncode == 0
    assert 'no run yet' in done.stdout


@pytest.mark.parametrize('command', [['run'], ['tune'], ['runs'], ['schedule', 'airflow']])
def test_without_a_project_nothing_starts_unasked(tmp_path, command):
    done = thawline(*command, cwd=tmp_path)
    assert done.returncode == 2
    for part in ('thawline.yaml', 'thawline init', 'thawline run --demo'):
        assert part in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_where_the_demo_has_run_it_is_the_project(tmp_path):
    (tmp_path / 'runs' / 'solar_cells').mkdir(parents=True)
    done = thawline('runs', cwd=tmp_path)
    assert done.returncode == 0 and 'no run yet' in done.stdout


def test_schema_without_any_run(project):
    done = thawline('schema', 'infer', cwd=project)
    assert done.returncode == 2
    assert 'thawline run' in done.stderr
    done = thawline('schema', 'diff', cwd=project)
    assert done.returncode == 2
    assert 'thawline schema infer' in done.stderr


@pytest.mark.parametrize('old', [['.'], ['--force'], ['thawline.yaml', '--force']])
def test_schema_as_it_was_called_before_is_infer(project, old):
    done = thawline('schema', *old, cwd=project)
    assert done.returncode == 2
    assert 'thawline run --to StatisticsGen' in done.stderr


def test_schema_accept_of_nothing_or_of_all_and_some(project):
    for arguments in ([], ['.'], ['class:bee', '--all']):
        done = thawline('schema', 'accept', *arguments, cwd=project)
        assert done.returncode == 2
        assert '--all' in done.stderr and 'thawline schema diff' in done.stderr


def test_init_writes_a_file_that_it_can_read(project):
    (project / 'thawline.yaml').unlink()
    done = thawline('init', '.', '--data', 'images', cwd=project)
    assert done.returncode == 0, done.stderr
    text = (project / 'thawline.yaml').read_text('utf-8')
    assert '24 images in 2 classes: ant 12, bee 12' in text
    assert 'source: images' in text  # relative: the project can be moved as a whole
    again = thawline('init', '.', '--data', 'images', cwd=project)
    assert again.returncode == 2
    assert '--force' in again.stderr
    assert (project / 'thawline.yaml').read_text('utf-8') == text


def test_init_of_a_folder_with_awkward_names(tmp_path):
    images = tmp_path / 'Bilder: #1 "neu" é'
    for name in ("l'été", 'a: b'):
        (images / name).mkdir(parents=True)
        for number in range(10):
            (images / name / f'{number}.png').write_bytes(RED_DOT)
    done = thawline('init', 'Mein Projekt!', '--data', images.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / 'Mein Projekt!' / 'thawline.yaml').read_text('utf-8')
    assert 'name: mein_projekt' in text and '"neu" é' in text
    assert "thawline run 'Mein Projekt!/thawline.yaml'" in text


def test_init_of_a_folder_that_no_run_could_write_to(project):
    done = thawline('init', 'p [1]', '--data', 'images', cwd=project)
    assert done.returncode == 0 and 'p [1]/runs' in done.stdout and 'set output' in done.stdout


@pytest.mark.parametrize('name', ['2024', 'null', '0x10', '2024-01-01', '1_0', 'yes', '1e3'])
def test_init_of_a_folder_whose_name_yaml_reads_as_something_else(project, name):
    done = thawline('init', name, '--data', 'images', cwd=project)
    assert done.returncode == 0, done.stderr
    assert loading.load_project(project / name).name == name


def test_init_shows_how_it_read_the_folders_and_asks_where_it_is_not_clear(project):
    images = project / 'images'
    for split in ('fold_1', 'fold_2'):
        (images / split).mkdir()
        for name in ('ant', 'bee'):
            shutil.copytree(images / name, images / split / name)
    for name in ('ant', 'bee'):
        shutil.rmtree(images / name)
    (project / 'thawline.yaml').unlink()
    done = thawline('init', '.', '--data', 'images', cwd=project)
    assert done.returncode == 4
    assert 'fold_1/ (ant/ 12, bee/ 12)' in done.stderr and '--layout' in done.stderr
    assert not (project / 'thawline.yaml').exists()
    done = thawline('init', '.', '--data', 'images', '--layout', 'splits', cwd=project)
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith('  fold')]
    assert rows[0] == ['fold_1/ant/', '12', 'images', 'class', 'ant'] and len(rows) == 4
    assert loading.load_project(project).config.data.layout == 'splits'


def test_init_writes_the_columns_that_it_guessed_or_was_told(project):
    (project / 'thawline.yaml').unlink()
    rows = [f'{name}/{n}.png,x,{name}' for name in ('ant', 'bee') for n in range(12)]
    (project / 'images' / 'list.csv').write_text('\n'.join(['where,note,species', *rows]))
    done = thawline('init', '.', '--data', 'images/list.csv', cwd=project)
    assert done.returncode == 4 and "'where'" in done.stderr
    done = thawline('init', '.', '--data', 'images/list.csv', '--path-column', 'where', cwd=project)
    assert done.returncode == 0, done.stderr
    assert "'species'" in done.stdout
    columns = loading.load_project(project).config.data.columns
    assert (columns.path, columns.label) == ('where', 'species')


def test_init_of_a_csv_mentions_the_confidence_of_labels(project):
    (project / 'thawline.yaml').unlink()
    rows = [f'{name}/{number}.png,{name}' for name in ('ant', 'bee') for number in range(12)]
    (project / 'images' / 'labels.csv').write_text('\n'.join(['path,label', *rows]))
    done = thawline('init', '.', '--data', 'images/labels.csv', cwd=project)
    assert done.returncode == 0, done.stderr
    text = (project / 'thawline.yaml').read_text('utf-8')
    assert '  # columns: {confidence: agreement}' in text
    active = text.replace('# columns:', 'columns:')
    assert loading.parse(active, 'x').data.columns.confidence == 'agreement'


def test_init_of_labels_by_several_people(project):
    (project / 'thawline.yaml').unlink()
    rows = [f'{name}/{n}.png,{name},{name}' for name in ('ant', 'bee') for n in range(12)]
    (project / 'images' / 'labels.csv').write_text('\n'.join(['path,ada,bob', *rows]))
    names = ['--label-column', 'ada', '--label-column', 'bob']
    done = thawline('init', '.', '--data', 'images/labels.csv', *names, cwd=project)
    assert done.returncode == 0, done.stderr
    assert '2 labellers' in done.stdout and 'agree on 24 (100.0 %' in done.stdout
    assert loading.load_project(project).config.data.columns.labels == ('ada', 'bob')
    twice = ['--force', '--label-column', 'ada', '--label-column', 'ada']
    done = thawline('init', '.', '--data', 'images/labels.csv', *twice, cwd=project)
    assert done.returncode == 2 and "['ada', 'ada']" in done.stderr


def test_init_where_nothing_can_be_written(project):
    done = thawline('init', 'images/ant/0.png', '--data', 'images', cwd=project)
    assert done.returncode == 2 and 'cannot be written' in done.stderr


def test_init_of_no_data(project):
    done = thawline('init', '.', '--force', '--data', '', cwd=project)
    assert done.returncode == 2 and '--data' in done.stderr


def test_init_of_an_export_whose_images_are_elsewhere(project):
    (project / 'thawline.yaml').unlink()
    tasks = [
        {'image': f'{name}/{number}.png', 'annotation_id': number, 'species': name}
        for name in ('ant', 'bee')
        for number in range(12)
    ]
    (project / 'exports').mkdir()
    (project / 'exports' / 'min.json').write_text(json.dumps(tasks))
    words = ['--data', 'exports/min.json', '--label-column', 'species']
    done = thawline('init', '.', *words, cwd=project)
    assert done.returncode == 4 and 'data.root' in done.stderr
    done = thawline('init', '.', *words, '--root', 'images', cwd=project)
    assert done.returncode == 0, done.stderr
    assert 'is read as an export of Label Studio' in done.stdout
    assert '24 images in 2 classes' in done.stdout
    loaded = loading.load_project(project)
    data = loaded.config.data
    assert (data.source, data.root, data.columns.label) == ('exports/min.json', 'images', 'species')
    assert len(sources.list_source(loaded.source_spec()).items) == 24


def test_init_of_boxes_says_what_it_read(project):
    (project / 'thawline.yaml').unlink()
    (project / 'boxes' / 'images').mkdir(parents=True)
    (project / 'boxes' / 'labels').mkdir()
    for number in range(6):
        (project / 'boxes' / 'images' / f'{number}.png').write_bytes(RED_DOT)
        line = f'{number % 2} 0.5 0.5 1 1\n'
        (project / 'boxes' / 'labels' / f'{number}.txt').write_text(line)
    text = 'train: images\nnames: [ant, bee]\n'
    (project / 'boxes' / 'data.yaml').write_text(text)
    done = thawline('init', '.', '--data', 'boxes', cwd=project)
    assert done.returncode == 0, done.stderr
    assert 'boxes is read as boxes in YOLO' in done.stdout
    assert '6 boxes of 6 pictures' in done.stdout and '6 images in 2 classes' in done.stdout
    data = loading.load_project(project).config.data
    assert data.source == 'boxes' and data.boxes == Boxes()


def test_decompression_bomb_is_not_read_at_listing(project):
    header = struct.pack('>IIBBBBB', 50_000, 50_000, 8, 2, 0, 0, 0)
    chunk = b'IHDR' + header
    bomb = (
        b'\x89PNG\r\n\x1a\n' + struct.pack('>I', 13) + chunk + struct.pack('>I', zlib.crc32(chunk))
    )
    (project / 'images' / 'ant' / 'bomb.png').write_bytes(bomb)
    (project / 'thawline.yaml').unlink()
    done = thawline('init', '.', '--data', 'images', cwd=project)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ('arguments', 'words'),
    [
        (['run', ''], ['path is empty']),
        (['serve', '--record', ''], ['--record', 'path is empty']),
        (['drift', ''], ['new images', "''"]),
        (['drift', 'images', '.', '--to', ''], ['--to', 'path is empty']),
        (['labels', 'import', ''], ['path is empty']),
    ],
)
def test_an_empty_path_is_not_the_current_folder(project, arguments, words):
    before = sorted(project.rglob('*'))
    done = thawline(*arguments, cwd=project)
    assert done.returncode == 2
    assert all(word in done.stderr for word in words), done.stderr
    assert sorted(project.rglob('*')) == before


def test_serve_with_bounds_of_a_recording_that_is_off(project):
    done = thawline('serve', '--record-share', '0.5', cwd=project)
    assert done.returncode == 2 and '--record' in done.stderr

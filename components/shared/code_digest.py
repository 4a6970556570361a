"""What a node runs, for its cache key: digests of our source code, and versions of libraries.

TFX keys its cache on a component's class path and parameters, not on code that is imported by name.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.metadata
import json
import pathlib
from collections.abc import Iterable, Iterator

import thawline
from thawline.components.shared import property_names

_ROOT = thawline.ROOT
_CODE = 'thawline.components'
# Libraries whose versions can change a result (pixels, features, weights, statistics, answers): by
# the name of their import, with those that they compute with. What moves results, checks, records
# or draws them (Beam, Arrow, pydantic, ML Metadata, Jinja, Matplotlib and so on) is not among them:
# an update of these must not train a model again.
LIBRARIES = {
    'PIL': ('pillow',),
    'ai_edge_litert': ('ai-edge-litert',),
    'cleanlab': ('cleanlab', 'scikit-learn', 'numpy'),
    'keras': ('keras', 'tensorflow'),
    'numpy': ('numpy',),
    'onnx': ('onnx',),
    'onnxruntime': ('onnxruntime',),
    'scipy': ('scipy', 'numpy'),
    'sklearn': ('scikit-learn', 'scipy', 'numpy'),
    'tensorflow': ('tensorflow',),
    'tensorflow_data_validation': ('tensorflow-data-validation', 'numpy'),
    'tensorflow_model_analysis': ('tensorflow-model-analysis', 'numpy'),
    'tensorflow_transform': ('tensorflow-transform', 'tensorflow'),
    'tf2onnx': ('tf2onnx', 'onnx'),
    'tfx': ('tfx',),
    'tfx_bsl': ('tfx-bsl', 'tensorflow'),
}


def key_properties(*modules: str) -> dict[str, str]:
    """Properties that put some modules, which a node runs, and their libraries into its key."""
    return {
        property_names.CODE_DIGEST: of_code(*modules),
        property_names.LIBRARY_VERSIONS: json.dumps(library_versions(*modules)),
    }


def of_code(*modules: str) -> str:
    """A digest over the source of modules below `components` and of all that they import there.

    Found by reading, without an import: statements inside functions count too. A package that
    itself has code counts as a whole, as what it looks up by name cannot be read off; and so do
    files that are not Python beside a module that counts.

    Raises:
        FileNotFoundError: there is no such module.
    """
    return _digest(_reached(modules))


def of_all_code() -> str:
    """A digest over everything that nodes may run: all modules below `components`.

    A page's style or script is none of them: a compiled pipeline outlives an edit to its looks.
    """
    return _digest(_ROOT.joinpath(*_CODE.split('.')).rglob('*.py'))


def library_versions(*modules: str) -> dict[str, str]:
    """The versions of the libraries that decide what some of our modules, or libraries, compute.

    Read off the same way: of what is imported by the modules and by all that they import.
    """
    own = tuple(module for module in modules if module.startswith(f'{_CODE}.'))
    names = set(modules).union(*(_imports(file) for file in _reached(own) if file.suffix == '.py'))
    return _versions({name.partition('.')[0] for name in names} & LIBRARIES.keys())


def all_library_versions() -> dict[str, str]:
    """The versions of all libraries that decide what nodes compute."""
    return _versions(LIBRARIES)


def _versions(imported: Iterable[str]) -> dict[str, str]:
    versions = {}
    for name in sorted({name for module in imported for name in LIBRARIES[module]}):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            versions[name] = 'absent'
    return versions


def _digest(files: Iterable[pathlib.Path]) -> str:
    digest = hashlib.sha256()
    for file in sorted(files):
        digest.update(str(file.relative_to(_ROOT)).encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:16]


def _reached(modules: tuple[str, ...]) -> set[pathlib.Path]:
    for module in modules:
        if _file(module) is None:
            raise FileNotFoundError(f'no source of {module} in {_ROOT}')
    found: set[pathlib.Path] = set()
    ahead = set(modules)
    while ahead:
        file = _file(ahead.pop())
        if file is not None and file not in found:
            found.add(file)
            ahead.update(name for name in _imports(file) if _is_own(name))
    return found.union(*map(_assets, {file.parent for file in found}))


def _file(module: str) -> pathlib.Path | None:
    """A module's file, a package's `__init__`; None where the name is of something else."""
    path = _ROOT.joinpath(*module.split('.'))
    candidates = (path / '__init__.py', path.with_name(f'{path.name}.py'))
    return next((file for file in candidates if file.is_file()), None)


@functools.cache
def _imports(file: pathlib.Path) -> frozenset[str]:
    """What a file needs: names that it imports, and the packages around it."""
    tree = ast.parse(file.read_bytes())
    own = file.relative_to(_ROOT).with_suffix('').parts
    names = {'.'.join(own[:-1])} - {_CODE}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(f'{node.module}')
            names.update(f'{node.module}.{alias.name}' for alias in node.names)
    if file.name == '__init__.py' and not all(isinstance(s, ast.Expr) for s in tree.body):
        names.update('.'.join((*own[:-1], other.stem)) for other in file.parent.glob('*.py'))
    return frozenset(names)


def _is_own(name: str) -> bool:
    return name == _CODE or name.startswith(f'{_CODE}.')


def _assets(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    for path in folder.rglob('*.*') if folder.name != 'components' else ():
        if path.is_file() and path.suffix not in ('.py', '.pyc'):
            yield path

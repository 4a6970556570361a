"""Which folder imports which: `make lint` ends with an error where the layout's rules are broken.

- `components` never imports `pipeline`, and all of it is reached from what nodes run.
- Nothing imports `pipeline/commands` but commands: `cli` imports the one that is used, by its name.
- Folders import downwards only: no circle, neither of modules nor of folders.
- The floors of folders, the longest way down through the imports, stay few.
- Only `pipeline/commands`, `pipeline/terminal` and `pipeline/tools` print for a person.

All imports count, also those inside functions and for type checkers.
"""

from __future__ import annotations

import ast
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping

import thawline

# What programs that are started by name print: a line for `make setup`, and JSON for its parent.
PROGRAMS = ('pipeline.environment.glibc_compat', 'pipeline.registry.load_test_process')
PRINTERS = ('pipeline.commands', 'pipeline.terminal', 'pipeline.tools', *PROGRAMS)
_PRINTING = re.compile(r'print|rich(\..*)?|click\.(secho|echo|confirm|prompt)|.*\.(console|print)')

Graph = Mapping[str, frozenset[str]]

PACKAGES = ('thawline.components', 'thawline.pipeline', 'thawline.schemas')
COMMANDS = 'thawline.pipeline.commands'
MOST_FLOORS = {'thawline.components': 6, 'thawline.pipeline': 9}


def modules(root: pathlib.Path = thawline.ROOT) -> dict[str, pathlib.Path]:
    """Every module of the package by its dotted name; a package stands for its `__init__`."""
    files = {}
    for package in PACKAGES:
        top = root.joinpath(*package.split('.'))
        for file in sorted(top.rglob('*.py')):
            parts = file.relative_to(root).with_suffix('').parts
            files['.'.join(parts[:-1] if parts[-1] == '__init__' else parts)] = file
    return files


def imports(files: Mapping[str, pathlib.Path]) -> Graph:
    """The modules of the package that each module imports by name."""
    return {name: frozenset(_imported(file, files) - {name}) for name, file in files.items()}


def _imported(file: pathlib.Path, known: Mapping[str, pathlib.Path]) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                submodule = f'{node.module}.{alias.name}'
                names.add(submodule if submodule in known else node.module)
    return names & set(known)


def folder(module: str, files: Mapping[str, pathlib.Path]) -> str:
    """The folder that a module is in; a module at the top of a package stands for itself."""
    if module in PACKAGES or files[module].name == '__init__.py':
        return module
    parent = module.rpartition('.')[0]
    return module if parent in PACKAGES else parent


def folders(graph: Graph, files: Mapping[str, pathlib.Path]) -> Graph:
    """The same graph between folders."""
    between: dict[str, set[str]] = {}
    for module, targets in graph.items():
        home = folder(module, files)
        between.setdefault(home, set()).update(
            other for other in (folder(target, files) for target in targets) if other != home
        )
    return {home: frozenset(targets) for home, targets in between.items()}


def circle(graph: Graph) -> list[str]:
    """The shortest circle, its first name again at its end; empty where there is none."""
    circles = []
    for start in graph:
        ways = {start: [start]}
        queue = [start]
        while queue:
            here = queue.pop(0)
            for target in sorted(graph.get(here, ())):
                if target == start:
                    circles.append([*ways[here], start])
                    queue = []
                    break
                if target not in ways:
                    ways[target] = [*ways[here], target]
                    queue.append(target)
    return min(circles, key=len, default=[])


def floors(graph: Graph, package: str) -> list[str]:
    """The longest way down inside a package; only of a graph without circles."""
    longest: dict[str, list[str]] = {}

    def way(name: str) -> list[str]:
        if name not in longest:
            below = [way(target) for target in graph.get(name, ()) if target.startswith(package)]
            longest[name] = [name, *max(below, key=len, default=[])]
        return longest[name]

    return max((way(name) for name in graph if name.startswith(package)), key=len, default=[])


def reachable(graph: Graph, starts: Iterable[str]) -> set[str]:
    """All modules that these import, and that those import, and so on; packages' own code too."""
    seen: set[str] = set()
    ahead = list(starts)
    while ahead:
        module = ahead.pop()
        if module in graph and module not in seen:
            seen.add(module)
            ahead += [*graph[module], module.rpartition('.')[0]]
    return seen


def entry_points(files: Mapping[str, pathlib.Path]) -> list[str]:
    """Modules of `components` that the wiring names: imports, and text for TFX to import.

    Settings (`params`) count too: the configuration alone composes them and hands them to nodes.
    """
    wiring = _imported(files['thawline.pipeline.graph'], files)
    texts = {text for name in wiring for text in _texts(files[name])}
    settings = {
        target
        for name, file in files.items()
        if name.startswith('thawline.pipeline.config')
        for target in _imported(file, files)
        if target.endswith('.params')
    }
    components = {name for name in files if name.startswith('thawline.components')}
    return sorted(components & (wiring | texts | settings))


def _texts(file: pathlib.Path) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(file.read_bytes()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def printing(file: pathlib.Path) -> set[str]:
    """What a module uses to print: calls by name, and imports."""
    used: set[str] = set()
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Call):
            used.add(ast.unparse(node.func))
        elif isinstance(node, ast.Import):
            used.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            used.update({str(node.module), *(f'{node.module}.{a.name}' for a in node.names)})
    return {name for name in used if _PRINTING.fullmatch(name)}


def problems(root: pathlib.Path = thawline.ROOT) -> Iterator[str]:
    """Each rule that is broken, as a sentence."""
    files = modules(root)
    graph = imports(files)
    for module, targets in graph.items():
        upward = [target for target in targets if target.startswith('thawline.pipeline')]
        if module.startswith('thawline.components') and upward:
            yield f'{module} imports {", ".join(upward)}: components must not know the pipeline'
        commands = [target for target in targets if target.startswith(COMMANDS)]
        if commands and not module.startswith(COMMANDS):
            yield f'{module} imports {", ".join(commands)}: only commands import commands'
        prints = printing(files[module])
        if prints and not module.removeprefix('thawline.').startswith(PRINTERS):
            yield f'{module} prints ({", ".join(sorted(prints))}): commands and terminal print'
    if modules_circle := circle(graph):
        yield f'modules import each other: {" -> ".join(modules_circle)}'
    between = folders(graph, files)
    if folders_circle := circle(between):
        yield f'folders import each other: {" -> ".join(folders_circle)}'
    else:
        for package, most in MOST_FLOORS.items():
            way = floors(between, package)
            if len(way) > most:
                yield f'{package} has {len(way)} floors, at most {most}: {" -> ".join(way)}'
    run_by_nodes = reachable(graph, entry_points(files))
    for module in sorted(graph):
        if module.startswith('thawline.components') and module not in run_by_nodes:
            yield f'{module} is not reached from any node: it belongs into pipeline/'


def main() -> None:
    """Prints what is wrong; exit code 1 where something is."""
    wrong = list(problems())
    for line in wrong:
        print(line)
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()

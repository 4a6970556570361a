"""A class name stands for one thing in the whole project."""

from __future__ import annotations

import ast
import collections

from thawline.pipeline.tools import import_graph

# TFX's own idiom: each component has its executor, and one of its own a driver.
SHARED = {'Executor', 'Driver'}


def test_a_class_name_stands_for_one_thing():
    places = collections.defaultdict(list)
    for module, file in import_graph.modules().items():
        for node in ast.parse(file.read_bytes()).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith('_'):
                places[node.name].append(module)
    twins = {name: where for name, where in places.items() if len(where) > 1}
    assert set(twins) <= SHARED, twins

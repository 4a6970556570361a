"""Which earlier ingestion of the project says what split its images keep.

It is the one that was used last, of those that were split by the same settings, with folds or
without. An ingestion of the
same images in the same way is named again what it was named then, whatever came since: so the cache
serves it, and a run of earlier images gets the split that they had.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.ingestion import split_history
from thawline.components.ingestion.fold_choice import AUTO_FOLDS, AUTO_FOLDS_OF_FEW
from thawline.components.ingestion.params import Split
from thawline.components.shared import image_table
from thawline.components.shared.property_names import (
    FRACTIONS,
    SEED,
    SOURCE_SPEC,
    SPLIT,
    SPLIT_HISTORY,
)

_EXAMPLES = 'examples'  # what ImageExampleGen calls them
_PLACES = 'source', 'root', 'labels'  # what lies there is in the fingerprint


def history_digest(store: mlmd.MetadataStore, node: str, properties: Mapping[str, Any]) -> str:
    """The digest of the splits that an ingestion has to keep; `NONE` or `LOST` without any.

    Args:
        store: of the metadata.
        node: name of the node's context, `<pipeline>.<node>`.
        properties: those of the ingestion, with the fingerprint of its source.
    """
    context = store.get_context_by_type_and_name('node', node)
    executions = store.get_executions_by_context(context.id) if context else []
    successful = pb.Execution.COMPLETE, pb.Execution.CACHED
    newest_first = sorted(
        (e for e in executions if e.last_known_state in successful),
        key=lambda e: e.id,
        reverse=True,
    )
    made = [e for e in newest_first if e.last_known_state == pb.Execution.COMPLETE]
    for execution in made:
        if _is_alike(_recorded(execution), properties):
            return str(_recorded(execution).get(SPLIT_HISTORY, split_history.NONE))
    examples = _examples(store, newest_first)
    settings_by_examples = {examples[e.id]: _recorded(e) for e in made if e.id in examples}
    used = dict.fromkeys(examples[e.id] for e in newest_first if e.id in examples)
    alike = {
        number: kinds
        for number in used
        if (kinds := _shared_ways(settings_by_examples.get(number, {}), properties))
    }
    uris = {a.id: a.uri for a in store.get_artifacts_by_id(alike)} if alike else {}
    is_lost = False
    for number, kinds in alike.items():
        table = image_table.read(uris[number])
        if table is None:
            is_lost = True
        elif split_history.has_folds(table) in kinds:
            return split_history.digest(table)
    return split_history.LOST if is_lost else split_history.NONE


def _recorded(execution: pb.Execution) -> dict[str, Any]:
    return {
        name: getattr(value, value.WhichOneof('value') or 'string_value')
        for name, value in execution.custom_properties.items()
    }


def _is_alike(recorded: Mapping[str, Any], properties: Mapping[str, Any]) -> bool:
    """Whether an ingestion was of the same images, by the same settings, code and libraries."""
    names = properties.keys() - {SPLIT_HISTORY, SOURCE_SPEC}
    return (
        all(str(recorded.get(name)) == str(properties[name]) for name in names)
        and SOURCE_SPEC in recorded
        and _without_places(recorded) == _without_places(properties)
    )


def _without_places(properties: Mapping[str, Any]) -> dict[str, Any]:
    spec = json.loads(properties[SOURCE_SPEC])
    return {name: value for name, value in spec.items() if name not in _PLACES}


def _shared_ways(recorded: Mapping[str, Any], properties: Mapping[str, Any]) -> list[bool]:
    """Ways of splitting, with folds (True) or without, in which two ingestions split alike."""
    return [
        folds
        for folds in (False, True)
        if not _split_settings(properties, folds).isdisjoint(_split_settings(recorded, folds))
    ]


def _split_settings(properties: Mapping[str, Any], folds: bool) -> set[str]:
    """What decides a split beside the images: after a change of it they are split anew.

    Empty where the settings do not lead to folds, or to none; several where the number of images
    decides what they lead to. As JSON.
    """
    shares: list[Any] = []
    if SPLIT in properties:
        split = Split.model_validate_json(properties[SPLIT])
        seed: Any = split.seed
        if folds and split.folds:
            auto = AUTO_FOLDS, AUTO_FOLDS_OF_FEW
            numbers = auto if split.folds == 'auto' else [split.folds]
            shares = [[number, split.test_with_folds] for number in numbers]
        elif not folds and split.can_be_plain:
            shares = [split.fractions]
    else:
        seed = properties.get(SEED)
        shares = [] if folds else [json.loads(properties.get(FRACTIONS, '{}'))]
    spec = json.loads(properties.get(SOURCE_SPEC, '{}'))
    columns = spec.get('columns') or {}
    groups = spec.get('group_pattern'), columns.get('group')
    return {json.dumps([share, seed, groups], sort_keys=True) for share in shares}


def _examples(store: mlmd.MetadataStore, executions: Iterable[pb.Execution]) -> dict[int, int]:
    """Execution -> its Examples."""
    ids = [execution.id for execution in executions]
    return {
        event.execution_id: event.artifact_id
        for event in (store.get_events_by_execution_ids(ids) if ids else ())
        if event.type == pb.Event.OUTPUT and event.path.steps[0].key == _EXAMPLES
    }

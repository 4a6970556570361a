"""The earlier run whose results a part of the pipeline starts from. Needs no TFX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ml_metadata as mlmd

from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.metadata import ingestions, runs
from thawline.pipeline.metadata.runs import Run
from thawline.pipeline.runners import staleness


def base_run(
    store: mlmd.MetadataStore,
    pipeline: str,
    upstream: Mapping[str, Sequence[str]],
    definitions: Mapping[str, str],
    fingerprints: Mapping[str, str],
) -> str:
    """The newest run in which all needed nodes are as they would be if they ran now.

    Args:
        store: of the metadata.
        pipeline: name of the pipeline.
        upstream: nodes before each needed node, in an order in which they can run.
        definitions: digest of what each node is now.
        fingerprints: of sources as they are now, by the node that reads them.

    Raises:
        ConfigError: there is none; names the nodes that have to run again.
        NotFound: nothing ran yet.
    """
    closest: dict[str, str] = {}
    for run in reversed(runs.read_runs(store, pipeline)):
        why = staleness.stale_reasons(upstream, run.attempts, definitions)
        if not any(why.values()):
            changed = _changed_sources(store, run, fingerprints)
            why = staleness.stale_reasons(upstream, run.attempts, definitions, changed)
        stale = {node: reason for node, reason in why.items() if reason}
        if not stale:
            return run.id
        if not closest or len(stale) < len(closest):
            closest = stale
    if not closest:
        raise NotFound('there is no earlier run to start from; first run without --from and --only')
    # What makes these out of date is the reason for all nodes after them.
    first = [node for node in closest if not any(before in closest for before in upstream[node])]
    reasons = '; '.join(f'{node} {closest[node]}' for node in first)
    options = ' '.join(f'--from {node}' for node in first)
    raise ConfigError(
        f'no earlier run can be reused: {reasons}; run again with {options}, or without '
        '--from and --only'
    )


def _changed_sources(
    store: mlmd.MetadataStore, run: Run, fingerprints: Mapping[str, str]
) -> dict[str, str]:
    changed = {}
    for result in run.nodes:
        if result.node in fingerprints:
            examples = next(iter(result.outputs.values()))
            if ingestions.fingerprint(store, examples) != fingerprints[result.node]:
                changed[result.node] = 'read images that have changed since'
    return changed

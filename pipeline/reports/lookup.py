"""Which run is meant, and what its report and its evaluation left behind. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import ml_metadata as mlmd
from ml_metadata.proto import metadata_store_pb2 as pb

from thawline.components.shared import files, node_names
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.runs import NodeResult, Output, Run

if TYPE_CHECKING:
    from thawline.components.report.content import ReportContent

LAST = 'last'
FILES = {'html': 'report.html', 'json': 'content.json'}
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class StoredReport:
    """A run that has a report, whose files are all there.

    Attributes:
        run: the run.
        folder: of the report.
        inputs: folders of what the report was made from, by their keys in its component.
    """

    run: Run
    folder: pathlib.Path
    inputs: Mapping[str, pathlib.Path]

    def file(self, kind: str) -> pathlib.Path:
        """A file of the report: 'html' or 'json'."""
        return self.folder / FILES[kind]

    @functools.cached_property
    def content(self) -> ReportContent:
        """What the report says.

        Raises:
            ConfigError: it was written in another format.
        """
        # SciPy behind it takes a second to import, and the page alone does not need it.
        import pydantic

        from thawline.components.report import content

        text = self.file('json').read_bytes()
        try:
            found = pydantic.TypeAdapter(content.ReportContent).validate_json(text)
        except pydantic.ValidationError as error:
            raise ConfigError(self._unreadable(str(error).splitlines()[0])) from error
        if found.format != content.FORMAT:
            raise ConfigError(self._unreadable(f'format {found.format}, known: {content.FORMAT}'))
        return found

    def _unreadable(self, reason: str) -> str:
        return (
            f'the report {self.file("json")} of run {self.run.id} cannot be read ({reason}); '
            'another version wrote it? make it anew with: thawline run --only Report'
        )


def find_report(
    store: mlmd.MetadataStore, wanted: str, pipeline: str | None = None
) -> StoredReport:
    """The run that is meant, with its report.

    Args:
        store: of the project.
        wanted: id of a run, the beginning of one, or 'last'.
        pipeline: whose runs count, where the metadata may hold others.

    Raises:
        NotFound: there is no such run, or it has no report.
        ConfigError: several begin so.
    """
    runs = metadata.read_runs(store, pipeline)
    run = _find_run(runs, wanted)
    report = run.output(node_names.REPORT, 'report')
    if report is None:
        raise NotFound(f'run {run.id} has no report; {_available_reports(runs)}')
    folder = pathlib.Path(report.uri)
    for name in FILES.values():
        if not (folder / name).is_file():
            raise NotFound(
                f'the report of run {run.id} is no longer there: {folder / name} was deleted; '
                f'{_available_reports(runs)}'
            )
    return StoredReport(run, folder, _input_folders(store, report))


def link_page(results: Sequence[NodeResult], at: pathlib.Path) -> None:
    """Puts a link to the page of a run's report `at` a place; the run must have a report."""
    report = next(result for result in results if result.node == node_names.REPORT).outputs[
        'report'
    ]
    at.parent.mkdir(parents=True, exist_ok=True)
    with files.replacement(at) as link:
        link.symlink_to(pathlib.Path(report.uri, FILES['html']))


def _input_folders(store: mlmd.MetadataStore, made: Output) -> dict[str, pathlib.Path]:
    """What an artifact was made from; the run that has it may have made nothing else."""
    events = store.get_events_by_artifact_ids([made.id])
    makers = {event.execution_id for event in events if event.type == pb.Event.OUTPUT}
    keys = {
        event.artifact_id: event.path.steps[0].key
        for event in store.get_events_by_execution_ids(sorted(makers))
        if event.type == pb.Event.INPUT
    }
    artifacts = store.get_artifacts_by_id(list(keys))
    return {keys[artifact.id]: pathlib.Path(artifact.uri) for artifact in artifacts}


def _find_run(runs: list[Run], wanted: str) -> Run:
    if not runs:
        raise NotFound('no run yet; start one with: thawline run')
    if wanted == LAST:
        return runs[-1]
    exact = [run for run in runs if run.id == wanted]
    found = exact or [run for run in runs if wanted and run.id.startswith(wanted)]
    if len(found) == 1:
        return found[0]
    newest = ', '.join(run.id for run in reversed((found or runs)[-_SHOWN:]))
    if found:
        raise ConfigError(f'{len(found)} runs begin with {wanted!r}: {newest}; give more of one')
    raise NotFound(
        f'no run {wanted!r}; the newest are: {newest}; give the id of one, its beginning, or {LAST}'
    )


def _available_reports(runs: list[Run]) -> str:
    """Which runs have a report, the newest first, or that none has."""
    there = []
    for run in reversed(runs):
        report = run.output(node_names.REPORT, 'report')
        if report and all(pathlib.Path(report.uri, name).is_file() for name in FILES.values()):
            there.append(run.id)
    if not there:
        return 'no run has one; make it with: thawline run'
    more = f' and {len(there) - _SHOWN:,} more' if len(there) > _SHOWN else ''
    return f'these have one: {", ".join(there[:_SHOWN])}{more}'

"""Finds a run with its report in the metadata. Needs no TensorFlow."""

from __future__ import annotations

import dataclasses
import functools
import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import ml_metadata as mlmd

from thawline.components.shared import files, node_names
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.components.shared.text import abbreviate
from thawline.pipeline.metadata import producers
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.runs import NodeResult, Output, Run

if TYPE_CHECKING:
    from thawline.components.report.content import ReportContent

LAST = 'last'
FILES = {'html': 'report.html', 'json': 'content.json'}
_SHOWN = 5


@dataclasses.dataclass(frozen=True)
class StoredReport:
    """A run and its report, whose files all exist.

    Attributes:
        run: the run.
        folder: of the report.
        inputs: of the report, by their keys in the component.
    """

    run: Run
    folder: pathlib.Path
    inputs: Mapping[str, Output]

    def file(self, kind: str) -> pathlib.Path:
        """A file of the report: 'html' or 'json'."""
        return self.folder / FILES[kind]

    @functools.cached_property
    def content(self) -> ReportContent:
        """The content of the report.

        Raises:
            ConfigError: it is damaged or in another format.
        """
        # Imports SciPy, which takes a second; the page alone does not need it.
        from thawline.components.report import content

        file = self.file('json')
        try:
            return content.from_json(file.read_text('utf-8'))
        except ValueError as error:
            raise ConfigError(
                f'the report {file} of run {self.run.id} cannot be read '
                f'({str(error).splitlines()[0]}); rebuild it with: thawline run --only Report'
            ) from error


def find_report(
    store: mlmd.MetadataStore, run_id: str, pipeline: str | None = None
) -> StoredReport:
    """Finds a run with its report.

    Args:
        store: of the project.
        run_id: of the run, its beginning, or 'last'.
        pipeline: of the run; None for any.

    Raises:
        NotFound: there is no such run, or it has no report.
        ConfigError: several runs match.
    """
    runs = metadata.read_runs(store, pipeline)
    run = _find_run(runs, run_id)
    report = run.output(node_names.REPORT, 'report')
    if report is None:
        raise NotFound(f'run {run.id} has no report; {_available_reports(runs)}')
    folder = pathlib.Path(report.uri)
    for name in FILES.values():
        if not (folder / name).is_file():
            raise NotFound(
                f'the report of run {run.id} was deleted: {folder / name} does not exist; '
                f'{_available_reports(runs)}'
            )
    inputs = producers.inputs(store, report.id)
    return StoredReport(run, folder, {key: made[0] for key, made in inputs.items()})


def link_page(results: Sequence[NodeResult], at: pathlib.Path) -> None:
    """Links `at` to the page of a run's report; the run must have one."""
    report_result = next(result for result in results if result.node == node_names.REPORT)
    report = report_result.outputs['report']
    at.parent.mkdir(parents=True, exist_ok=True)
    with files.replacement(at) as link:
        # Relative: it leads there also where the project was moved.
        page = os.path.relpath(pathlib.Path(report.uri, FILES['html']), at.parent)
        link.symlink_to(page)


def _find_run(runs: list[Run], run_id: str) -> Run:
    if not runs:
        raise NotFound('no run yet; start one with: thawline run')
    if run_id == LAST:
        return runs[-1]
    exact = [run for run in runs if run.id == run_id]
    matches = exact or [run for run in runs if run_id and run.id.startswith(run_id)]
    if len(matches) == 1:
        return matches[0]
    newest = ', '.join(run.id for run in reversed((matches or runs)[-_SHOWN:]))
    if matches:
        raise ConfigError(f'{len(matches)} runs begin with {run_id!r}: {newest}; use a longer id')
    raise NotFound(
        f'no run {run_id!r}; the newest are: {newest}; use a run id, its beginning, or {LAST}'
    )


def _available_reports(runs: list[Run]) -> str:
    """The runs that have a report, the newest first, in words."""
    ids = []
    for run in reversed(runs):
        report = run.output(node_names.REPORT, 'report')
        if report and all(pathlib.Path(report.uri, name).is_file() for name in FILES.values()):
            ids.append(run.id)
    if not ids:
        return 'no run has one; make it with: thawline run'
    return f'runs with a report: {abbreviate(ids, _SHOWN)}'

"""Runs in a real metadata store, with reports and predictions as the nodes leave them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from ml_metadata.proto import metadata_store_pb2 as pb

from tests import made_report
from thawline.components.evaluation import predictions
from thawline.components.evaluation.predictions import Predictions
from thawline.components.report import content, page
from thawline.components.report.content import ReportContent, RunFacts
from thawline.components.shared import image_table, metadata_store
from thawline.pipeline.reports.compared_run import ComparedRun

Row = tuple[str, str, str | None, str]  # id, split, label, answer


def table(folder: pathlib.Path, rows: Sequence[Row], classes: Sequence[str]) -> Predictions:
    """Predictions that are 80 % sure of their answers, written and read."""
    schema = predictions.schema(classes, (), {})
    other = 0.2 / max(len(classes) - 1, 1)
    columns = {
        'image_id': [row[0] for row in rows],
        'path': [f'{row[0]}.jpg' for row in rows],
        'split': [row[1] for row in rows],
        'label': [row[2] for row in rows],
        'answer': [row[3] for row in rows],
        'score': [0.8] * len(rows),
        'probabilities': [
            [0.8 if name == row[3] else other for name in classes] for row in rows
        ],
    }  # fmt: skip
    target = pathlib.Path(predictions.folder(str(folder)))
    target.mkdir(parents=True)
    pq.write_table(predictions.table(columns, schema), target / 'part.parquet')
    return predictions.read(str(folder))


def image_rows(rows: Sequence[Row]) -> pa.Table:
    """The table of images of an ingestion, each a group of its own."""
    return pa.Table.from_pylist(
        [
            {'image_id': name, 'path': f'{name}.jpg', 'group': name, 'split': split, 'label': label}
            for name, split, label, _ in rows
        ],
        image_table.SCHEMA,
    )


def report_content(
    classes: tuple[str, ...], run: str, config: Mapping[str, object] | None = None
) -> ReportContent:
    """A report of a run with a configuration."""
    facts = RunFacts(config=dict(config or {}), base={'backbone': 'tiny'})
    return dataclasses.replace(made_report.content(classes, n=40), run=run, facts=facts)


def compared_run(
    folder: pathlib.Path,
    run: str,
    rows: Sequence[Row],
    classes: tuple[str, ...],
    config: Mapping[str, object] | None = None,
    trained: Sequence[Row] = (),
) -> ComparedRun:
    """One side of a comparison; its model has also seen the images in `trained`."""
    of_run = report_content(classes, run, config)
    predictions = table(folder / run, rows, classes)
    images = image_rows([*rows, *trained])
    return ComparedRun(
        run, predictions, of_run.project, of_run.verdict, of_run.facts,
        images=images, learned_from=(images,),
    )  # fmt: skip


def rows(right: int, wrong: int, split: str = 'val', start: int = 0) -> list[Row]:
    """Images of an ant, of which some are answered right and then some wrong."""
    answers = ['ant'] * right + ['bee'] * wrong
    return [(f'{split}{start + i}', split, 'ant', answer) for i, answer in enumerate(answers)]


class Runs:
    """A project folder with its runs."""

    def __init__(self, home: pathlib.Path) -> None:
        self.home = home
        self.output = home / 'runs' / 'x'
        self.output.mkdir(parents=True)
        (home / 'thawline.yaml').write_text('name: x\ndata: {source: images}\n', 'utf-8')
        self.examples = self.output / 'artifacts' / 'examples'
        self.store = metadata_store.open_sqlite(self.output / 'metadata.sqlite')

    def add(
        self,
        run: str,
        found: Sequence[Row],
        classes: tuple[str, ...] = ('ant', 'bee'),
        report: bool = True,
        config: Mapping[str, object] | None = None,
    ) -> pathlib.Path:
        """Records a run; returns the folder of its report."""
        folder = self.output / 'artifacts' / run
        table(folder / 'evaluation', found, classes)
        examples = self._record(run, 'ImageExampleGen', 'examples', self.examples)
        ingested = folder / 'ingested'
        ingested.mkdir()
        pq.write_table(image_rows(found), ingested / 'images.parquet')
        own = self._record(run, 'ImageExampleGen', 'examples', ingested)
        inputs = {'examples': own, 'seen_examples': own}
        evaluation = self._record(run, 'Evaluator', 'evaluation', folder / 'evaluation', inputs)
        made = folder / 'report'
        if report:
            self.write(made, report_content(classes, run, config))
            inputs = {'examples': examples, 'evaluation': evaluation}
            self._record(run, 'Report', 'report', made, inputs)
        return made

    def write(self, folder: pathlib.Path, of: ReportContent) -> None:
        """Writes the files of a report."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'report.html').write_text(page.render(of), 'utf-8')
        (folder / 'content.json').write_text(content.to_json(of), 'utf-8')
        (folder / 'summary.json').write_text(content.summary_to_json(of), 'utf-8')

    def _record(
        self,
        run: str,
        node: str,
        key: str,
        folder: pathlib.Path,
        inputs: Mapping[str, pb.Artifact] | None = None,
    ) -> pb.Artifact:
        contexts = []
        for kind, name in (('pipeline', 'x'), ('pipeline_run', run), ('node', f'x.{node}')):
            kind_id = self.store.put_context_type(pb.ContextType(name=kind))
            there = self.store.get_context_by_type_and_name(kind, name)
            contexts.append(there or pb.Context(type_id=kind_id, name=name))
        artifact = pb.Artifact(
            type_id=self.store.put_artifact_type(pb.ArtifactType(name=key)), uri=str(folder)
        )
        edges: dict[int, tuple[pb.Artifact, pb.Event]] = {}
        for kind, name, one in (
            *((pb.Event.INPUT, *pair) for pair in (inputs or {}).items()),
            (pb.Event.OUTPUT, key, artifact),
        ):
            event = pb.Event(type=kind, artifact_id=one.id if one.id else None)
            # As TFX has it: one event of an artifact that is read under several keys.
            edges.setdefault(one.id, (one, event))[1].path.steps.add(key=name)
        execution = pb.Execution(
            type_id=self.store.put_execution_type(pb.ExecutionType(name=node)),
            last_known_state=pb.Execution.COMPLETE,
        )
        _, ids, _ = self.store.put_execution(
            execution, list(edges.values()), contexts, reuse_context_if_already_exist=True
        )
        artifact.id = ids[-1]
        return artifact


def not_numbers(of: ComparedRun) -> ComparedRun:
    """The same with a probability that is NaN."""
    probabilities = of.predictions.probabilities.copy()
    probabilities[0, 0] = np.nan
    return dataclasses.replace(
        of, predictions=dataclasses.replace(of.predictions, probabilities=probabilities)
    )

"""The images of a project as its last ingestion left them, and what later nodes say of them."""

from __future__ import annotations

import dataclasses
import pathlib
from collections.abc import Collection, Mapping
from typing import Any

from thawline.components.data_audit import table as audit_table
from thawline.components.ingestion import image_identity, sources, storage
from thawline.components.shared import image_table, node_names
from thawline.components.shared.errors import DataError, NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.labels.exchange import QueuedImage
from thawline.pipeline.metadata import node_records, runs
from thawline.pipeline.metadata.runs import Run
from thawline.pipeline.metadata.stores import opening


@dataclasses.dataclass(frozen=True)
class KnownImages:
    """Of the newest run that has them.

    Attributes:
        run: that run.
        rows: of the table of images.
        folder: of the Examples.
    """

    run: Run
    rows: tuple[Mapping[str, Any], ...]
    folder: pathlib.Path

    @property
    def labels(self) -> dict[str, frozenset[str]]:
        """Of each image by its id: its class, '' for none, and that of the source."""
        return {
            row['image_id']: frozenset(
                {row['label'] or '', row['source_label'] or row['label'] or ''}
            )
            for row in self.rows
        }

    @property
    def classes(self) -> list[str]:
        return sorted({row['label'] for row in self.rows if row['label']})

    def audited(self) -> list[Mapping[str, Any]]:
        """Rows of the data audit.

        Raises:
            NotFound: the run has none.
            DataError: it is damaged.
        """
        audit = self.run.output(node_names.DATA_AUDIT, 'audit')
        if audit is None:
            raise NotFound(
                f'run {self.run.id} has no data audit, which ranks suspect labels; run: thawline '
                'run --to DataAudit'
            )
        rows: list[Mapping[str, Any]] = audit_table.read(audit.uri).to_pylist()
        return rows

    def gate_line(self) -> str:
        """How many labels would decide the gate; '' where it was not asked."""
        for result in self.run.nodes:
            if result.node == node_names.EVALUATOR and 'evaluation' in result.outputs:
                try:
                    rules = node_records.verdict(result).rules
                except DataError:
                    return ''
                rule = next(rule for rule in rules if rule.name == 'val_accuracy')
                return f'{rule.sentence} {rule.change}'.strip()
        return ''

    def encoded(self, image_ids: Collection[str]) -> dict[str, bytes]:
        """The pictures as ingested, by id; those that were deleted are missing."""
        from thawline.components.report import pictures

        files = [str(path) for path in sorted(self.folder.glob('Split-*/*'))]
        scan = pictures.scan_examples({'all': files}, image_ids)
        return {name: image.encoded for name, image in scan.images.items()}


def read(project: Project) -> KnownImages:
    """The images of the newest run.

    Raises:
        NotFound: no run has read any.
    """
    store = opening.find_store(project)
    for run in reversed(runs.read_runs(store, project.name) if store else ()):
        examples = run.output(node_names.IMAGE_EXAMPLE_GEN, 'examples')
        table = image_table.read(examples.uri) if examples else None
        if examples and table is not None:
            return KnownImages(run, tuple(table.to_pylist()), pathlib.Path(examples.uri))
    raise NotFound('no run has read the images yet; run: thawline run --to DataAudit')


def unlabelled(project: Project) -> list[QueuedImage]:
    """Images of a CSV whose label is empty, with their bytes.

    Raises:
        ConfigError, DataError: the source cannot be listed.
    """
    images = []
    for item, *_ in sources.list_source(project.source_spec()).unlabelled:
        data = storage.read(item.path)
        name = image_identity.image_id(data)
        images.append(QueuedImage(name, item.relative_path, '', '', '', 'without a label', data))
    return images

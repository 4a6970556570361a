"""A project: its configuration, and the one answer to where things are."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import pathlib
import shlex
from typing import TYPE_CHECKING

import pydantic

from thawline.components.backbones.params import PretrainedBase
from thawline.components.bulk_prediction.params import Bulk
from thawline.components.ingestion import label_overlay, storage
from thawline.components.ingestion.source_types import SourceSpec
from thawline.components.shared import files
from thawline.pipeline.config import beam, curated_schema
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.metadata import PostgreSQL

if TYPE_CHECKING:
    from thawline.components.shared.content_store import Store

SCHEMA_FILE = 'schema.pbtxt'
REGISTRY_LOCK = 'lock'  # beside the folders of the stages
WEIGHTS_BY_NAME = ('imagenet', 'package', 'random')


@dataclasses.dataclass(frozen=True)
class Project:
    """One project.

    Attributes:
        config: what its file says.
        home: the folder of the project file; relative paths start here.
        output: where runs are kept.
        schema: the reviewed schema, whether it exists or not.
    """

    config: Config
    home: pathlib.Path
    output: pathlib.Path
    schema: pathlib.Path

    @classmethod
    def of(cls, config: Config, home: pathlib.Path, is_preset: bool = False) -> Project:
        """The project of a configuration read from `home`, or of a preset that runs there.

        The schema of a preset is kept with its runs: the folder does not belong to the preset.
        """
        home = home.resolve()
        output = home / (config.output or f'runs/{config.name}')
        named = pathlib.Path(config.data.schema_file or SCHEMA_FILE).expanduser()
        return cls(config, home, output, (output if is_preset else home) / named)

    def on_engine(self, engine: str | None) -> Project:
        """The same project with another Beam engine; None keeps the configured one."""
        return self._with(beam=beam.with_engine(self.config.beam, engine)) if engine else self

    def with_weights(self, weights: str) -> Project:
        """The same project with other weights of its base."""
        return self._with(model=self.config.model.model_copy(update={'weights': weights}))

    def _with(self, **sections: pydantic.BaseModel) -> Project:
        return dataclasses.replace(self, config=self.config.model_copy(update=sections))

    @property
    def name(self) -> str:
        """Name of the project and its pipeline."""
        return self.config.name

    def command_line(self, command: str) -> str:
        """The command with this project, where it is not that of the current folder."""
        place = min(os.path.relpath(self.home), str(self.home), key=len)
        return command if place == '.' else f'{command} {shlex.quote(place)}'

    @property
    def labels(self) -> str:
        """The file of corrected labels, whether it exists or not."""
        if self.config.data.labels:
            return self._resolve(self.config.data.labels)
        named = self.config.data.schema_file is not None
        return str((self.home if named else self.schema.parent) / label_overlay.FILE)

    @property
    def postgresql(self) -> PostgreSQL | None:
        """The database that records runs; None if that is the file `metadata`."""
        return self.config.metadata.postgresql

    @property
    def placeholders(self) -> dict[str, str]:
        """Its folders, and what stands for them in keys that have to outlast a move."""
        return {str(self.output): '{output}', str(self.home): '{home}'}

    @property
    def artifacts(self) -> pathlib.Path:
        """Artifacts of all runs."""
        return self.output / 'artifacts'

    @property
    def metadata(self) -> pathlib.Path:
        """ML Metadata's SQLite file, unless a database is configured."""
        return self.output / 'metadata.sqlite'

    @property
    def content_store(self) -> Store:
        """What runs keep of each image by its content."""
        from thawline.components.shared.content_store import Store  # with NumPy

        return Store(self.output / 'store', self.config.data.store.limit)

    @property
    def staging(self) -> pathlib.Path:
        """Blessed models, in TensorFlow Serving's layout: one folder per version."""
        return self.output / 'serving' / 'staging'

    @property
    def production(self) -> str:
        """Promoted models, in the same layout: a folder, or a URL that Beam can reach."""
        location = self.config.serving.production
        return self._resolve(location) if location else f'{self.output}/serving/production'

    @property
    def stages(self) -> dict[str, str]:
        """The folder of versions of each stage."""
        return {'production': self.production, 'staging': str(self.staging)}

    @property
    def registry_lock(self) -> pathlib.Path:
        """Locked while models are pushed, promoted, rolled back or pruned."""
        return self.staging.with_name(REGISTRY_LOCK)

    @property
    def logs(self) -> pathlib.Path:
        """Log files, one per run."""
        return self.output / 'logs'

    @property
    def engine_logs(self) -> pathlib.Path:
        """Logs of the processes that an engine starts for a run."""
        return self.logs / 'engine'

    @property
    def checkpoints(self) -> pathlib.Path:
        """State of unfinished trainings; not among the artifacts, which a failed run deletes."""
        return self.output / 'checkpoints'

    @property
    def run_lock(self) -> pathlib.Path:
        """Locked while a run of this project is under way."""
        return self.output / 'lock'

    @property
    def node_locks(self) -> pathlib.Path:
        """Locks of nodes that run in their own processes."""
        return self.output / 'locks'

    def mark_output(self) -> None:
        """Makes the output folder, and marks it: its files are never images of a source."""
        marker = self.output / storage.OUTPUT_MARKER
        with files.write_errors(marker):
            self.output.mkdir(parents=True, exist_ok=True)
            marker.touch()

    def report_link(self, run_id: str) -> pathlib.Path:
        """Link to the report of a run, under a name that is known before the run."""
        return self.output / 'reports' / f'{run_id}.html'

    def _resolve(self, path: str) -> str:
        """A path of the configuration in full; URLs and packages stay as they are."""
        if '://' in path or path.startswith('package:'):
            return path
        return str(self.home / pathlib.Path(path).expanduser())

    def source_spec(self) -> SourceSpec:
        """The images to ingest."""
        data = self.config.data
        return SourceSpec(
            source=self._resolve(data.source),
            format=data.format,
            root=None if data.root is None else self._resolve(data.root),
            columns=data.columns,
            group_pattern=data.group_pattern,
            normalise_labels=data.normalise_labels,
            layout=data.layout,
            conflicting_labels=data.conflicting_labels,
            depth=None if data.depth == 'auto' else data.depth,
            near_duplicates=data.near_duplicates,
            labels=self._overlay_of(self._resolve(data.source)),
            boxes=data.boxes,
            small_classes=data.split.folds != 0,
        )

    def _overlay_of(self, source: str) -> str | None:
        # A manifest beside the project file may have that very name.
        return None if os.path.realpath(source) == os.path.realpath(self.labels) else self.labels

    def bulk_source(self, bulk: Bulk) -> str:
        """The images that a run predicts."""
        return self._resolve(bulk.data)

    def copy_schema(self) -> pathlib.Path | None:
        """Copies the reviewed schema to a path that depends on its content.

        ImportSchemaGen is cached by the path alone: without the copy an edit would go unnoticed.
        The copy has all features of ours, also those that came after the schema was reviewed.
        """
        if not self.schema.is_file():
            return None
        content = curated_schema.complete(self.schema.read_bytes())
        digest = hashlib.sha256(content).hexdigest()[:16]
        copy = self.output / 'reviewed_schemas' / digest / SCHEMA_FILE
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
        return copy

    def weights(self) -> str:
        """Weights of the base: a name, or the full path of a file."""
        weights = self.config.model.weights
        return weights if weights in WEIGHTS_BY_NAME else self._resolve(weights)

    def weights_digest(self) -> str:
        """Digest of a weights file; empty for weights by name."""
        weights = self.weights()
        if weights in WEIGHTS_BY_NAME:
            return ''
        return files.sha256(pathlib.Path(weights))[:16]

    def base(self) -> PretrainedBase:
        """Settings of the base, with the full path of its weights."""
        return self.config.model.model_copy(update={'weights': self.weights()})

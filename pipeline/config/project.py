"""Where a project keeps its things, and how the paths in its configuration are meant."""

from __future__ import annotations

import dataclasses
import hashlib
import pathlib

import pydantic

from thawline.components.backbones.params import PretrainedBase
from thawline.components.bulk_prediction.params import Bulk
from thawline.components.ingestion.source_types import SourceSpec
from thawline.pipeline.config import beam
from thawline.pipeline.config.metadata import PostgreSQL
from thawline.pipeline.config.models import Config

SCHEMA_FILE = 'schema.pbtxt'
WEIGHTS_BY_NAME = ('imagenet', 'package', 'random')


@dataclasses.dataclass(frozen=True)
class Project:
    """One project: its configuration, and the folders where it keeps its things.

    Attributes:
        config: what its file says.
        home: the folder of the configuration file, which relative paths are relative to.
        output: where runs are kept.
        schema: where the reviewed schema is, or would be.
    """

    config: Config
    home: pathlib.Path
    output: pathlib.Path
    schema: pathlib.Path

    @classmethod
    def of(cls, config: Config, home: pathlib.Path, is_preset: bool = False) -> Project:
        """The project of a configuration that was found in `home`, or of a preset run there.

        The schema of a preset is kept with its runs: the folder is not the preset's own.
        """
        home = home.resolve()
        output = home / (config.output or f'runs/{config.name}')
        named = pathlib.Path(config.data.schema_file or SCHEMA_FILE).expanduser()
        return cls(config, home, output, (output if is_preset else home) / named)

    def on_engine(self, engine: str | None) -> Project:
        """The same project with another engine of Beam; None leaves the configured one."""
        return self._with(beam=beam.on(self.config.beam, engine))

    def with_weights(self, weights: str) -> Project:
        """The same project with other weights of its base."""
        return self._with(model=self.config.model.model_copy(update={'weights': weights}))

    def _with(self, **sections: pydantic.BaseModel) -> Project:
        return dataclasses.replace(self, config=self.config.model_copy(update=sections))

    @property
    def name(self) -> str:
        """Of the project and its pipeline."""
        return self.config.name

    @property
    def postgresql(self) -> PostgreSQL | None:
        """The database that records runs; None for the file `metadata`."""
        return self.config.metadata.postgresql

    @property
    def artifacts(self) -> pathlib.Path:
        """Every artifact of every run."""
        return self.output / 'artifacts'

    @property
    def metadata(self) -> pathlib.Path:
        """ML Metadata's SQLite file, where no database is configured."""
        return self.output / 'metadata.sqlite'

    @property
    def staging(self) -> pathlib.Path:
        """Blessed models, in TensorFlow Serving's layout: one folder a version."""
        return self.output / 'serving' / 'staging'

    def production(self) -> str:
        """Promoted models, in the same layout: a folder, or a URL that Beam reaches."""
        named = self.config.serving.production
        return self._located(named) if named else str(self.output / 'serving' / 'production')

    @property
    def promotions(self) -> pathlib.Path:
        """Held while models are promoted, rolled back or pruned."""
        return self.output / 'serving' / 'lock'

    @property
    def logs(self) -> pathlib.Path:
        """One log file a run."""
        return self.output / 'logs'

    @property
    def engine_logs(self) -> pathlib.Path:
        """Logs of the processes that an engine needs beside a run."""
        return self.logs / 'engine'

    @property
    def checkpoints(self) -> pathlib.Path:
        """States of unfinished trainings; outside the artifacts, which a failed run removes."""
        return self.output / 'checkpoints'

    @property
    def lock(self) -> pathlib.Path:
        """Held while a run of this project is under way."""
        return self.output / 'lock'

    @property
    def node_locks(self) -> pathlib.Path:
        """Each held while a node of a run is under way in a process of its own."""
        return self.output / 'locks'

    def report_link(self, run_id: str) -> pathlib.Path:
        """The report of a run, under a name that can be told beforehand."""
        return self.output / 'reports' / f'{run_id}.html'

    def _located(self, path: str) -> str:
        """A path of the configuration: URLs and packages as they are, others from `home`."""
        if '://' in path or path.startswith('package:'):
            return path
        return str(self.home / pathlib.Path(path).expanduser())

    def source_spec(self) -> SourceSpec:
        """The images to ingest."""
        data = self.config.data
        return SourceSpec(
            source=self._located(data.source),
            format=data.format,
            root=None if data.root is None else self._located(data.root),
            columns=data.columns,
            group_pattern=data.group_pattern,
            normalise_labels=data.normalise_labels,
        )

    def bulk_source(self, bulk: Bulk) -> str:
        """The images that a run predicts."""
        return self._located(bulk.data)

    def pinned_schema(self) -> pathlib.Path | None:
        """A copy of the reviewed schema whose path depends on its content.

        ImportSchemaGen is cached by the path alone: without the copy an edit would not be noticed.
        """
        if not self.schema.is_file():
            return None
        content = self.schema.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:16]
        copy = self.output / 'reviewed_schemas' / digest / SCHEMA_FILE
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(content)
        return copy

    def weights(self) -> str:
        """The base's weights: a name, or the full path of a file."""
        weights = self.config.model.weights
        return weights if weights in WEIGHTS_BY_NAME else self._located(weights)

    def weights_digest(self) -> str:
        """Changes with the content of a weights file; empty for weights that have a name."""
        weights = self.weights()
        if weights in WEIGHTS_BY_NAME:
            return ''
        with open(weights, 'rb') as file:
            return hashlib.file_digest(file, 'sha256').hexdigest()[:16]

    def located_model(self) -> PretrainedBase:
        """The base's settings with the full path of its weights."""
        return self.config.model.model_copy(update={'weights': self.weights()})

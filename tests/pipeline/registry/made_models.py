"""A project whose models are recorded in a real metadata store as the nodes leave them."""

from __future__ import annotations

import hashlib
import json
import pathlib
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow.parquet as pq
from click.testing import CliRunner, Result
from ml_metadata.proto import metadata_store_pb2 as pb

from tests import made_records, made_runs, once
from tests.made_runs import Row
from thawline import ROOT
from thawline.components.evaluation.gate.record import Verdict
from thawline.components.shared import metadata_store, model_fingerprint, property_names
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.components.training.record import BaseRecord
from thawline.pipeline import cli
from thawline.pipeline.config import loading
from thawline.pipeline.registry import load_test, registry
from thawline.pipeline.registry.registry import Registry

DIGESTS = pathlib.Path('assets.extra', 'digests.json')
COMPLETE, CACHED = pb.Execution.COMPLETE, pb.Execution.CACHED
RIGHT = made_runs.rows(40, 0, 'val') + made_runs.rows(40, 0, 'test')
WORSE = made_runs.rows(25, 15, 'val') + made_runs.rows(30, 10, 'test')
SPLITS = {'train': {'ant': 60, 'bee': 62}, 'val': {'ant': 40}, 'test': {'ant': 40}}
_MODEL = """
import sys
import tensorflow as tf
module = tf.Module()
module.kernel = tf.Variable(tf.ones([3, 2]))
@tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name='pixels')])
def answer(pixels):
    return {'probabilities': tf.nn.softmax(pixels @ module.kernel)}
tf.saved_model.save(module, sys.argv[1], signatures={'serving_default': answer})
tf.saved_model.save(module, sys.argv[2], signatures={})
"""


def saved_model() -> pathlib.Path:
    """A tiny SavedModel, made in a process of its own; TensorFlow stays out of this one.

    It is made once for all processes and test runs. Beside it lies one without signatures, `mute`.
    """
    key = f'{load_test.tensorflow_version()}\n{_MODEL}'.encode()
    folder = ROOT / 'build' / 'tests' / hashlib.sha256(key).hexdigest()[:12]
    folders = (folder / 'model', folder / 'mute')
    with once.making(folder) as is_first:
        if is_first:
            subprocess.run([sys.executable, '-c', _MODEL, *folders], check=True)
    return folders[0]


def copy_of(template: pathlib.Path, folder: pathlib.Path, name: str, size: int = 1000) -> None:
    """A model of its own: the template with `size` random bytes, and the digests of its files."""
    shutil.copytree(template, folder)
    extra = folder / 'assets.extra'
    extra.mkdir()
    (extra / 'thawline.json').write_text(json.dumps({'format': 1, 'name': name}), 'utf-8')
    (extra / 'filler.bin').write_bytes(random.Random(name).randbytes(size))
    (folder / DIGESTS).write_text(json.dumps(digests(folder)), 'utf-8')


def digests(folder: pathlib.Path) -> dict[str, str]:
    """SHA-256 of each file of a model, but for the file that holds them."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob('*'))
        if path.is_file() and path.relative_to(folder) != DIGESTS
    }


def files_of(model: pathlib.Path, record: pathlib.Path) -> dict[str, str]:
    """Records the files of a model as nodes do; returns the property beside the record."""
    present = model_fingerprint.fingerprint(LocalFiles(model))
    present.write(record)
    return {property_names.MODEL_DIGEST: present.digest}


class Models:
    """A project folder with models."""

    def __init__(self, home: pathlib.Path, template: pathlib.Path, serving: str = '') -> None:
        self.home, self.template = home, template
        self.output = home / 'runs' / 'x'
        self.output.mkdir(parents=True)
        text = f'name: x\ndata: {{source: images}}\n{serving}'
        (home / 'thawline.yaml').write_text(text, 'utf-8')
        self.store = metadata_store.open_sqlite(self.output / 'metadata.sqlite')
        self._contexts: dict[tuple[str, str], pb.Context] = {}
        self.images = self.record(
            'r0', 'ImageExampleGen',
            noted={'source_spec': json.dumps({'source': 'images'}), 'seed': 0,
                   'source_fingerprint': 'f1' * 32, 'code_digest': 'c0de', 'max_side': 1024},
            outputs={
                'examples': ('Examples', {}),
                'quarantine': ('Quarantine', {
                    'summary': made_records.ingestion(SPLITS, 3).to_json(),
                }),
            },
        )  # fmt: skip

    def record(
        self,
        run_id: str,
        node: str,
        inputs: Mapping[str, int] | None = None,
        outputs: Mapping[str, tuple[str, Mapping[str, Any]]] | None = None,
        noted: Mapping[str, Any] | None = None,
        state: int = COMPLETE,
        again: Mapping[str, int] | None = None,
    ) -> dict[str, int]:
        """Records an execution; returns the ids of what it put out.

        Args:
            run_id, node: its place.
            inputs: artifacts by key.
            outputs: type and properties of new artifacts by key; `uri` among these is their place.
            noted: properties of the execution.
            state: of the execution.
            again: outputs that are there already, as of a cached execution.
        """
        places = (('pipeline', 'x'), ('pipeline_run', run_id), ('node', f'x.{node}'))
        contexts = [self._context(*place) for place in places]
        pairs, keys = [], []
        for kind, ids in ((pb.Event.INPUT, inputs or {}), (pb.Event.OUTPUT, again or {})):
            for id_ in dict.fromkeys(ids.values()):
                artifact = self.store.get_artifacts_by_id([id_])[0]
                # As TFX has it: one event of an artifact that is read under several keys.
                under = [key for key, number in ids.items() if number == id_]
                pairs.append((artifact, _event(kind, under, id_)))
                keys.append(under[0] if kind == pb.Event.OUTPUT else '')
        for key, (type_name, properties) in (outputs or {}).items():
            kind_id = self.store.put_artifact_type(pb.ArtifactType(name=type_name))
            rest = dict(properties)
            artifact = pb.Artifact(type_id=kind_id, uri=str(rest.pop('uri', f'/{node}/{key}')))
            _note(artifact, rest)
            pairs.append((artifact, _event(pb.Event.OUTPUT, [key])))
            keys.append(key)
        execution = pb.Execution(
            type_id=self.store.put_execution_type(pb.ExecutionType(name=f'components.{node}')),
            last_known_state=state,
        )
        _note(execution, noted or {})
        _, ids, _ = self.store.put_execution(execution, pairs, contexts)
        return {key: id_ for key, id_ in zip(keys, ids, strict=True) if key}

    def _context(self, kind: str, name: str) -> pb.Context:
        if (kind, name) not in self._contexts:
            kind_id = self.store.put_context_type(pb.ContextType(name=kind))
            (id_,) = self.store.put_contexts([pb.Context(type_id=kind_id, name=name)])
            found = self.store.get_contexts_by_id([id_])[0]
            self._contexts[kind, name] = found
        return self._contexts[kind, name]

    def add(
        self,
        run_id: str,
        blessed: bool | None = True,
        rows: Sequence[Row] = RIGHT,
        size: int = 1000,
        exported: bool = False,
        infra: bool | None = None,
        staged: int | None = None,
        recorded: bool = True,
    ) -> int:
        """Records a run with a model; returns its id.

        Args:
            run_id: of the run.
            blessed: None for a model that was never evaluated.
            rows: its predictions.
            size: bytes that the model has besides its graph.
            exported: whether it has an exported form.
            infra: whether that passed the serving check; None for none.
            staged: version under which Pusher put it in staging.
            recorded: whether the nodes recorded its files, as those of early versions did not.
        """
        folder = self.output / 'artifacts' / run_id
        copy_of(self.template, folder / 'model' / 'Format-Serving', run_id, size)
        told = {'model': '{"backbone": "tiny", "weights": "random"}', 'image_size': 32,
                'training': '{"mode": "probe"}', 'code_digest': 'c0df'}  # fmt: skip
        base = BaseRecord('tiny', 'random', 'ba5e' * 16, 32)
        (folder / 'model_run').mkdir()
        made_records.training(0.9, base=base).write(folder / 'model_run')
        trained = self.record(
            run_id, 'Trainer', {'examples': self.images['examples']},
            {'model': ('Model', {'uri': folder / 'model'}),
             'model_run': ('ModelRun', {'uri': folder / 'model_run'})},
            {'custom_config': json.dumps(told)},
        )  # fmt: skip
        model = served = trained['model']
        if blessed is not None:
            made_runs.table(folder / 'evaluation', rows, ('ant', 'bee'))
            Verdict(blessed, '', ()).write(folder / 'evaluation')
            ingested = self._ingested(run_id, folder / 'ingested', rows)
            judged = files_of(self.source(run_id), folder / 'evaluation') if recorded else {}
            reached = {f'val_{end}': value for end, value in
                       (('accuracy', 0.9), ('lower', 0.85), ('upper', 0.94))}  # fmt: skip
            self.record(
                run_id, 'Evaluator',
                {'model': model, 'examples': ingested, 'seen_examples': ingested},
                {'evaluation': ('ModelEvaluation', {'uri': folder / 'evaluation', **reached,
                                                    **judged, 'val_images': 395}),
                 'blessing': ('ModelBlessing', {'blessed': int(blessed)})},
                {'gate': '{"val_accuracy": 0.8}'},
            )  # fmt: skip
        if exported:
            form = folder / 'exported' / 'Format-Serving'
            copy_of(self.template, form, f'{run_id} exported', size)
            made = self.record(
                run_id, 'Exporter', {'model': model},
                {'exported_model': ('Model', {'uri': folder / 'exported'}),
                 'exports': ('Exports', {'placed': '["litert"]'})},
            )  # fmt: skip
            served = made['exported_model']
        checked = {}
        if infra is not None:
            form = folder / ('exported' if exported else 'model') / 'Format-Serving'
            checked = files_of(form, folder / 'serving_record') if recorded else {}
            self.record(
                run_id, 'ServingCheck', {'model': served},
                {'infra_blessing': ('InfraBlessing', {'blessed': int(infra)}),
                 'serving_record': ('ServingRecord', {'checked': int(blessed is True), **checked,
                                                      'uri': folder / 'serving_record'}
                                    | ({} if infra else {'problems': 'it hangs'}))},
            )  # fmt: skip
        if staged is not None:
            form = folder / ('exported' if exported else 'model') / 'Format-Serving'
            shutil.copytree(form, self.staging / str(staged))
            self.push(run_id, served, staged, digest=checked)
        return model

    def _ingested(self, run_id: str, folder: pathlib.Path, rows: Sequence[Row]) -> int:
        """Records the Examples with some images; returns their id."""
        folder.mkdir()
        pq.write_table(made_runs.image_rows(rows), folder / 'images.parquet')
        made = {'examples': ('Examples', {'uri': folder})}
        return self.record(run_id, 'ImageExampleGen', outputs=made)['examples']

    def push(
        self,
        run_id: str,
        artifact: int,
        version: int,
        already_there: bool = False,
        digest: Mapping[str, str] | None = None,
    ) -> None:
        """Records a push of a Model artifact."""
        pushed = {'pushed': 1, 'pushed_version': str(version), 'already_there': int(already_there)}
        pushed |= digest or {}
        self.record(run_id, 'Pusher', {'model': artifact},
                    {'pushed_model': ('PushedModel', pushed)})  # fmt: skip

    @property
    def staging(self) -> pathlib.Path:
        return self.output / 'serving' / 'staging'

    @property
    def production(self) -> pathlib.Path:
        return self.output / 'serving' / 'production'

    def source(self, run_id: str) -> pathlib.Path:
        """The SavedModel that a run left."""
        return self.output / 'artifacts' / run_id / 'model' / 'Format-Serving'

    def versions(self) -> list[int]:
        """What lies in production, by number."""
        return sorted(int(path.name) for path in self.production.iterdir() if path.name.isdigit())

    def registry(self) -> Registry:
        """As it is now."""
        return registry.read(loading.load_project(self.home))

    def thawline(self, command: str, *arguments: str) -> Result:
        """Runs a command on the project."""
        positional = [one for one in arguments if not one.startswith('--')][:1]
        takes = command in ('promote', 'explain', 'verify')
        where = [*(positional if takes else ()), str(self.home)]
        rest = arguments[len(positional) if takes else 0 :]
        return CliRunner().invoke(cli.main, [command, *where, *rest], env={'COLUMNS': '200'})

    def promote(self, model: int, *arguments: str) -> Result:
        """Promotes without a question."""
        done = self.thawline('promote', str(model), '--yes', *arguments)
        assert done.exit_code == 0, done.output
        return done


def _event(kind: int, keys: Sequence[str], artifact: int | None = None) -> pb.Event:
    event = pb.Event(type=kind, artifact_id=artifact)
    for key in keys:
        event.path.steps.add(key=key)
        event.path.steps.add(index=0)
    return event


def _note(of: pb.Artifact | pb.Execution, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        field = {int: 'int_value', float: 'double_value', str: 'string_value'}[type(value)]
        setattr(of.custom_properties[name], field, value)

"""A pipeline of nodes that do next to nothing, launched as the real ones are.

    One -> Two -> Three, and One -> Three

Each writes a line of its own word and of the lines that it read: `three(one(), two(one()))`.
"""

import os  # no annotations from __future__: TFX reads those of components
import pathlib
import time

from thawline.components.pusher.component import Pusher
from thawline.components.shared import model_fingerprint
from thawline.components.shared.artifacts import ServingRecord
from thawline.components.shared.errors import DataError
from thawline.components.shared.model_fingerprint import LocalFiles
from thawline.components.shared.property_names import MODEL_DIGEST
from thawline.pipeline import tfx_imports as tfx
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import connection
from thawline.pipeline.runners import compiled_file, compiling

from tfx import types  # isort: skip - after tfx_imports
from tfx.dsl.component.experimental.annotations import InputArtifact  # isort: skip
from tfx.dsl.component.experimental.annotations import OutputArtifact, Parameter  # isort: skip
from tfx.dsl.component.experimental.decorators import component  # isort: skip
from tfx.dsl.components.common import importer  # isort: skip
from tfx.types import standard_artifacts  # isort: skip

FAIL = 'THAWLINE_TEST_FAIL'  # a node that is to fail, or `data` or `kill` and the node
WAIT = 'THAWLINE_TEST_WAIT'  # seconds that each node takes


class Line(types.Artifact):
    """A folder with a file that is called `line`."""

    TYPE_NAME = 'Line'


def _write(name: str, word: str, made: types.Artifact, *read: types.Artifact) -> None:
    time.sleep(float(os.environ.get(WAIT, '0')))
    folder = pathlib.Path(made.uri)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f'part-{os.getpid()}').touch()  # what a killed attempt leaves
    if os.environ.get(FAIL) == name:
        raise ValueError(f'{name} was told to fail')
    if os.environ.get(FAIL) == f'data {name}':
        raise DataError('two images are too few')
    if os.environ.get(FAIL) == f'kill {name}':
        os.kill(os.getpid(), 9)
    texts = [pathlib.Path(one.uri, 'line').read_text('utf-8') for one in read]
    (folder / 'line').write_text(f'{word}({", ".join(texts)})', 'utf-8')


@component
def One(made: OutputArtifact[Line], word: Parameter[str]) -> None:  # noqa: N802 - a component
    _write('One', word, made)


@component
def Two(one: InputArtifact[Line], made: OutputArtifact[Line], word: Parameter[str]) -> None:  # noqa: N802
    _write('Two', word, made, one)


@component
def Three(  # noqa: N802
    one: InputArtifact[Line],
    two: InputArtifact[Line],
    made: OutputArtifact[Line],
    word: Parameter[str],
) -> None:
    _write('Three', word, made, one, two)


def wired(
    project: Project, cache: bool = True, push: str = '', blessed: bool = True, **words: str
) -> tfx.Pipeline:
    """The pipeline of a project; `words` of the nodes are their parameters.

    With `push`, the folder of a model, it has a Pusher too, and the `blessed` of its inputs.
    """
    one = One(word=words.get('One', 'one'))
    two = Two(one=one.outputs['made'], word=words.get('Two', 'two'))
    three = Three(
        one=one.outputs['made'], two=two.outputs['made'], word=words.get('Three', 'three')
    )
    components = [one, two, three]
    if push:
        model = importer.Importer(
            source_uri=push, artifact_type=standard_artifacts.Model, reimport=False
        ).with_id('Model')
        gate, check = (
            importer.Importer(
                source_uri=push, artifact_type=kind, custom_properties={'blessed': int(blessed)}
            ).with_id(kind.TYPE_NAME)
            for kind in (standard_artifacts.ModelBlessing, standard_artifacts.InfraBlessing)
        )
        files = model_fingerprint.fingerprint(LocalFiles(pathlib.Path(push, 'Format-Serving')))
        files.write(f'{push}-record')
        checked = importer.Importer(
            source_uri=f'{push}-record',
            artifact_type=ServingRecord,
            custom_properties={MODEL_DIGEST: files.digest},
        ).with_id('ServingRecord')
        pusher = Pusher(
            model=model.outputs['result'],
            model_blessing=gate.outputs['result'],
            infra_blessing=check.outputs['result'],
            serving_record=checked.outputs['result'],
            staging=str(project.staging),
        )
        components += [model, gate, check, checked, pusher]
    return tfx.Pipeline(
        pipeline_name='tiny',
        pipeline_root=str(project.artifacts),
        components=components,
        enable_cache=cache,
        metadata_connection_config=connection.sqlite_config(project.metadata),
    )


def made(home: pathlib.Path, rest: str = '') -> Project:
    """A project in a folder; `rest` is more of its configuration."""
    text = f'name: tiny\ndata: {{source: images}}\nmodel: {{weights: random}}\n{rest}'
    settings = loading.parse(text, 'thawline.yaml')
    return Project.of(settings, home)


def written(home: pathlib.Path, cache: bool = True, rest: str = '', **words: str) -> pathlib.Path:
    """The compiled pipeline of a project in a folder, as a file."""
    project = made(home, rest)
    content = compiled_file.envelope(
        project, *compiling.compile_pipeline(wired(project, cache, **words))
    )
    compiled_file.write(home / compiled_file.FILE, content)
    return home / compiled_file.FILE


def line(node: str, project: Project) -> str:
    """What the newest execution of a node wrote."""
    folders = (project.artifacts / node / 'made').iterdir()
    return (max(folders, key=lambda one: int(one.name)) / 'line').read_text('utf-8')

"""Parts of a pipeline on the results of earlier runs: only on those that are up to date."""

from __future__ import annotations

import contextlib
import pathlib
from collections.abc import Iterator

import pytest
from ml_metadata.proto import metadata_store_pb2 as pb

from tests.pipeline.runners import tiny_nodes
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline import graph
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import execution_states
from thawline.pipeline.metadata import runs as metadata
from thawline.pipeline.metadata.runs import NodeResult
from thawline.pipeline.metadata.stores import opening
from thawline.pipeline.runners import compiling, launching
from thawline.pipeline.runners.local import LocalRunner, Selection


class Silent:
    """A display that shows nothing."""

    @contextlib.contextmanager
    def show_running(self, node: str) -> Iterator[None]:
        yield

    def show_done(self, result: NodeResult) -> None:
        pass


@pytest.fixture
def project(tmp_path: pathlib.Path) -> Project:
    project = tiny_nodes.made(tmp_path)
    project.output.mkdir(parents=True)
    return project


def run(
    project: Project,
    run_id: str,
    first: tuple[str, ...] = (),
    last: tuple[str, ...] = (),
    fingerprints: dict[str, str] | None = None,
    **words: str,
) -> dict[str, str]:
    """Runs a part of the pipeline; returns the states of the nodes that ran."""
    runner = LocalRunner(run_id, Silent(), Selection(first, last, fingerprints or {}))
    runner.run(tiny_nodes.wired(project, **words))
    return {result.node: result.state for result in runner.results}


def bases(project: Project, run_id: str) -> set[str]:
    """The runs whose results a run took over."""
    store = opening.find_store(project)
    executions = metadata.newest_executions(store, run_id, 'tiny').values()
    reused = execution_states.REUSED
    taken = (execution.custom_properties[reused].string_value for execution in executions)
    return set(filter(None, taken))


def test_part_runs_on_the_results_of_the_run_before(project: Project) -> None:
    run(project, 'r1')
    assert run(project, 'r2', ('Three',), Three='drei') == {'Three': 'complete'}
    assert tiny_nodes.line('Three', project) == 'drei(one(), two(one()))'
    assert bases(project, 'r2') == {'r1'}


def test_nodes_before_it_with_other_settings_are_named(project: Project) -> None:
    run(project, 'r1')
    with pytest.raises(ConfigError) as refused:
        run(project, 'r2', ('Three',), One='eins', Two='zwei')
    assert 'One ran with other settings or code' in str(refused.value)
    assert '--from One,' in str(refused.value), 'Two runs again with it'
    with pytest.raises(ConfigError, match='Two ran with other settings or code.*--from Two,'):
        run(project, 'r2', ('Three',), ('Three',), Two='zwei')
    assert run(project, 'r2', ('Two',), Two='zwei') == dict.fromkeys(['Two', 'Three'], 'complete')
    assert tiny_nodes.line('Three', project) == 'three(one(), zwei(one()))'


def test_settings_of_nodes_that_run_or_come_after_may_differ(project: Project) -> None:
    run(project, 'r1')
    assert list(run(project, 'r2', ('Two',), ('Two',), Two='zwei', Three='drei')) == ['Two']


def test_newest_run_that_fits_is_taken(project: Project) -> None:
    run(project, 'r1')
    run(project, 'r2', One='eins')
    run(project, 'r3', Three='drei', last=('Two',))
    run(project, 'r4', One='eins')
    assert run(project, 'r5', ('Three',), Three='drei') == {'Three': 'complete'}
    assert tiny_nodes.line('Three', project) == 'drei(one(), two(one()))'
    assert bases(project, 'r5') == {'r3'}


def test_parts_of_parts_remember_what_made_their_results(project: Project) -> None:
    run(project, 'r1')
    run(project, 'r2', ('Two',), Two='zwei')
    for number in range(3, 6):
        assert list(run(project, f'r{number}', ('Three',), Two='zwei')) == ['Three']
        assert bases(project, f'r{number}') == {f'r{number - 1}'}
    assert tiny_nodes.line('Three', project) == 'three(one(), zwei(one()))'
    with pytest.raises(ConfigError, match='One ran with other settings or code'):
        run(project, 'r6', ('Three',), One='eins', Two='zwei')


def test_before_any_run(project: Project) -> None:
    with pytest.raises(NotFound, match='no earlier run'):
        run(project, 'r1', ('Two',))
    assert run(project, 'r1', ('One',), ('One',)) == {'One': 'complete'}


def test_node_that_no_run_finished_is_named(project: Project, monkeypatch) -> None:
    run(project, 'r1', last=('One',))
    with pytest.raises(ConfigError, match='Two did not run.*--from Two,'):
        run(project, 'r2', ('Three',))
    monkeypatch.setenv(tiny_nodes.FAIL, 'Two')
    with pytest.raises(Exception, match='told to fail'):
        run(project, 'r3')
    monkeypatch.delenv(tiny_nodes.FAIL)
    with pytest.raises(ConfigError, match='Two'):
        run(project, 'r4', ('Three',))


def test_node_that_was_run_again_after_those_behind_it_is_out_of_date(project: Project) -> None:
    run(project, 'r1')
    compiled = compiling.compile_pipeline(tiny_nodes.wired(project))[1]
    launching.from_json(compiled, 'r1').launch('One', use_cache=False)
    with pytest.raises(ConfigError, match='Two is out of date: One ran again after it'):
        run(project, 'r2', ('Three',))


def test_images_that_changed_since_are_told_of_the_node_that_reads_them(project: Project) -> None:
    """The node stands for an ingestion; what its driver noted, the test notes."""
    run(project, 'r1', Three='drei')
    store = opening.find_store(project)
    execution = metadata.newest_executions(store, 'r1', 'tiny')['One']
    execution.custom_properties['source_fingerprint'].string_value = 'f1'
    store.put_executions([execution])
    (event,) = store.get_events_by_execution_ids([execution.id])
    assert event.type == pb.Event.OUTPUT
    run(project, 'r2', Three='drei')  # from the cache, without a fingerprint of its own
    assert run(project, 'r3', ('Three',), fingerprints={'One': 'f1'}) == {'Three': 'complete'}
    with pytest.raises(ConfigError, match='One read images that have changed since.*--from One,'):
        run(project, 'r4', ('Three',), fingerprints={'One': 'f2'})


def selected(folder: pathlib.Path, first: str, last: tuple[str, ...] = ()) -> tuple[set, set]:
    """Of the real chain: nodes that would run, and those whose earlier results would be used."""
    text = (
        'name: x\ndata: {source: images}\ntraining: {tuned: true}\n'
        'model: {backbone: mobilenet_v2_035, weights: random}\n'
    )
    project = Project.of(loading.parse(text, 'thawline.yaml'), folder)
    compiled = compiling.compile_pipeline(graph.build(project))[1]
    chain = launching.from_json(compiled, 'r1')
    chain.select((first,), last)
    return set(chain.selected), set(chain.reused)


def test_what_resolvers_find_is_asked_for_again(tmp_path: pathlib.Path) -> None:
    """A tuning, a blessing or a report may have come since."""
    runs, reused = selected(tmp_path, 'Evaluator', ('Evaluator',))
    assert runs == {'Baseline', 'Evaluator'}
    assert {'ImageExampleGen', 'Tuned', 'Trainer'} < reused and 'Exporter' not in reused
    runs, reused = selected(tmp_path, 'Trainer')
    assert runs >= {'Tuned', 'Trainer', 'Baseline', 'LastReport', 'Report'}
    assert 'Embedder' in reused and not runs & reused
    runs, reused = selected(tmp_path, 'Report', ('Report',))
    assert runs == {'LastReport', 'Report'} and 'Baseline' in reused

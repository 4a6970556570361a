"""The baseline is the latest earlier model that could be served, or the one in production."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from tfx import types
from tfx.types import standard_artifacts

from tests.components.shared.test_lineage import Recorder
from thawline.components.evaluation import baseline
from thawline.pipeline.registry import ledger

import ml_metadata as mlmd  # isort: skip
from ml_metadata.proto import metadata_store_pb2 as pb  # isort: skip

Artifacts = list[types.Artifact]


class Checks:
    """A store that records serving checks of blessings with given ids."""

    def __init__(self) -> None:
        config = pb.ConnectionConfig()
        config.fake_database.SetInParent()
        self.store = mlmd.MetadataStore(config)
        self._types = [
            self.store.put_artifact_type(pb.ArtifactType(name=name))
            for name in ('ModelBlessing', 'InfraBlessing')
        ]
        self._node = self.store.put_execution_type(pb.ExecutionType(name='ServingCheck'))

    def blessing_ids(self, count: int) -> list[int]:
        """Records blessings, whose ids ML Metadata chooses: 1 to `count`."""
        return list(self.store.put_artifacts([pb.Artifact(type_id=self._types[0])] * count))

    def add(self, blessing_id: int, passed: bool, decision: int | None = None) -> int:
        """Records a check, or, of a decision that was made before, that it came from the cache."""
        if decision is None:
            artifact = pb.Artifact(type_id=self._types[1])
            artifact.custom_properties['blessed'].int_value = int(passed)
            (decision,) = self.store.put_artifacts([artifact])
        (execution,) = self.store.put_executions([pb.Execution(type_id=self._node)])
        for kind, key, artifact_id in (
            (pb.Event.INPUT, 'blessing', blessing_id),
            (pb.Event.OUTPUT, 'infra_blessing', decision),
        ):
            event = pb.Event(type=kind, artifact_id=artifact_id, execution_id=execution)
            event.path.steps.add(key=key)
            self.store.put_events([event])
        return decision


@pytest.fixture(scope='module')
def all_passed() -> mlmd.MetadataStore:
    """Where the checks of all blessings were passed."""
    checks = Checks()
    for blessing_id in checks.blessing_ids(20):
        checks.add(blessing_id, passed=True)
    return checks.store


def model(artifact_id: int) -> types.Artifact:
    artifact = standard_artifacts.Model()
    artifact.id = artifact_id
    return artifact


def blessing(artifact_id: int, model_id: int, blessed: bool) -> types.Artifact:
    artifact = standard_artifacts.ModelBlessing()
    artifact.id = artifact_id
    artifact.set_int_custom_property('blessed', int(blessed))
    artifact.set_int_custom_property('current_model_id', model_id)
    return artifact


def resolve(
    store: mlmd.MetadataStore, candidate: Artifacts, models: Artifacts, blessings: Artifacts
) -> tuple[list[int], ...]:
    """Ids of the model and the blessing that were resolved."""
    resolved = resolve_all(store, candidate, models, blessings, [])
    assert resolved['candidate'] == [a.id for a in candidate]
    return resolved['model'], resolved['model_blessing']


def resolve_all(
    store: mlmd.MetadataStore,
    candidate: Artifacts,
    models: Artifacts,
    blessings: Artifacts,
    examples: Artifacts,
    strategy: baseline.BaselineStrategy | None = None,
    evaluations: Artifacts = [],  # noqa: B006  only read
) -> dict[str, list[int]]:
    """Ids of all that was resolved."""
    inputs = {
        'candidate': candidate, 'model': models, 'model_blessing': blessings,
        'examples': examples, 'candidate_examples': examples, 'evaluation': evaluations,
    }  # fmt: skip
    resolved = (strategy or baseline.BaselineStrategy()).resolve_artifacts(store, inputs)
    assert resolved is not None
    assert resolved.keys() == inputs.keys()
    return {name: [a.id for a in artifacts] for name, artifacts in resolved.items()}


def test_latest_earlier_blessed_model_whatever_the_order(all_passed: mlmd.MetadataStore) -> None:
    models = [model(i) for i in (1, 3, 5, 7)]
    blessings = [
        blessing(2, 1, True), blessing(4, 3, True), blessing(6, 5, False), blessing(8, 7, True)
    ]  # fmt: skip
    for some_models, some in itertools.product(
        itertools.permutations(models, 4), (blessings, blessings[::-1])
    ):
        assert resolve(all_passed, [models[3]], list(some_models), list(some)) == ([3], [4])


def test_never_the_candidate_itself(all_passed: mlmd.MetadataStore) -> None:
    """A run served from the cache: the candidate was blessed by the run before."""
    assert resolve(all_passed, [model(1)], [model(1)], [blessing(2, 1, True)]) == ([], [])


def test_later_model_is_no_baseline(all_passed: mlmd.MetadataStore) -> None:
    """The candidate of an older configuration, from the cache, after a newer one was blessed."""
    models = [model(1), model(5), model(9)]
    blessings = [blessing(2, 1, True), blessing(10, 9, True)]
    assert resolve(all_passed, [models[1]], models, blessings) == ([1], [2])


@pytest.mark.parametrize('blessings', [[], [blessing(2, 1, False)]])
def test_nothing_blessed_gives_empty_lists(
    all_passed: mlmd.MetadataStore, blessings: Artifacts
) -> None:
    assert resolve(all_passed, [model(3)], [model(1), model(3)], blessings) == ([], [])
    assert resolve(all_passed, [model(3)], [], []) == ([], [])


def test_blessing_of_a_model_that_is_gone_is_passed_over(all_passed: mlmd.MetadataStore) -> None:
    blessings = [blessing(2, 1, True), blessing(4, 3, True)]
    assert resolve(all_passed, [model(5)], [model(1), model(5)], blessings) == ([1], [2])


def test_without_a_candidate_there_is_no_baseline(all_passed: mlmd.MetadataStore) -> None:
    assert resolve(all_passed, [], [model(1)], [blessing(2, 1, True)]) == ([], [])


def test_model_that_the_serving_check_refused_is_no_baseline() -> None:
    checks = Checks()
    one, two = checks.blessing_ids(2)
    models = [model(1), model(5), model(9)]
    blessings = [blessing(one, 1, True), blessing(two, 5, True)]
    # Not checked yet.
    assert resolve(checks.store, [models[2]], models, blessings) == ([], [])
    checks.add(one, passed=True)
    refused = checks.add(two, passed=False)
    assert resolve(checks.store, [models[2]], models, blessings) == ([1], [one])
    # The latest check counts, also one whose decision came from the cache.
    checks.add(two, passed=True)
    assert resolve(checks.store, [models[2]], models, blessings) == ([5], [two])
    checks.add(two, passed=False, decision=refused)
    assert resolve(checks.store, [models[2]], models, blessings) == ([1], [one])


@pytest.fixture
def recorder() -> Recorder:
    return Recorder(mlmd.MetadataStore(pb.ConnectionConfig(fake_database=pb.FakeDatabaseConfig())))


def bless(recorder: Recorder, run: str, model_id: int) -> types.Artifact:
    """Records that the serving check passed the model; returns its blessing."""
    blessed, checked = recorder.artifact(), recorder.artifact(blessed=1)
    inputs, outputs = {'blessing': blessed}, {'infra_blessing': checked}
    recorder.run('ServingCheck', run, inputs, outputs, pb.Execution.COMPLETE)
    return blessing(blessed, model_id, True)


def ingest_and_train(recorder: Recorder, run: str, tuned: int | None = None) -> dict[str, int]:
    """Records what a run makes up to its model; ids of artifacts."""
    made = {
        name: recorder.artifact() for name in ('examples', 'transformed', 'quarantine', 'model')
    }
    done = pb.Execution.COMPLETE
    ingested = {name: made[name] for name in ('examples', 'quarantine')}
    recorder.run('ImageExampleGen', run, {}, ingested, done)
    transformed = {'transformed_examples': made['transformed']}
    recorder.run('Transform', run, {'examples': made['examples']}, transformed, done)
    inputs = {'examples': made['transformed']} | ({'hyperparameters': tuned} if tuned else {})
    recorder.run('Trainer', run, inputs, {'model': made['model']}, done)
    return made


def every_examples(*runs: dict[str, int]) -> Artifacts:
    """All artifacts Examples of some runs, as the resolver is given them."""
    artifacts = []
    for number in (run[name] for run in runs for name in ('transformed', 'examples')):
        artifact = standard_artifacts.Examples()
        artifact.id = number
        artifacts.append(artifact)
    return artifacts


def test_examples_are_those_that_each_model_learned_from(recorder: Recorder) -> None:
    first, second = (ingest_and_train(recorder, run) for run in ('r1', 'r2'))
    # From the cache: the same images and another training.
    retrained = recorder.artifact()
    cached, done = pb.Execution.CACHED, pb.Execution.COMPLETE
    recorder.run('ImageExampleGen', 'r3', {}, {'examples': second['examples']}, cached)
    recorder.run('Trainer', 'r3', {'examples': second['transformed']}, {'model': retrained}, done)
    models = [model(run['model']) for run in (first, second)]
    blessings = [bless(recorder, 'r1', first['model'])]
    for candidate in (second['model'], retrained):
        resolved = resolve_all(
            recorder.store, [model(candidate)], models, blessings, every_examples(first, second)
        )
        assert resolved['model'] == [first['model']]
        assert resolved['examples'] == [first['examples']]
        assert resolved['candidate_examples'] == [second['examples']]


def test_examples_that_settings_were_tuned_on_are_among_them(recorder: Recorder) -> None:
    first = ingest_and_train(recorder, 'r1')
    settings = recorder.artifact()
    tuner = {'best_hyperparameters': settings}
    recorder.run('Tuner', 'r1', {'examples': first['transformed']}, tuner, pb.Execution.COMPLETE)
    second = ingest_and_train(recorder, 'r2', tuned=settings)
    resolved = resolve_all(
        recorder.store, [model(second['model'])], [], [], every_examples(first, second)
    )
    assert resolved['examples'] == []
    assert resolved['candidate_examples'] == [first['examples'], second['examples']]


def test_a_model_without_a_record_learned_from_nothing_that_is_known(recorder: Recorder) -> None:
    run = ingest_and_train(recorder, 'r1')
    foreign = recorder.artifact()
    resolved = resolve_all(
        recorder.store, [model(900)], [model(foreign)], [bless(recorder, 'r1', foreign)],
        every_examples(run),
    )  # fmt: skip
    assert resolved['model'] == [foreign]
    assert resolved['examples'] == resolved['candidate_examples'] == []


def test_the_evaluation_is_that_of_the_blessing(recorder: Recorder) -> None:
    done = pb.Execution.COMPLETE
    models, blessings, evaluations = [], [], []
    for run in ('r1', 'r2'):
        model_id = ingest_and_train(recorder, run)['model']
        blessed, evaluation, checked = (recorder.artifact(blessed=1) for _ in range(3))
        evaluated = {'blessing': blessed, 'evaluation': evaluation}
        recorder.run('Evaluator', run, {'model': model_id}, evaluated, done)
        recorder.run('ServingCheck', run, {'blessing': blessed}, {'infra_blessing': checked}, done)
        models.append(model(model_id))
        blessings.append(blessing(blessed, model_id, True))
        evaluations.append(standard_artifacts.ModelEvaluation())
        evaluations[-1].id = evaluation
    for candidate, expected in ((models[1].id, evaluations[:1]), (10**6, evaluations[1:])):
        resolved = resolve_all(
            recorder.store, [model(candidate)], models, blessings, [], evaluations=evaluations
        )
        assert resolved['evaluation'] == [e.id for e in expected]


PRODUCTION = '/runs/x/serving/production'


class Promotions:
    """A store that records promotions of models with ids from 1 to 9, as the registry does."""

    def __init__(self) -> None:
        config = pb.ConnectionConfig(fake_database=pb.FakeDatabaseConfig())
        self.store = mlmd.MetadataStore(config)
        kind = self.store.put_artifact_type(pb.ArtifactType(name='Model'))
        self.store.put_artifacts([pb.Artifact(type_id=kind)] * 9)

    def add(
        self, model_id: int, stage: str = 'production', where: str = PRODUCTION, done: bool = True
    ) -> int:
        """Returns the id of the promotion."""
        plan = ledger.Deployment(
            'promote', stage, where, 1, model_id, '', 0, '', '', '', '', '', '', 0, 0, 0
        )
        plan = dataclasses.replace(plan, id=ledger.begin(self.store, plan))
        if done:
            ledger.complete(self.store, plan, f'{where}/1')
        return plan.id


@pytest.fixture
def promoted() -> Promotions:
    return Promotions()


def in_production(
    promoted: Promotions, candidate: int, models: Artifacts, blessings: Artifacts
) -> tuple[list[int], list[int]]:
    """Ids of the model and the blessing with `gate.baseline: production`."""
    resolved = resolve_all(
        promoted.store, [model(candidate)], models, blessings, [],
        baseline.BaselineStrategy('production', PRODUCTION),
    )  # fmt: skip
    return resolved['model'], resolved['model_blessing']


def test_the_model_in_production(promoted: Promotions) -> None:
    models = [model(i) for i in (1, 3, 5, 7)]
    blessings = [blessing(2, 1, True), blessing(4, 3, False), blessing(6, 5, True)]
    assert in_production(promoted, 7, models, blessings) == ([], [])
    promoted.add(1)
    assert in_production(promoted, 7, models, blessings) == ([1], [2])
    # What does not count: another stage, another folder, a promotion under way.
    promoted.add(5, stage='staging')
    promoted.add(5, where='/elsewhere/production')
    unfinished = promoted.add(5, done=False)
    assert in_production(promoted, 7, models, blessings) == ([1], [2])
    ledger.cancel(promoted.store, unfinished)
    assert in_production(promoted, 7, models, blessings) == ([1], [2])
    # One that was never blessed and forced; one that is newer than the candidate.
    promoted.add(3)
    assert in_production(promoted, 7, models, blessings) == ([3], [4])
    assert in_production(promoted, 1, models, blessings) == ([3], [4])
    promoted.add(7)
    assert in_production(promoted, 5, models, blessings) == ([7], [])


def test_a_candidate_in_production_is_compared_with_what_it_replaced(
    promoted: Promotions,
) -> None:
    """So that the run that is repeated after the promotion comes from the cache."""
    models, blessings = [model(1), model(3)], [blessing(2, 1, True), blessing(4, 3, True)]
    promoted.add(3)
    assert in_production(promoted, 3, models, blessings) == ([], [])
    promoted.add(1)
    promoted.add(3)
    assert in_production(promoted, 3, models, blessings) == ([1], [2])


def test_a_model_in_production_whose_record_is_gone_is_no_baseline(
    promoted: Promotions,
) -> None:
    promoted.add(1)
    promoted.add(3)
    assert in_production(promoted, 7, [model(1), model(7)], [blessing(2, 1, True)]) == ([], [])

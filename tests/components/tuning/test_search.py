"""The search: present settings first, the same base for all, in time, never worse than before."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import keras_tuner
import numpy as np
import pytest

from tests.components.training import tiny
from tests.components.tuning import trial_runners
from thawline.components.shared import progress
from thawline.components.shared.errors import DataError
from thawline.components.training import budget, params, tuned_settings
from thawline.components.tuning import (
    head_comparison,
    search,
    search_space,
    settings_choice,
)
from thawline.components.tuning.trial_runner import TrialRunner

# KerasTuner asks the current thread's name in an old way.
pytestmark = pytest.mark.filterwarnings('ignore:.*is deprecated, :DeprecationWarning')
BASE = 'tiny at 16 px'


class Clock:
    """A time of its own, which goes on by so many seconds a training."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def tuner(
    folder: pathlib.Path,
    settings: params.Training,
    candidates: list[dict[str, Any]] | None = None,
    runner: TrialRunner | None = None,
    trials: int = 3,
    deadline: budget.Deadline | None = None,
    epochs: int = 1,
) -> search.RecipeTuner:
    runner = runner or trial_runners.runner(folder)
    heads = head_comparison.compare(runner, settings)
    searched = search_space.space(settings, tiny.BLOCKS, BASE)
    points = candidates or search_space.candidates(searched, trials, 0, heads.class_weights)
    return search.RecipeTuner(
        runner,
        heads,
        settings,
        searched,
        points,
        epochs,
        deadline or budget.Deadline(None),
        folder / 't',
    )


@pytest.fixture(scope='module')
def searched(tmp_path_factory: pytest.TempPathFactory) -> search.RecipeTuner:
    search_tuner = tuner(tmp_path_factory.mktemp('tuner'), trial_runners.settings())
    search_tuner.search()
    return search_tuner


def test_first_trial_has_the_present_settings(searched: search.RecipeTuner) -> None:
    first = searched.oracle.get_trial('0').hyperparameters.values
    assert (
        tuned_settings.override(trial_runners.settings(), first, tiny.BLOCKS)
        == trial_runners.settings()
    )
    assert len(searched.results) == len(searched.oracle.trials) == 3


def test_best_hyperparameters_are_those_of_the_verdict(searched: search.RecipeTuner) -> None:
    (best,) = searched.get_best_hyperparameters()
    chosen = searched.choice.chosen
    assert best.values == searched.candidates[chosen]
    config = json.loads(json.dumps(best.get_config()))
    read = tuned_settings.read(config, BASE)
    assert read == {
        n: v for n, v in searched.candidates[chosen].items() if n in tuned_settings.NAMES
    }


def test_chosen_is_never_worse_than_the_present_settings(searched: search.RecipeTuner) -> None:
    measured = [result.measured for result in searched.results if result is not None]
    chosen = measured[searched.choice.chosen]
    assert chosen.accuracy >= measured[0].accuracy
    assert chosen.log_loss <= measured[0].log_loss


def test_record_tells_all_of_it(searched: search.RecipeTuner) -> None:
    content = searched.record()
    assert content.base == BASE and content.val_images == 20
    assert len(content.trials) == 3 and content.left_out == 0
    first = content.trials[0]
    assert first.accuracy == searched.results[0].measured.accuracy  # type: ignore[union-attr]
    assert first.values[tuned_settings.BLOCKS] == 1
    assert content.standard_error == pytest.approx(
        np.sqrt(first.accuracy * (1 - first.accuracy) / 20)
    )
    assert [head.class_weights for head in content.heads] == ['none', 'balanced']


def test_weights_of_the_base_are_restored_between_trainings(tmp_path: pathlib.Path) -> None:
    base = tiny.backbone()
    runner = trial_runners.runner(tmp_path, base)
    before = tiny.weights_of(base)
    settings = trial_runners.settings(
        fine_tune=params.FineTune(blocks='all', epochs=1, learning_rate=3e-2, warmup=0.0)
    )
    one = runner.train(settings)
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    runner.train(settings.model_copy(update={'augmentation': 'strong'}))
    again = runner.train(settings)
    np.testing.assert_array_equal(one.measured.losses, again.measured.losses)
    assert not list(tmp_path.rglob('state.npz'))


def test_weights_are_restored_after_a_stop(tmp_path: pathlib.Path) -> None:
    base = tiny.backbone()
    runner = trial_runners.runner(tmp_path, base)
    before = tiny.weights_of(base)

    def stop(now: progress.Progress) -> None:
        if now.what.endswith('fine-tuning steps') and now.done == 2:
            raise RuntimeError('stopped here')

    search_tuner = tuner(tmp_path, trial_runners.settings(), runner=runner)
    with (
        pytest.raises(keras_tuner.errors.FatalError, match='stopped here') as raised,
        progress.listening(stop),
    ):
        search_tuner.search()
    assert isinstance(raised.value.__cause__, RuntimeError)
    assert all(tiny.same(before, tiny.weights_of(base)).values())
    assert not list(tmp_path.rglob('state.npz'))


def test_budget_ends_the_search_but_not_before_the_present_settings(
    tmp_path: pathlib.Path,
) -> None:
    clock = Clock()
    search_tuner = tuner(tmp_path, trial_runners.settings(), deadline=budget.Deadline(1e-6, clock))
    clock.now = 1.0
    search_tuner.search()
    assert len(search_tuner.results) == 1
    assert search_tuner.record().left_out == 2
    assert search_tuner.get_best_hyperparameters()[0].values == search_tuner.candidates[0]


def test_training_that_would_not_fit_is_not_started(tmp_path: pathlib.Path) -> None:
    """The second thaws four times as much: three times the first's cost."""
    settings = trial_runners.settings()
    first = {tuned_settings.BASE: BASE, **tuned_settings.tunable_values(settings, tiny.BLOCKS)}
    deeper = {**first, tuned_settings.BLOCKS: tiny.BLOCKS}
    clock = Clock()
    search_tuner = tuner(tmp_path, settings, [first, deeper], deadline=budget.Deadline(1e4, clock))
    search_tuner.search()
    assert len(search_tuner.results) == 2
    assert search_tuner.results[0] is not None
    search_tuner.results = search_tuner.results[:1]
    clock.now = 1e4 - 1.9 * search_tuner.results[0].seconds
    assert not search_tuner._fits(deeper)
    assert search_tuner._fits(first)


def test_diverged_training_does_not_end_the_search(tmp_path: pathlib.Path) -> None:
    settings = trial_runners.settings()
    first = {tuned_settings.BASE: BASE, **tuned_settings.tunable_values(settings, tiny.BLOCKS)}
    base = tiny.backbone()
    runner = trial_runners.runner(tmp_path, base)
    search_tuner = tuner(tmp_path, settings, [first, {**first, tuned_settings.RATE: 5e-4}], runner)
    kernel = base.blocks[-1].layers[0].kernel
    good = np.array(kernel)

    def break_it(now: progress.Progress) -> None:
        """The second training meets a weight that is no number."""
        if (
            now.what.endswith('fine-tuning steps')
            and now.done == 1
            and len(search_tuner.results) == 1
        ):
            kernel.assign(np.full(good.shape, np.nan, np.float32))

    with progress.listening(break_it):
        search_tuner.search()
    assert search_tuner.results[0] is not None and search_tuner.results[1] is None
    assert search_tuner.choice.chosen == 0
    assert search_tuner.record().trials[1].accuracy is None
    np.testing.assert_array_equal(np.array(kernel), good)


def test_data_that_allow_no_training_are_named(tmp_path: pathlib.Path) -> None:
    train, val = tiny.images(8), tiny.images(4, seed=1)
    one = train.take(np.flatnonzero(train.labels == 0))
    base = tiny.backbone()
    runner = TrialRunner(
        base,
        trial_runners.NAMES,
        tiny.embedded(base, one, val, 'none'),
        lambda: (one, val),
        tmp_path,
    )
    with pytest.raises(DataError, match='two classes'):
        head_comparison.compare(runner, trial_runners.settings())


def test_images_of_unknown_classes_do_not_take_part(tmp_path: pathlib.Path) -> None:
    train, val = tiny.images(24), tiny.images(20, seed=1)
    base = tiny.backbone()
    more = trial_runners.unknown(val)
    embedded = tiny.embedded(base, trial_runners.unknown(train), more, 'none')
    runner = TrialRunner(
        base, trial_runners.NAMES, embedded, lambda: (trial_runners.unknown(train), more), tmp_path
    )
    known = trial_runners.runner(tmp_path).train(trial_runners.settings())
    result = runner.train(trial_runners.settings())
    assert len(result.measured.hits) == 20
    np.testing.assert_allclose(result.measured.losses, known.measured.losses, rtol=1e-3)


def test_probe_mode_reads_no_image(tmp_path: pathlib.Path) -> None:
    train, val = tiny.images(24), tiny.images(20, seed=1)
    base = tiny.backbone()

    def images() -> Any:
        raise AssertionError('no image is needed for heads')

    runner = TrialRunner(
        base, trial_runners.NAMES, tiny.embedded(base, train, val, 'none'), images, tmp_path
    )
    search_tuner = tuner(tmp_path, trial_runners.settings(mode='probe'), runner=runner)
    search_tuner.search()
    result = search_tuner.results[0]
    assert result is not None and result.kept == 'probe'
    assert result.measured.accuracy == search_tuner.heads.heads[0].result.measured.accuracy


def test_choice_is_by_the_verdict_and_not_by_the_lowest_loss(tmp_path: pathlib.Path) -> None:
    settings = trial_runners.settings()
    first = {tuned_settings.BASE: BASE, **tuned_settings.tunable_values(settings, tiny.BLOCKS)}
    search_tuner = tuner(tmp_path, settings, [first, {**first, tuned_settings.RATE: 2e-4}])
    search_tuner.search()
    measured = [result.measured if result else None for result in search_tuner.results]
    losses = [trial.log_loss for trial in measured if trial is not None]
    assert search_tuner.choice == settings_choice.choose(measured)
    assert search_tuner.choice.chosen == 0, losses


def test_settings_that_are_clearly_better_are_taken(tmp_path: pathlib.Path) -> None:
    """A blind base, whose features are all the same: at the present rate it stays blind."""
    base = tiny.backbone()
    first_layer = base.blocks[0].layers[0]
    first_layer.set_weights([np.zeros(first_layer.kernel.shape), np.zeros(8)])
    settings = trial_runners.settings(
        augmentation='none',
        fine_tune=params.FineTune(
            blocks=1, epochs=6, learning_rate=1e-6, block_decay=1.0, dropout=0.0
        ),
    )
    present = {tuned_settings.BASE: BASE, **tuned_settings.tunable_values(settings, tiny.BLOCKS)}
    better = {**present, tuned_settings.BLOCKS: tiny.BLOCKS, tuned_settings.RATE: 0.03}
    search_tuner = tuner(
        tmp_path, settings, [present, better], trial_runners.runner(tmp_path, base, n=96), epochs=6
    )
    search_tuner.search()
    assert search_tuner.choice.chosen == 1
    assert 'beyond noise' in search_tuner.choice.why
    assert search_tuner.get_best_hyperparameters()[0].values[tuned_settings.RATE] == 0.03

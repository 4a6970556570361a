"""Second phase: a few full trainings, as a KerasTuner search."""

from __future__ import annotations

import logging
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras_tuner
from keras_tuner.engine import base_tuner
from keras_tuner.engine import trial as trial_lib

from thawline.components.shared import progress
from thawline.components.training import budget, params, tuned_settings
from thawline.components.tuning import settings_choice
from thawline.components.tuning.head_comparison import HeadComparison
from thawline.components.tuning.record import TrialRecord, TuningRecord
from thawline.components.tuning.trial_runner import TrialResult, TrialRunner

OBJECTIVE = 'val_log_loss'


class CandidateOracle(keras_tuner.Oracle):
    """Proposes the given candidates one by one, while `fits` says that there is time."""

    def __init__(
        self,
        space: keras_tuner.HyperParameters,
        candidates: Sequence[Mapping[str, Any]],
        fits: Callable[[Mapping[str, Any]], bool],
    ) -> None:
        """The first candidate is always proposed."""
        super().__init__(
            objective=keras_tuner.Objective(OBJECTIVE, 'min'),
            max_trials=len(candidates),
            hyperparameters=space,
            allow_new_entries=False,
            tune_new_entries=False,
            seed=1,  # unused: nothing is random here
            max_consecutive_failed_trials=len(candidates) + 1,
        )
        self._candidates, self._fits = candidates, fits
        self.verbose = 0

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """The candidate of that number, or the end of the search."""
        number = int(trial_id)
        values = self._candidates[number]
        if number and not self._fits(values):
            return {'status': trial_lib.TrialStatus.STOPPED, 'values': None}
        return {'status': trial_lib.TrialStatus.RUNNING, 'values': dict(values)}


class RecipeTuner(base_tuner.BaseTuner):
    """Runs the recipe with each candidate; the best is what `settings_choice.choose` takes.

    Attributes:
        heads: of the first phase.
        settings: of the project.
        candidates: settings by name, the current ones first.
        results: of the candidates so far; None for one that diverged.
    """

    def __init__(
        self,
        runner: TrialRunner,
        heads: HeadComparison,
        settings: params.Training,
        space: keras_tuner.HyperParameters,
        candidates: Sequence[Mapping[str, Any]],
        epochs: int,
        deadline: budget.Deadline,
        directory: pathlib.Path,
    ) -> None:
        """Trains nothing yet.

        Args:
            runner: runs the trainings.
            heads: of the first phase.
            settings: of the project.
            space: holds the candidates.
            candidates: the current settings first.
            epochs: of fine-tuning, at most those of `settings`.
            deadline: of the whole search.
            directory: for KerasTuner's files.
        """
        tune = settings.fine_tune
        shorter = tune.model_copy(update={'epochs': min(epochs, tune.epochs)})
        self.heads, self.settings = heads, settings
        # A time budget would cut some trainings and not others; the search has its own.
        self._shorter = settings.model_copy(update={'fine_tune': shorter, 'budget': None})
        self._runner, self._deadline = runner, deadline
        self._blocks = len(runner.backbone.blocks)
        self.candidates = [dict(values) for values in candidates]
        self.results: list[TrialResult | None] = []
        super().__init__(
            CandidateOracle(space, self.candidates, self._fits),
            directory=str(directory),
            project_name='tuning',
            overwrite=True,
        )

    def _cost(self, values: Mapping[str, Any]) -> float:
        """Of a training, in forward passes; backward costs two, through the thawed part only."""
        return 1 + 2 * values.get(tuned_settings.BLOCKS, 0) / self._blocks

    def _fits(self, values: Mapping[str, Any]) -> bool:
        remaining = self._deadline.remaining
        if remaining is None:
            return True
        pace = [
            result.seconds / self._cost(candidate)
            for result, candidate in zip(self.results, self.candidates, strict=False)
            if result is not None
        ]
        return remaining > max(pace, default=0.0) * self._cost(values)

    def run_trial(self, trial: trial_lib.Trial, *args: Any, **kwargs: Any) -> dict[str, float]:
        """One training.

        Raises:
            keras_tuner.errors.FailedTrialError: it diverged; KerasTuner goes on.
            keras_tuner.errors.FatalError: anything else, which would not stop KerasTuner.
        """
        try:
            settings = tuned_settings.override(
                self._shorter, trial.hyperparameters.values, self._blocks
            )
            with progress.within(f'trial {len(self.results) + 1} of {len(self.candidates)}'):
                result = self._runner.train(settings)
        except FloatingPointError as error:
            logging.warning('trial %s: %s', trial.trial_id, error)
            self.results.append(None)
            raise keras_tuner.errors.FailedTrialError(str(error)) from error
        except Exception as error:
            raise keras_tuner.errors.FatalError(str(error)) from error
        self.results.append(result)
        return {OBJECTIVE: result.measured.log_loss, 'val_accuracy': result.measured.accuracy}

    @property
    def choice(self) -> settings_choice.SettingsChoice:
        """Among the trials so far.

        Raises:
            ValueError: all diverged.
        """
        measured = [result.measured if result else None for result in self.results]
        return settings_choice.choose(measured)

    def record(self) -> TuningRecord:
        """The trials so far and the choice."""
        choice, heads = self.choice, self.heads
        first = next(result for result in self.results if result is not None).measured
        trials = [
            TrialRecord(
                {name: values[name] for name in tuned_settings.NAMES if name in values},
                result.measured.accuracy if result else None,
                result.measured.log_loss if result else None,
                result.kept if result else None,
                result.seconds if result else None,
            )
            for values, result in zip(self.candidates, self.results, strict=False)
        ]
        return TuningRecord(
            base=self.candidates[0][tuned_settings.BASE],
            mode=self.settings.mode,
            val_images=len(first.hits),
            standard_error=first.standard_error,
            heads=tuple(head.record() for head in heads.heads),
            found=heads.why,
            features=heads.features,
            trials=tuple(trials),
            left_out=len(self.candidates) - len(self.results),
            chosen=choice.chosen,
            why=choice.why,
        )

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """The chosen ones; KerasTuner would take the lowest loss, within noise or not."""
        best = self.oracle.get_space()
        best.values = dict(self.candidates[self.choice.chosen])
        return [best][:num_trials]

"""The record of a search: JSON values, beside KerasTuner's own results."""

from __future__ import annotations

from typing import Any

from thawline.components.training import tuned_settings
from thawline.components.tuning.search import RecipeTuner

FILE = 'tuning.json'


def tuning_record(tuner: RecipeTuner) -> dict[str, Any]:
    """The trials and the choice.

    `trials` are in the order in which they ran, the first with the current settings; `accuracy`,
    `log_loss` (after temperature scaling), `kept` are None where a training diverged.
    """
    choice = tuner.choice
    first = next(result for result in tuner.results if result is not None).measured
    trials = []
    for values, result in zip(tuner.candidates, tuner.results, strict=False):
        trials.append(
            {
                'values': {name: values[name] for name in tuned_settings.NAMES if name in values},
                'accuracy': result and result.measured.accuracy,
                'log_loss': result and result.measured.log_loss,
                'kept': result and result.kept,
                'seconds': result and result.seconds,
            }
        )
    return {
        'base': tuner.candidates[0][tuned_settings.BASE],
        'mode': tuner.settings.mode,
        'val_images': len(first.hits),
        'standard_error': first.standard_error,
        'heads': [head.record() for head in tuner.heads.heads],
        'found': list(tuner.heads.why),
        'features': tuner.heads.features,
        'trials': trials,
        'left_out': len(tuner.candidates) - len(tuner.results),
        'chosen': choice.chosen,
        'why': choice.why,
    }

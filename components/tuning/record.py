"""The record of a search: JSON values, beside KerasTuner's own results."""

from __future__ import annotations

from typing import Any

from thawline.components.training import tuned_settings
from thawline.components.tuning.search import RecipeTuner

FILE = 'tuning.json'


def tuning_record(tuner: RecipeTuner) -> dict[str, Any]:
    """What was tried and what is taken.

    `trials` are in the order in which they ran, the first with the present settings; `accuracy`,
    `log_loss` (after temperature scaling), `kept` are None where a training diverged.
    """
    chosen = tuner.choice
    first = next(tried for tried in tuner.tried if tried is not None).measured
    trials = []
    for values, tried in zip(tuner.candidates, tuner.tried, strict=False):
        trials.append(
            {
                'values': {name: values[name] for name in tuned_settings.NAMES if name in values},
                'accuracy': tried and tried.measured.accuracy,
                'log_loss': tried and tried.measured.log_loss,
                'kept': tried and tried.kept,
                'seconds': tried and tried.seconds,
            }
        )
    return {
        'base': tuner.candidates[0][tuned_settings.BASE],
        'mode': tuner.settings.mode,
        'val_images': len(first.hits),
        'standard_error': first.standard_error,
        'heads': [head.record() for head in tuner.heads.found],
        'found': list(tuner.heads.why),
        'features': tuner.heads.features,
        'trials': trials,
        'left_out': len(tuner.candidates) - len(tuner.tried),
        'chosen': chosen.chosen,
        'why': chosen.why,
    }

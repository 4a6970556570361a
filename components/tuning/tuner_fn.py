"""The TFX shell of the search: reads what the Embedder and Transform wrote, tries heads."""

from __future__ import annotations

import pathlib

from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from thawline.components.backbones.params import PretrainedBase
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.shared.settings import seconds_of
from thawline.components.training import budget, node_inputs, params, tuned_settings
from thawline.components.tuning import head_comparison, search, search_space
from thawline.components.tuning.params import Tuning
from thawline.components.tuning.trial_runner import TrialRunner


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """What TFX's Tuner calls; the trainings are run by its `search`.

    `fn_args.custom_config` holds `model`, `training` and `tuning` (JSON of `params`), `image_size`,
    `embeddings` (where the Embedder wrote), and, for the cache key alone, `weights_digest` and
    `code_digest`.

    Raises:
        DataError: the embeddings are of another base, or as `recipe.train`.
    """
    config = fn_args.custom_config
    settings = params.Training.model_validate_json(config['training'])
    chosen = PretrainedBase.model_validate_json(config['model'])
    tuning = Tuning.model_validate_json(config['tuning'])
    deadline = budget.Deadline(seconds_of(tuning.budget) if tuning.budget else None)
    size, folder = int(config['image_size']), pathlib.Path(fn_args.working_dir)
    given = node_inputs.read(config, fn_args.transform_graph_path)

    def images() -> tuple[LabelledSet, LabelledSet]:
        return node_inputs.read_images(
            fn_args.train_files, fn_args.eval_files, size, folder / 'spool'
        )

    bench = TrialRunner(given.backbone, given.classes, given.embedded, images, folder / 'state')
    found = head_comparison.compare(bench, settings)
    base = tuned_settings.base_name(chosen.backbone, size)
    searched = search_space.space(settings, len(given.backbone.blocks), base)
    points = search_space.candidates(searched, tuning.trials, settings.seed, found.class_weights)
    tuner = search.RecipeTuner(
        bench, found, settings, searched, points, tuning.epochs, deadline, folder / 'tuner'
    )
    return TunerFnResult(tuner=tuner, fit_kwargs={})

"""What the node Tuner runs: reads its inputs, compares heads, prepares the search."""

from __future__ import annotations

import pathlib

from tfx.components.trainer.fn_args_utils import FnArgs
from tfx.components.tuner.component import TunerFnResult

from thawline.components.backbones.params import PretrainedBase
from thawline.components.shared.labelled_set import LabelledSet
from thawline.components.training import budget, node_inputs, params, tuned_settings
from thawline.components.tuning import head_comparison, search, search_space
from thawline.components.tuning.params import Tuning
from thawline.components.tuning.trial_runner import TrialRunner


def tuner_fn(fn_args: FnArgs) -> TunerFnResult:
    """Called by TFX's Tuner, which then runs the trainings.

    `fn_args.custom_config` holds `model`, `training` and `tuning` (JSON of `params`), `image_size`,
    `embeddings` (the Embedder's folder), and, for the cache key alone, `weights_digest`,
    `code_digest` and `library_versions`.

    Raises:
        DataError: the embeddings are of another base, or as `recipe.train`.
    """
    config = fn_args.custom_config
    settings = params.Training.model_validate_json(config['training'])
    base = PretrainedBase.model_validate_json(config['model'])
    tuning = Tuning.model_validate_json(config['tuning'])
    deadline = budget.Deadline.of(tuning.budget)
    size, folder = int(config['image_size']), pathlib.Path(fn_args.working_dir)
    inputs = node_inputs.read(config, fn_args.transform_graph_path)

    def images() -> tuple[LabelledSet, LabelledSet]:
        return node_inputs.read_images(
            fn_args.train_files, fn_args.eval_files, size, folder / 'spool'
        )

    runner = TrialRunner(inputs.backbone, inputs.classes, inputs.features, images, folder / 'state')
    heads = head_comparison.compare(runner, settings)
    base_name = tuned_settings.base_name(base.backbone, size)
    space = search_space.space(settings, len(inputs.backbone.blocks), base_name)
    points = search_space.candidates(space, tuning.trials, settings.seed, heads.class_weights)
    tuner = search.RecipeTuner(
        runner, heads, settings, space, points, tuning.epochs, deadline, folder / 'tuner'
    )
    return TunerFnResult(tuner=tuner, fit_kwargs={})

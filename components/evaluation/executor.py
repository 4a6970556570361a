"""The work of the Evaluator: predictions, TFMA over them, the verdict, the blessing."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Sequence

from tfx.components.evaluator import constants
from tfx.types.artifact import Artifact
from tfx.utils import io_utils, path_utils

from thawline.components.evaluation import (
    compared_images,
    counting,
    image_statistics,
    inference,
    looks,
    predictions,
    serving_cost,
    slices,
    tfma_config,
    tfma_run,
)
from thawline.components.evaluation.gate import repeated_looks, verdict
from thawline.components.evaluation.gate.counts import Counts
from thawline.components.evaluation.gate.params import Gate
from thawline.components.evaluation.gate.record import Verdict
from thawline.components.evaluation.params import Evaluation
from thawline.components.evaluation.predictions import Predictions
from thawline.components.evaluation.units import Joining
from thawline.components.evaluation.unseen_images import ImagesToCompare
from thawline.components.saved_model import card
from thawline.components.shared import (
    image_table,
    judged_files,
    metadata_store,
    progress,
    property_names,
    split_files,
)
from thawline.components.shared.executor import Artifacts, BeamNodeExecutor, Properties
from thawline.components.shared.held_out_answers import HeldOutAnswers
from thawline.components.shared.splits import EVALUATED, SPLITS, TEST, VAL

import tensorflow_model_analysis as tfma  # isort: skip - not whole before tfx

# What TFX names in `Evaluator`, so that a blessing reads the same whoever gave it.
_MODEL, _BASELINE = 'model', 'baseline_model'


class Executor(BeamNodeExecutor):
    """Evaluates one candidate and decides on its blessing."""

    def run(self, inputs: Artifacts, outputs: Artifacts, properties: Properties) -> None:
        """Writes predictions, TFMA's results and `verdict.json` to the evaluation, and blesses.

        Raises:
            ConfigError: a rule or a crossing names a column that the images do not have.
            DataError: the examples are damaged, or the baseline is missing, or the images of a
                group that is judged as one have several labels.
        """
        gate = Gate.model_validate_json(properties['gate'])
        settings = Evaluation.model_validate_json(properties['slicing'])
        evaluation = outputs['evaluation']
        folders = {
            name: path_utils.serving_model_path(inputs[name].uri)
            for name in (_MODEL, _BASELINE)
            if name in inputs
        }
        candidate, baseline = folders[_MODEL], folders.get(_BASELINE)
        judged_files.record(pathlib.Path(candidate), evaluation)
        model_run = inputs['model_run'].uri if 'model_run' in inputs else None
        answers = HeldOutAnswers.read(model_run) if model_run else None
        # Train judges, too, where its images were held out in turn.
        in_folds = answers is not None and answers.by_folds
        to_compare, pairs = compared_images.find(inputs, candidate, baseline, answers)
        compared = baseline if to_compare else None
        latency_ms = self._predict(
            inputs,
            SPLITS if in_folds else EVALUATED,
            (candidate, compared),
            to_compare,
            evaluation.uri,
            gate,
        )

        progress.start('evaluating')
        table = predictions.read(evaluation.uri)
        joining = Joining.of(gate, card.read(pathlib.Path(candidate)).rule, table.classes)
        for position, name in enumerate(floor.column for floor in gate.slices):
            where = f'gate.slices[{position}].column'
            slices.check_column(name, slices.sliceable(table.columns), where)
        size_mb = None if gate.max_size_mb is None else serving_cost.size_mb(candidate)
        counts = counting.count(table, gate, pairs, latency_ms, size_mb, joining, in_folds)
        looked = _looks(table, inputs[_MODEL], evaluation)
        tuned = answers is not None and answers.tuned
        counts = dataclasses.replace(counts, looks=looked, tuned=tuned)
        alpha = repeated_looks.alpha(gate, counts.looks)
        sliced, _ = slices.choose_columns(table.columns, settings.crossed, settings.most_values)
        config = tfma_config.build(
            gate, table.classes, sliced, settings.smallest_slice, joining, alpha
        )
        with self._make_beam_pipeline() as pipeline:
            tfma_run.evaluate(pipeline, config, candidate, evaluation.uri)
        counts = dataclasses.replace(counts, corrected=_corrected_labels(inputs, evaluation))
        decision = verdict.judge(counts, gate, settings.smallest_slice)
        _check_agreement(decision, tfma.load_validation_result(evaluation.uri))
        decision.write(evaluation.uri)
        _set_accuracies(evaluation, counting.count(table, gate))
        _bless(
            outputs['blessing'],
            inputs[_MODEL],
            inputs[_BASELINE] if compared else None,
            decision.blessed,
            properties.get('current_component_id'),
        )

    def _predict(
        self,
        inputs: Artifacts,
        wanted: Sequence[str],
        models: tuple[str, str | None],
        to_compare: ImagesToCompare,
        uri: str,
        gate: Gate,
    ) -> float | None:
        """Writes the predictions; returns the latency in milliseconds where a rule asks for it.

        Args:
            inputs: of the node.
            wanted: splits with images to judge.
            models: folders of the candidate and of the baseline that it is compared with.
            to_compare: images to compare them on.
            uri: of the evaluation.
            gate: the rules.
        """
        candidate, baseline = models
        statistics = image_statistics.read(split_files.folders(inputs['statistics']))
        files = split_files.files(inputs['examples'])
        splits = [split for split in wanted if split in files]
        progress.start(
            'images through the model', sum(statistics.images.get(split, 0) for split in splits)
        )
        job = inference.InferenceJob(
            candidate,
            baseline,
            to_compare.unseen,
            statistics.metadata,
            tuple(statistics.edges.items()),
            inputs['embeddings'].uri if 'embeddings' in inputs else None,
            inputs['model_run'].uri if 'model_run' in inputs else None,
            to_compare.answered,
        )
        with inference.load_models(job.folders) as loaded:
            with self._make_beam_pipeline() as pipeline:
                evaluated = [file for split in splits for file in files[split]]
                inference.run(pipeline, evaluated, job, uri)
            if gate.max_latency_ms is None:
                return None
            return serving_cost.latency_ms(loaded[0], files[VAL])


def _looks(table: Predictions, model: Artifact, evaluation: Artifact) -> int:
    """How many models the val images have judged, with this one."""
    judged = table.ids[(table.splits == VAL) & table.labelled].tolist()
    store = metadata_store.lent_store()
    return 1 + looks.earlier_models(store, model.id, evaluation, judged)


def _check_agreement(decision: Verdict, validation: tfma.ValidationResult) -> None:
    """TFMA, which computes val accuracy by another way, must decide on it as the gate does.

    Raises:
        RuntimeError: it does not, which is an error in this package.
    """
    (rule,) = (rule for rule in decision.rules if rule.name == 'val_accuracy')
    if rule.holds != validation.validation_ok:
        raise RuntimeError(f'the gate and TFMA disagree. Gate: {rule}. TFMA: {validation}')


def _corrected_labels(inputs: Artifacts, evaluation: Artifact) -> dict[str, int]:
    """How many images a split have a corrected label; noted on the evaluation, too."""
    images = image_table.read(inputs['examples'].uri)
    corrected = {} if images is None else image_table.count_corrected(images)
    for split in EVALUATED:
        if split in corrected:
            name = property_names.corrected(split)
            evaluation.set_int_custom_property(name, corrected[split])
    return corrected


def _set_accuracies(evaluation: Artifact, counts: Counts) -> None:
    for split, count in ((VAL, counts.val), (TEST, counts.test)):
        if not count.n:
            continue
        interval = count.interval
        assert interval.share is not None
        evaluation.set_float_custom_property(property_names.accuracy(split), interval.share)
        evaluation.set_float_custom_property(property_names.lower(split), interval.lower)
        evaluation.set_float_custom_property(property_names.upper(split), interval.upper)
        evaluation.set_int_custom_property(property_names.images(split), interval.n)


def _bless(
    blessing: Artifact,
    model: Artifact,
    baseline: Artifact | None,
    blessed: bool,
    component: str | None,
) -> None:
    """Writes what TFX's Evaluator writes: Pusher and all else that reads blessings know no other.

    Args:
        baseline: the model that the candidate was compared with.
        component: id of the node.
    """
    blessing.set_string_custom_property(
        constants.ARTIFACT_PROPERTY_CURRENT_MODEL_URI_KEY, model.uri
    )
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_CURRENT_MODEL_ID_KEY, model.id)
    if baseline is not None:
        blessing.set_string_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY, baseline.uri
        )
        blessing.set_int_custom_property(
            constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY, baseline.id
        )
    if component is not None:
        blessing.set_string_custom_property('component_id', component)
    name, value = (
        (constants.BLESSED_FILE_NAME, constants.BLESSED_VALUE)
        if blessed
        else (constants.NOT_BLESSED_FILE_NAME, constants.NOT_BLESSED_VALUE)
    )
    io_utils.write_string_file(os.path.join(blessing.uri, name), '')
    blessing.set_int_custom_property(constants.ARTIFACT_PROPERTY_BLESSED_KEY, value)

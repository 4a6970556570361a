"""The chain. Wiring only: one paragraph a node, in the order in which they run."""

from __future__ import annotations

from typing import Any

from thawline.components.bulk_prediction.component import ImageBulkInferrer, UnlabelledExampleGen
from thawline.components.data_gate.component import DataGate
from thawline.components.embedding.component import Embedder
from thawline.components.evaluation.baseline import EarlierBlessedModelStrategy
from thawline.components.evaluation.component import GateEvaluator
from thawline.components.export.component import Exporter
from thawline.components.ingestion.component import ImageExampleGen
from thawline.components.report.artifacts import Report
from thawline.components.report.component import ReportGen
from thawline.components.report.previous_report import EarlierReportStrategy
from thawline.components.serving_check.component import ServingCheck
from thawline.components.shared import code_digest
from thawline.components.shared.splits import SPLITS
from thawline.components.training.component import ImageTrainer
from thawline.components.transform.component import ImageTransform
from thawline.components.tuning.component import ImageTuner
from thawline.pipeline import tfx_imports as tfx
from thawline.pipeline.config.project import Project
from thawline.pipeline.engines import beam_options
from thawline.pipeline.metadata.stores import opening

from tfx.dsl.input_resolution.strategies.latest_artifact_strategy import (  # isort: skip
    LatestArtifactStrategy,
)


def build(project: Project, use_cache: bool = True, tune: bool = False) -> tfx.Pipeline:
    """Wires the chain for a project, with a Tuner where it is to `tune`; nothing runs here."""
    images = ImageExampleGen(
        source=project.source_spec(),
        fractions=project.config.data.split.fractions,
        seed=project.config.data.split.seed,
        max_side=project.config.data.max_side,
        max_pixels=project.config.data.max_pixels,
        code_digest=code_digest.of_code('thawline.components.ingestion.executor'),
    )
    examples = images.outputs['examples']

    # Without sketches each distinct value is a key of a shuffle, and the encoded images are values.
    # Counts are exact up to 1,024 values, which is more than their histogram shows either way.
    counting = tfx.StatsOptions(use_sketch_based_topk_uniques=True)
    statistics = tfx.StatisticsGen(examples=examples, stats_options=counting)

    reviewed = project.pinned_schema()
    if reviewed:
        schema_gen = tfx.ImportSchemaGen(schema_file=str(reviewed))
    else:
        schema_gen = tfx.SchemaGen(
            statistics=statistics.outputs['statistics'], infer_feature_shape=True
        )
    schema = schema_gen.outputs['schema']

    validator = tfx.ExampleValidator(statistics=statistics.outputs['statistics'], schema=schema)

    gate = DataGate(
        statistics=statistics.outputs['statistics'],
        anomalies=validator.outputs['anomalies'],
        quarantine=images.outputs['quarantine'],
        policy=project.config.data_gate.model_dump_json(),
        code_digest=code_digest.of_code('thawline.components.data_gate.executor'),
    )

    preprocessing = {
        'image_size': project.config.image_size,
        'resize': project.config.preprocessing.resize,
    }
    transform = ImageTransform(
        examples=examples,
        schema=schema,
        preprocessing_fn='thawline.components.transform.preprocessing.preprocessing_fn',
        splits_config=tfx.SplitsConfig(analyze=['train'], transform=list(SPLITS)),
        custom_config={
            **preprocessing,
            'code_digest': code_digest.of_code('thawline.components.transform.preprocessing'),
        },
        disable_statistics=True,
    ).with_id('Transform')
    transform.add_upstream_node(gate)

    transformed = transform.outputs['transformed_examples']

    base = project.located_model()
    embedder = Embedder(
        examples=transformed,
        model=base,
        weights_digest=project.weights_digest(),
        image_size=project.config.image_size,
        augmentation=project.config.training.views_augmentation,
        views=project.config.embedding.views,
        seed=project.config.training.seed,
        features=project.config.embedding.features,
        code_digest=code_digest.of_code('thawline.components.embedding.executor'),
    )

    training: dict[str, Any] = {
        'examples': transformed,
        'embeddings': embedder.outputs['embeddings'],
        'transform_graph': transform.outputs['transform_graph'],
        'train_args': tfx.TrainArgs(splits=['train']),
        'eval_args': tfx.EvalArgs(splits=['val']),
    }
    recipe = {
        **preprocessing,
        'model': base.model_dump_json(),
        'weights_digest': project.weights_digest(),
        'code_digest': code_digest.of_code('thawline.components.training.run_fn'),
    }

    tuning: list[Any] = []
    hyperparameters = None
    if tune:
        tuner = ImageTuner(
            tuner_fn='thawline.components.tuning.tuner_fn.tuner_fn',
            **training,
            custom_config={
                **recipe,
                'training': project.config.training.model_dump_json(exclude={'tuned'}),
                'tuning': project.config.tuning.model_dump_json(),
                'search_digest': code_digest.of_code('thawline.components.tuning.tuner_fn'),
            },
        ).with_id('Tuner')
        tuning, hyperparameters = [tuner], tuner.outputs['best_hyperparameters']
    elif project.config.training.tuned:
        tuned = tfx.Resolver(
            strategy_class=LatestArtifactStrategy,
            hyperparameters=tfx.Channel(type=tfx.standard_artifacts.HyperParameters),
        ).with_id('Tuned')
        tuned.add_upstream_node(embedder)  # without a place in the chain no part of it could run
        tuning, hyperparameters = [tuned], tuned.outputs['hyperparameters']

    trainer = ImageTrainer(
        run_fn='thawline.components.training.run_fn.run_fn',
        **training,
        schema=schema,
        hyperparameters=hyperparameters,
        custom_config={
            **recipe,
            'training': project.config.training.model_dump_json(),
            'checkpoints': str(project.checkpoints),
        },
    ).with_id('Trainer')
    model = trainer.outputs['model']

    baseline = tfx.Resolver(
        strategy_class=EarlierBlessedModelStrategy,
        candidate=model,
        model=tfx.Channel(type=tfx.standard_artifacts.Model),
        model_blessing=tfx.Channel(type=tfx.standard_artifacts.ModelBlessing),
    ).with_id('Baseline')

    evaluator = GateEvaluator(
        examples=examples,
        statistics=statistics.outputs['statistics'],
        model=model,
        embeddings=embedder.outputs['embeddings'],
        baseline_model=baseline.outputs['model'],
        gate=project.config.gate,
        slicing=project.config.evaluation,
        code_digest=code_digest.of_code('thawline.components.evaluation.executor'),
    ).with_id('Evaluator')

    exporter = Exporter(
        model=model,
        model_run=trainer.outputs['model_run'],
        examples=examples,
        transformed_examples=transformed,
        evaluation=evaluator.outputs['evaluation'],
        blessing=evaluator.outputs['blessing'],
        settings=project.config.serving.exported,
        code_digest=code_digest.of_code('thawline.components.export.executor'),
    )
    exported = exporter.outputs['exported_model']

    serving_check = ServingCheck(
        model=exported,
        examples=examples,
        evaluation=evaluator.outputs['evaluation'],
        blessing=evaluator.outputs['blessing'],
        check=project.config.serving.check,
        code_digest=code_digest.of_code(
            'thawline.components.serving_check.executor', 'thawline.components.serving_check.probe'
        ),
    )

    pusher = tfx.Pusher(
        model=exported,
        model_blessing=evaluator.outputs['blessing'],
        infra_blessing=serving_check.outputs['infra_blessing'],
        push_destination=tfx.PushDestination(
            filesystem=tfx.PushDestination.Filesystem(base_directory=str(project.staging))
        ),
    )

    previous = tfx.Resolver(
        strategy_class=EarlierReportStrategy,
        candidate=model,
        report=tfx.Channel(type=Report),
    ).with_id('LastReport')

    report = ReportGen(
        examples=examples,
        quarantine=images.outputs['quarantine'],
        statistics=statistics.outputs['statistics'],
        data_verdict=gate.outputs['verdict'],
        embeddings=embedder.outputs['embeddings'],
        model=model,
        model_run=trainer.outputs['model_run'],
        evaluation=evaluator.outputs['evaluation'],
        exports=exporter.outputs['exports'],
        serving_record=serving_check.outputs['serving_record'],
        previous=previous.outputs['report'],
        config=project.config.model_dump_json(
            exclude={'airflow', 'beam', 'metadata', 'notifications'}
        ),
        code_digest=code_digest.of_code('thawline.components.report.executor'),
    ).with_id('Report')
    # A blessed model is pushed also where its report fails.
    report.add_upstream_node(pusher)
    previous.add_upstream_node(pusher)

    bulk: list[Any] = []
    if project.config.serving.bulk is not None:
        unlabelled = UnlabelledExampleGen(
            source=project.bulk_source(project.config.serving.bulk),
            columns=project.source_spec().columns,
            max_side=project.config.data.max_side,
            max_pixels=project.config.data.max_pixels,
            code_digest=code_digest.of_code('thawline.components.bulk_prediction.executor'),
        )
        inferrer = ImageBulkInferrer(
            examples=unlabelled.outputs['examples'],
            model=exported,
            model_blessing=evaluator.outputs['blessing'],
        ).with_id('BulkInferrer')
        # A model is pushed and reported also where there is nothing to predict.
        unlabelled.add_upstream_node(report)
        bulk = [unlabelled, inferrer]

    return tfx.Pipeline(
        pipeline_name=project.name,
        pipeline_root=str(project.artifacts),
        components=[
            images,
            statistics,
            schema_gen,
            validator,
            gate,
            transform,
            embedder,
            *tuning,
            trainer,
            baseline,
            evaluator,
            exporter,
            serving_check,
            pusher,
            previous,
            report,
            *bulk,
        ],
        enable_cache=use_cache,
        metadata_connection_config=opening.described(project),
        beam_pipeline_args=list(beam_options.IN_PROCESS),  # the run's engine replaces them
    )

"""The chain, as the README draws it: one paragraph a node, in the order in which they run."""

from __future__ import annotations

from typing import Any

from thawline.pipeline import tfx_imports as tfx  # isort: skip - before what imports TFX

from thawline.components.bulk_prediction.component import ImageBulkInferrer, UnlabelledExampleGen
from thawline.components.data_audit.component import DataAuditor
from thawline.components.data_gate.component import DataGate
from thawline.components.embedding.component import Embedder
from thawline.components.evaluation.baseline import baseline_model
from thawline.components.evaluation.component import GateEvaluator
from thawline.components.export.component import Exporter
from thawline.components.ingestion.component import ImageExampleGen
from thawline.components.pusher.component import Pusher
from thawline.components.report.component import ReportGen
from thawline.components.report.previous_report import earlier_report
from thawline.components.serving_check.component import ServingCheck
from thawline.components.shared.component import add_libraries
from thawline.components.training.component import ImageTrainer
from thawline.components.transform.component import ImageTransform
from thawline.components.tuning.component import ImageTuner, newest_hyperparameters
from thawline.pipeline.config.project import Project
from thawline.pipeline.engines import beam_options
from thawline.pipeline.metadata.stores import opening


def build(project: Project, use_cache: bool = True, tune: bool = False) -> tfx.Pipeline:
    """Wires the chain of a project, with a Tuner where it is to `tune`; nothing runs here."""
    config = project.config
    training, gate = config.training, config.gate

    image_example_gen = ImageExampleGen(
        source=project.source_spec(),
        split=config.data.split,
        max_side=config.data.max_side,
        max_pixels=config.data.max_pixels,
    )
    examples = image_example_gen.outputs['examples']

    # Without sketches each distinct value is a key of a shuffle, and the encoded images are values.
    # Counts are exact up to 1,024 values, which is more than their histogram shows either way.
    sketches = tfx.StatsOptions(use_sketch_based_topk_uniques=True)
    statistics_gen = tfx.StatisticsGen(examples=examples, stats_options=sketches)
    statistics = statistics_gen.outputs['statistics']

    if reviewed := project.copy_schema():
        schema_gen = tfx.ImportSchemaGen(schema_file=str(reviewed))
    else:
        schema_gen = tfx.SchemaGen(statistics=statistics, infer_feature_shape=True)
    schema = schema_gen.outputs['schema']

    example_validator = tfx.ExampleValidator(statistics=statistics, schema=schema)
    for node in (statistics_gen, schema_gen, example_validator):
        add_libraries(node, 'tfx', 'tensorflow_data_validation')

    data_gate = DataGate(
        statistics=statistics,
        schema=schema,
        anomalies=example_validator.outputs['anomalies'],
        quarantine=image_example_gen.outputs['quarantine'],
        policy=config.data_gate,
    )

    square: Any = {'image_size': config.image_size, 'resize': config.preprocessing.resize}
    transform = ImageTransform(examples=examples, schema=schema, **square)
    transform.add_upstream_node(data_gate)
    transformed = transform.outputs['transformed_examples']

    base = {'model': project.base(), 'weights_digest': project.weights_digest(), **square}
    embedder = Embedder(
        examples=transformed,
        **base,
        augmentation=training.views_augmentation,
        views=config.embedding.views,
        seed=training.seed,
        features=config.embedding.features,
    )
    embeddings = embedder.outputs['embeddings']

    data_audit = DataAuditor(examples=examples, embeddings=embeddings, policy=config.audit)

    to_learn_from = {
        'examples': transformed,
        'embeddings': embeddings,
        'transform_graph': transform.outputs['transform_graph'],
    }
    tuning: list[Any] = []
    hyperparameters = None
    if tune:
        tuner = ImageTuner(**to_learn_from, base=base, training=training, tuning=config.tuning)
        tuning, hyperparameters = [tuner], tuner.outputs['best_hyperparameters']
    elif training.tuned:
        tuned = newest_hyperparameters()
        tuning, hyperparameters = [tuned], tuned.outputs['hyperparameters']

    trainer = ImageTrainer(
        **to_learn_from,
        ingested=examples,
        schema=schema,
        hyperparameters=hyperparameters,
        base=base,
        training=training,
        checkpoints=str(project.checkpoints),
    )
    for node in (*tuning, trainer):  # Tuned, too: without a place in the chain no part could run
        node.add_upstream_node(data_audit)
    model, model_run = trainer.outputs['model'], trainer.outputs['model_run']

    baseline = baseline_model(model, gate.baseline, project.production)

    evaluator = GateEvaluator(
        examples=examples,
        statistics=statistics,
        model=model,
        model_run=model_run,
        embeddings=embeddings,
        baseline_model=baseline.outputs['model'],
        baseline_evaluation=baseline.outputs['evaluation'],
        seen_examples=baseline.outputs['candidate_examples'],
        baseline_seen_examples=baseline.outputs['examples'],
        gate=gate,
        slicing=config.evaluation,
    )
    evaluation, blessing = evaluator.outputs['evaluation'], evaluator.outputs['blessing']

    exporter = Exporter(
        model=model,
        model_run=model_run,
        examples=examples,
        transformed_examples=transformed,
        evaluation=evaluation,
        blessing=blessing,
        settings=config.serving.export_settings,
    )
    exported = exporter.outputs['exported_model']

    serving_check = ServingCheck(
        model=exported,
        exports=exporter.outputs['exports'],
        examples=examples,
        evaluation=evaluation,
        blessing=blessing,
        check=config.serving.check,
    )

    judged = {
        'model': exported,
        'model_blessing': blessing,
        'infra_blessing': serving_check.outputs['infra_blessing'],
        'serving_record': serving_check.outputs['serving_record'],
    }

    pusher = Pusher(**judged, staging=str(project.staging))

    last_report = earlier_report(candidate=model)
    last_report.add_upstream_node(pusher)

    report = ReportGen(
        examples=examples,
        quarantine=image_example_gen.outputs['quarantine'],
        statistics=statistics,
        data_verdict=data_gate.outputs['verdict'],
        data_audit=data_audit.outputs['audit'],
        embeddings=embeddings,
        model=model,
        model_run=model_run,
        evaluation=evaluation,
        exports=exporter.outputs['exports'],
        serving_record=judged['serving_record'],
        previous=last_report.outputs['report'],
        config=config.results_json(),
    )
    report.add_upstream_node(pusher)  # a blessed model is pushed also where its report fails

    bulk: list[Any] = []
    if config.serving.bulk is not None:
        unlabelled = UnlabelledExampleGen(
            trained_on=examples,
            source=project.bulk_source(config.serving.bulk),
            columns=config.data.columns,
            max_side=config.data.max_side,
            max_pixels=config.data.max_pixels,
        )
        unlabelled.add_upstream_node(report)  # nothing to predict keeps no model from its report
        bulk = [unlabelled, ImageBulkInferrer(examples=unlabelled.outputs['examples'], **judged)]

    chain = [image_example_gen, statistics_gen, schema_gen, example_validator, data_gate, transform]
    chain += [embedder, data_audit, *tuning, trainer, baseline, evaluator, exporter, serving_check]
    chain += [pusher, last_report, report, *bulk]
    return tfx.Pipeline(
        pipeline_name=project.name,
        pipeline_root=str(project.artifacts),
        components=chain,
        enable_cache=use_cache,
        metadata_connection_config=opening.connection_config(project),
        beam_pipeline_args=list(beam_options.IN_PROCESS),  # the run's engine replaces them
    )

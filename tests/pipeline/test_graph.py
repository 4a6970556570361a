"""The wiring of what is there only where it was asked for."""

from __future__ import annotations

import json
import pathlib

from thawline.pipeline import graph
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project


def nodes(tmp_path: pathlib.Path, training: str = '{}', tune: bool = False) -> dict:
    text = (
        'name: x\ndata: {source: images}\nmodel: {backbone: mobilenet_v2_035, weights: random}\n'
        f'training: {training}\n'
    )
    parsed = loading.parse(text, 'thawline.yaml')
    wired = graph.build(Project.of(parsed, tmp_path), tune=tune)
    return {node.id: node for node in wired.components}


def test_tuner_is_there_only_where_it_is_to_tune(tmp_path: pathlib.Path) -> None:
    plain = nodes(tmp_path)
    assert 'Tuner' not in plain and 'Tuned' not in plain
    assert 'hyperparameters' not in plain['Trainer'].inputs
    order = list(nodes(tmp_path, '{tuned: true}', tune=True))
    assert order.index('Embedder') < order.index('Tuner') < order.index('Trainer')
    assert 'Tuned' not in order


def test_tuned_trainer_takes_the_newest_hyperparameters(tmp_path: pathlib.Path) -> None:
    found = nodes(tmp_path, '{tuned: true}')
    assert found['Trainer'].inputs['hyperparameters'].type_name == 'HyperParameters'
    order = list(found)
    assert order.index('Embedder') < order.index('Tuned') < order.index('Trainer')


def test_tuning_again_with_the_result_in_use_is_the_same_search(tmp_path: pathlib.Path) -> None:
    one, other = (
        nodes(tmp_path, training, tune=True)['Tuner'] for training in ('{}', '{tuned: true}')
    )
    assert one.exec_properties == other.exec_properties


def test_report_comes_last_and_keeps_no_model_from_being_pushed(tmp_path: pathlib.Path) -> None:
    found = nodes(tmp_path)
    assert list(found)[-1] == 'Report'
    assert found['Pusher'] in found['Report'].upstream_nodes
    assert found['Report'] not in found['Pusher'].upstream_nodes
    # Whether the model was blessed is told, not asked for.
    assert 'blessing' not in found['Report'].inputs


def test_only_what_passed_the_serving_check_is_pushed(tmp_path: pathlib.Path) -> None:
    found = nodes(tmp_path)
    order = list(found)
    assert order.index('Evaluator') < order.index('Exporter') < order.index('ServingCheck')
    assert order.index('ServingCheck') < order.index('Pusher')
    pushed = found['Pusher'].inputs
    assert pushed['model'] == found['Exporter'].outputs['exported_model']
    assert pushed['infra_blessing'] == found['ServingCheck'].outputs['infra_blessing']
    assert 'model_blessing' in pushed


def test_evaluator_is_given_what_both_models_learned_from(tmp_path: pathlib.Path) -> None:
    found = nodes(tmp_path)
    inputs, resolved = found['Evaluator'].inputs, found['Baseline'].outputs
    assert inputs['seen_examples'] == resolved['candidate_examples']
    assert inputs['baseline_seen_examples'] == resolved['examples']
    assert inputs['baseline_model'] == resolved['model']
    assert inputs['baseline_evaluation'] == resolved['evaluation']


def test_statistics_count_values_in_sketches(tmp_path: pathlib.Path) -> None:
    """Else the encoded images would be keys of a shuffle."""
    found = nodes(tmp_path)['StatisticsGen'].exec_properties['stats_options_json']
    assert json.loads(found)['_use_sketch_based_topk_uniques'] is True
    assert nodes(tmp_path)['StatisticsGen'].exec_properties['stats_options_json'] == found

"""The configuration: what is accepted, and what each mistake is told."""

from __future__ import annotations

import itertools
import pathlib

import hypothesis
import hypothesis.strategies as st
import pytest
import yaml

from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.config import config, errors, loading
from thawline.pipeline.tools import write_docs

MINIMAL = 'name: x\ndata: {source: images}\n'


def complaint(text: str) -> str:
    with pytest.raises(ConfigError) as raised:
        loading.parse(text, 'thawline.yaml')
    return str(raised.value)


# 332 bytes that stand for 10^9 values.
ALIAS_BOMB = 'a: &a [x, x, x, x, x, x, x, x, x, x]\n' + ''.join(
    f'{new}: &{new} [{", ".join([f"*{old}"] * 10)}]\n'
    for old, new in itertools.pairwise('abcdefghi')
)


@pytest.mark.parametrize('name', loading.preset_names())
def test_presets_are_valid_and_named_as_their_file(name):
    parsed = loading.parse(loading.read_preset(name), name)
    assert parsed.name == name
    assert parsed.image_size >= 32


def test_defaults_fit_together():
    parsed = loading.parse(MINIMAL, 'thawline.yaml')
    assert sum(parsed.data.split.fractions.values()) == pytest.approx(1)
    assert parsed.gate.strictness == 'bound'
    assert parsed.image_size == 224


@pytest.mark.parametrize(
    ('text', 'parts'),
    [
        ('name: x\ndata: {sorce: a}', ['data.sorce: unknown key', 'did you mean source?']),
        ('name: x\ndata: {source: a}\nbogus: 1', ['bogus: unknown key', 'known keys: name, data']),
        ('name: x', ['data: required, but missing']),
        (MINIMAL + 'gate: {val_accuracy: 80}', ['gate.val_accuracy', 'received 80', 'share: 0.8']),
        (MINIMAL + 'gate: {val_accuracy: yes}', ['gate.val_accuracy', 'must be a number', 'True']),
        (MINIMAL + 'gate: {val_accuracy: -0.1}', ['gate.val_accuracy', '-0.1', 'greater than']),
        (
            MINIMAL + 'training: {fine_tune: {epochs: many}}',
            ["training.fine_tune.epochs: received 'many', expected a whole number"],
        ),
        (MINIMAL + 'training: {batch_size: 0}', ['training.batch_size: received 0']),
        (MINIMAL + 'training: {augmentation: wild}', ['training.augmentation', "'wild'", 'light']),
        ('name: My Project\ndata: {source: a}', ["name: received 'My Project'"]),
        (
            'name: x\ndata: {source: a, split: {train: 0.9}}',
            ['data.split', 'train + val + test is 1.2', '0.7, 0.15 and 0.15'],
        ),
        (
            'name: x\ndata: {source: a, split: {folds: 0, train: 0.8, val: 0.2, test: 0}}',
            ['test is 0'],
        ),
        (
            'name: x\ndata: {source: a, group_pattern: "(("}',
            ['group_pattern', 'regular expression'],
        ),
        ('name: x\ndata: {source: a, group_pattern: "a+"}', ['has 0 groups', 'exactly one']),
        (MINIMAL + 'model: {backbone: mobilnet_v2}', ['model.backbone', 'mobilenet_v2']),
        (MINIMAL + 'model: {backbone: resnet50, weights: package}', ["'package'", 'imagenet']),
        (MINIMAL + 'preprocessing: {image_size: 8}', ['preprocessing.image_size: received 8']),
        (MINIMAL + 'data_gate: 4', ['data_gate: received 4, expected a section']),
        (MINIMAL + 'data_gate: {anomalies: warn}', ['data_gate: anomalies was', 'new_class']),
        (MINIMAL + 'data_gate: {new_class: no}', ['data_gate.new_class', "'stop'"]),
        ('[]', ['contains []']),
        ('', ['contains None']),
        ('a: b: c', ['not valid YAML']),
        (ALIAS_BOMB, ['10,000 values', 'aliases']),
        ('a: &a [*a]', ['a: unknown key']),
        ('name: x\nname: y\ndata: {source: a}', ["duplicate key 'name'"]),
        ('name: !!python/object/apply:os.system [ls]', ['not valid YAML']),
    ],
)
def test_each_mistake_is_named_with_what_would_be_right(text, parts):
    message = complaint(text)
    for part in parts:
        assert part in message
    assert 'thawline.yaml' in message
    assert 'pydantic' not in message


def test_all_mistakes_are_told_at_once():
    message = complaint('name: x\ndata: {sorce: a}\ngate: {val_accuracy: 80}')
    assert message.startswith('thawline.yaml: 3 problems')


@hypothesis.given(st.text(max_size=200))
def test_any_text_is_a_configuration_or_a_config_error(text):
    try:
        loading.parse(text, 'thawline.yaml')
    except ConfigError as error:
        assert 'thawline.yaml' in str(error)


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(config.Config.model_fields)), inner, max_size=4)
    ),
    max_leaves=8,
)


@hypothesis.given(st.dictionaries(st.sampled_from(sorted(config.Config.model_fields)), _VALUES))
def test_any_tree_is_a_configuration_or_a_config_error(tree):
    try:
        loading.parse(yaml.safe_dump(tree), 'thawline.yaml')
    except ConfigError as error:
        assert 'thawline.yaml' in str(error)


def test_file_errors_name_the_file(tmp_path: pathlib.Path):
    with pytest.raises(NotFound, match='thawline init'):
        loading.read_file(tmp_path / 'thawline.yaml')
    latin = tmp_path / 'latin.yaml'
    latin.write_bytes('name: grün'.encode('latin-1'))
    with pytest.raises(ConfigError, match=r'latin\.yaml is not UTF-8 text \(byte 8\)'):
        loading.read_file(latin)
    with pytest.raises(ConfigError, match='cannot read'):
        loading.read_file(tmp_path)
    marked = tmp_path / 'marked.yaml'
    marked.write_bytes(b'\xef\xbb\xbf' + MINIMAL.encode())
    assert loading.parse(loading.read_file(marked), 'marked.yaml').name == 'x'


def test_unknown_preset_lists_the_known_ones():
    with pytest.raises(NotFound, match='solar_cells'):
        loading.read_preset('lunar_cells')


def test_written_descriptions_are_those_of_the_code():
    assert write_docs.SCHEMA.read_text('utf-8') == write_docs.json_schema(), 'run: make docs'
    assert write_docs.REFERENCE.read_text('utf-8') == write_docs.reference(), 'run: make docs'


def test_echo_is_short():
    assert len(errors.echo('a' * 500)) == 60

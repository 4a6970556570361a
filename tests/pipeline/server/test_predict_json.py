"""The JSON of predictions: what goes in comes out, and nothing that comes in does harm."""

from __future__ import annotations

import base64
import json

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import example, given

from thawline.pipeline.server.predict_json import (
    BadRequest,
    InputSpec,
    PredictRequest,
    encode_outputs,
    parse_request,
)

SIGNATURES = {
    'serving_default': {'examples': InputSpec('string', (None,))},
    'serving_pixels': {'pixels': InputSpec('uint8', (None, None, None, 3))},
    'serving_features': {'features': InputSpec('float32', (None, 4))},
    'explain': {
        'pixels': InputSpec('uint8', (None, 2, 2, 3)),
        'class_index': InputSpec('int64', (None,)),
    },
}
VALUES = {
    'uint8': st.integers(0, 255),
    'int64': st.integers(-(2**63), 2**63 - 1),
    'float32': st.floats(width=32, allow_nan=False),
    'float64': st.floats(allow_nan=False),
    'bool': st.booleans(),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(['b64', 'examples', 'pixels', 'class_index', 'instances', 'inputs']),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


def asked(**document: object) -> PredictRequest:
    return parse_request(json.dumps(document).encode(), SIGNATURES)


def b64(data: bytes) -> dict[str, str]:
    return {'b64': base64.b64encode(data).decode()}


@given(st.data(), st.sampled_from(sorted(VALUES)), st.booleans())
def test_numbers_come_back_as_they_were(data: st.DataObject, dtype: str, by_row: bool) -> None:
    shape = data.draw(arrays.array_shapes(min_dims=1, max_dims=3, max_side=3))
    sent = data.draw(arrays.arrays(dtype, shape, elements=VALUES[dtype]))
    body = json.loads(encode_outputs({'x': sent}, by_row))
    key, word = ('predictions', 'instances') if by_row else ('outputs', 'inputs')
    signatures = {'serving_default': {'x': InputSpec(dtype, (None,) * len(shape))}}
    again = json.dumps({word: body[key]}).encode()
    if dtype.startswith('float') and np.any(np.abs(sent) > np.finfo(dtype).max):
        assert np.isinf(sent).any()  # written as Infinity, and read again
    found = parse_request(again, signatures)
    assert found.by_row is by_row
    np.testing.assert_array_equal(found.inputs['x'], sent)
    assert found.inputs['x'].dtype == sent.dtype


@given(st.lists(st.binary(max_size=20), min_size=1, max_size=4))
def test_bytes_come_in_as_base64(values: list[bytes]) -> None:
    for form in (
        {'instances': [b64(v) for v in values]},
        {'instances': [{'examples': b64(v)} for v in values]},
        {'inputs': [b64(v) for v in values]},
        {'inputs': {'examples': [b64(v) for v in values]}},
    ):
        assert asked(**form).inputs['examples'].tolist() == values


def test_base64_as_it_is_often_written() -> None:
    for text in ('+/8A', '+/8A\n', '+/8', '+/8='):
        assert asked(instances=[{'b64': text}]).inputs['examples'][0][:2] == b'\xfb\xff'


@given(st.binary(max_size=40) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'[' * 100_000)
@example(b'{"instances": ' + b'[' * 900 + b']' * 900 + b'}')
@example(b'{"instances": [' + b'9' * 5000 + b']}')
@example(b'{"instances": ["\\ud800"]}')
@example('{"instances": ["x"]}'.encode('utf-16'))
def test_anything_is_an_answer_or_a_reason(body: bytes) -> None:
    try:
        found = parse_request(body, SIGNATURES)
    except BadRequest as error:
        assert 0 < len(str(error)) < 400
    else:
        assert found.inputs.keys() == SIGNATURES[found.signature].keys()


@given(JSON, st.sampled_from(sorted(SIGNATURES)), st.sampled_from(['instances', 'inputs']))
def test_any_value_for_any_signature(value: object, signature: str, key: str) -> None:
    try:
        found = asked(**{'signature_name': signature, key: value})
    except BadRequest as error:
        assert 0 < len(str(error)) < 400
        return
    for name, spec in SIGNATURES[signature].items():
        assert spec.fits(found.inputs[name].shape)


def test_both_forms_of_several_inputs() -> None:
    pixels = [[[0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]
    rows = asked(signature_name='explain', instances=[{'pixels': pixels, 'class_index': 4}] * 2)
    columns = asked(
        signature_name='explain',
        inputs={'pixels': [pixels] * 2, 'class_index': [4, 4], 'more': 'is passed by'},
    )
    for name in ('pixels', 'class_index'):
        np.testing.assert_array_equal(rows.inputs[name], columns.inputs[name])
    assert rows.inputs['pixels'].shape == (2, 2, 2, 3)
    assert rows.inputs['pixels'].dtype == np.uint8


def test_batches_of_none_by_column() -> None:
    assert asked(inputs=[]).inputs['examples'].shape == (0,)
    with pytest.raises(BadRequest, match=r'expecting uint8 \[\?, \?, \?, 3\]'):
        asked(signature_name='serving_pixels', inputs=[])


@pytest.mark.parametrize(
    ('document', 'words'),
    [
        ({}, "Missing 'inputs' or 'instances' key"),
        ({'instances': ['x'], 'inputs': ['x']}, 'only one of'),
        ({'instances': 'x'}, 'to be a list'),
        ({'instances': []}, "No values in 'instances'"),
        ({'instances': None}, 'to be a list. Received: null'),
        ({'signature_name': 5, 'instances': ['x']}, 'must be a string. Received: 5'),
        ({'signature_name': 'nope', 'instances': ['x']}, '"nope" not found in signature def'),
        ({'instances': [5]}, 'examples: 5 is not of expected type: string'),
        ({'instances': [{'b64': '!'}]}, 'Unable to base64 decode'),
        ({'instances': [{'b64': 'AAAA', 'c': 1}]}, 'must only have keys: examples'),
        ({'instances': [{'wrong': 'x'}]}, 'must only have keys: examples'),
        ({'instances': ['x', {'examples': 'x'}]}, 'got object at item 1'),
        ({'instances': [{'examples': 'x'}, 'x']}, 'value or list at item 1'),
        ({'instances': [['x']]}, r'expecting string [?], but got the shape [1, 1]'),
        ({'inputs': {'other': ['x']}}, 'Missing named input: examples'),
        ({'signature_name': 'explain', 'instances': [1]}, 'class_index, pixels'),
        ({'signature_name': 'explain', 'inputs': [1]}, 'class_index, pixels'),
        ({'signature_name': 'serving_pixels', 'instances': [[[[0, 0, 256]]]]}, '256 is outside of'),
        ({'signature_name': 'serving_pixels', 'instances': [[[[0, 0, -1]]]]}, '-1 is outside of'),
        ({'signature_name': 'serving_pixels', 'instances': [[[[0, 0, 1.0]]]]}, '1.0 Type: Number'),
        ({'signature_name': 'serving_pixels', 'instances': [[[[0, 0, True]]]]}, 'Type: Boolean'),
        ({'signature_name': 'serving_pixels', 'instances': [[[[0, 0]]]]}, 'shape [1, 1, 1, 2]'),
        ({'signature_name': 'serving_pixels', 'instances': [[[[0] * 3]], [[[0] * 3] * 2]]},
         'different lengths at level 2'),
        ({'signature_name': 'serving_pixels', 'instances': [[[[0, 0, [1]]]]]}, 'mixed at level 4'),
        ({'signature_name': 'serving_features', 'instances': [[2**24, 0, 0, 0]]}, 'loss of precis'),
        ({'signature_name': 'serving_features', 'instances': [[1e39, 0, 0, 0]]}, 'loss of precis'),
        ({'signature_name': 'serving_features', 'instances': [['1', 0, 0, 0]]}, 'Type: String'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(document: dict[str, object], words: str) -> None:
    with pytest.raises(BadRequest) as caught:
        asked(**document)
    assert words in str(caught.value)


def test_answers_by_row_and_by_column() -> None:
    outputs = {
        'label': np.array(['קטן'.encode(), b'\xff'], object),
        'score': np.array([0.1, 1.0], np.float32),
        'raw_bytes': np.array([b'\x00\xff', b''], object),
    }
    assert json.loads(encode_outputs(outputs, True)) == {
        'predictions': [
            {'label': 'קטן', 'score': 0.1, 'raw_bytes': {'b64': 'AP8='}},
            {'label': '\ufffd', 'score': 1.0, 'raw_bytes': {'b64': ''}},
        ]
    }
    assert json.loads(encode_outputs(outputs, False))['outputs']['score'] == [0.1, 1.0]
    single = {'score': outputs['score']}
    assert encode_outputs(single, True) == b'{"predictions":[0.1,1.0]}'
    assert encode_outputs(single, False) == b'{"outputs":[0.1,1.0]}'
    assert (
        encode_outputs({'x': np.array([np.nan, -np.inf])}, False) == b'{"outputs":[NaN,-Infinity]}'
    )


def test_no_rows_cannot_be_answered_by_row() -> None:
    none = {'score': np.empty(0, np.float32)}
    assert encode_outputs(none, False) == b'{"outputs":[]}'
    with pytest.raises(BadRequest, match='one a row'):
        encode_outputs(none, True)
    with pytest.raises(BadRequest, match='one a row'):
        encode_outputs({'a': np.zeros(2), 'b': np.zeros(3)}, True)
    with pytest.raises(BadRequest, match='one a row'):
        encode_outputs({'a': np.float32(1)}, True)

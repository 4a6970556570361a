"""The application as its clients see it, on a real model."""

from __future__ import annotations

import base64
import dataclasses
import io
import pathlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from tests.components import transformed as making
from tests.components.transformed import CLASSES, SIZE, Row
from tests.pipeline.server import server_setup
from tests.pipeline.server.server_setup import NAME, Site
from thawline.components.saved_model import card

PREDICT = f'/v1/models/{NAME}:predict'
IMAGES = [server_setup.png(seed=i) for i in range(3)]
EXAMPLES = [making.example(Row(image, CLASSES[0], str(i))) for i, image in enumerate(IMAGES)]


def b64(values: list[bytes]) -> list[dict[str, str]]:
    return [{'b64': base64.b64encode(v).decode()} for v in values]


def predict(site: Site, signature: str, path: str = PREDICT, **given: Any) -> Any:
    return site.ask('POST', path, json={'signature_name': signature, **given})


@pytest.fixture(scope='module')
def signatures(served_model: pathlib.Path) -> Any:
    """The model's own, called directly."""
    return tf.saved_model.load(str(served_model)).signatures


def asked_of_the_model() -> dict[str, tuple[str, Any, Any]]:
    """Signature -> name of its input, as JSON, as a tensor."""
    pixels = np.random.default_rng(5).integers(0, 256, (2, 10, 12, 3), np.uint8)
    features = np.random.default_rng(6).normal(size=(2, 8)).astype(np.float32)
    return {
        'serving_default': ('examples', b64(EXAMPLES), tf.constant(EXAMPLES)),
        'serving_bytes': ('image_bytes', b64(IMAGES), tf.constant(IMAGES)),
        'serving_pixels': ('pixels', pixels.tolist(), tf.constant(pixels)),
        'serving_features': ('features', features.tolist(), tf.constant(features)),
        'transform_features': ('examples', b64(EXAMPLES), tf.constant(EXAMPLES)),
    }


@pytest.mark.parametrize('signature', asked_of_the_model())
def test_answers_are_those_of_the_model(site: Site, signatures: Any, signature: str) -> None:
    name, as_json, tensor = asked_of_the_model()[signature]
    expected = {k: v.numpy() for k, v in signatures[signature](**{name: tensor}).items()}
    by_column = predict(site, signature, inputs={name: as_json}).json()['outputs']
    by_row = predict(site, signature, instances=as_json).json()['predictions']
    assert (
        by_row
        == predict(site, signature, instances=[{name: v} for v in as_json]).json()['predictions']
    )
    assert by_column.keys() == expected.keys()
    for output, value in expected.items():
        rows = [row[output] for row in by_row]
        for found in (by_column[output], rows):
            if value.dtype == object:
                assert found == [text.decode() for text in value]
            else:
                np.testing.assert_allclose(np.array(found, value.dtype), value, atol=1e-6)


def test_an_image_for_the_default_signature_is_told_which_one_takes_it(site: Site) -> None:
    for image in (IMAGES[0], server_setup.png(seed=1, kind='JPEG')):
        for signature in ('', 'serving_default', 'transform_features'):
            answer = predict(site, signature, instances=b64([EXAMPLES[0], image]))
            assert answer.status_code == 400
            assert 'serving_bytes' in answer.json()['error']


def test_several_inputs_and_a_single_output(site: Site) -> None:
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8).tolist()
    asked = [{'pixels': pixels, 'class_index': i} for i in (0, 1)]
    found = predict(site, 'explain', instances=asked).json()['predictions']
    assert np.array(found).shape == (2, 8, 8)


def test_default_signature_and_named_version(site: Site) -> None:
    body = {'instances': b64(EXAMPLES)}
    first = site.ask('POST', PREDICT, json=body)
    assert first.status_code == 200 and first.headers['content-type'] == 'application/json'
    assert site.ask('POST', f'/v1/models/{NAME}/versions/7:predict', json=body).json() == (
        first.json()
    )
    assert site.ask('POST', f'/v1/Models/{NAME}:PREDICT', json=body).status_code == 200


@pytest.mark.parametrize(
    ('path', 'body', 'status', 'words'),
    [
        (PREDICT, b'{', 400, 'JSON Parse error'),
        (PREDICT, b'', 400, 'JSON Parse error'),
        (PREDICT, b'{"instances": []}', 400, 'No values'),
        (PREDICT, b'{"signature_name": "x", "instances": [1]}', 400, '"x" not found'),
        (PREDICT, b'{"instances": ["x"]}', 400, 'Could not parse example'),
        (PREDICT, b'{"inputs": ["x"]}', 400, 'Could not parse example'),
        ('/v1/models/dogs:predict', b'{}', 404, 'Latest(dogs)'),
        (f'/v1/models/{NAME}/versions/8:predict', b'{"instances": ["x"]}', 404, f'({NAME}, 8)'),
        (f'/v1/models/{NAME}:classify', b'{}', 400, 'tensorflow/serving/classify'),
        (f'/v1/models/{NAME}:explode', b'{}', 400, 'Malformed request'),
        ('/classify', b'hello', 400, 'text'),
        ('/classify', b'', 400, 'empty file'),
        ('/classify?explain=5', IMAGES[0], 400, 'class 5 '),
        ('/classify?explain=-1', IMAGES[0], 400, 'number of a class'),
        ('/nothing', b'', 404, 'Not Found'),
        ('/', b'', 405, 'Method Not Allowed'),
    ],
)
def test_errors_are_those_of_tensorflow_serving(
    site: Site, path: str, body: bytes, status: int, words: str
) -> None:
    found = site.ask('POST', path, content=body)
    assert (found.status_code, found.headers['content-type']) == (status, 'application/json')
    assert list(found.json()) == ['error'] and words in found.json()['error']
    assert 'Graph execution' not in found.json()['error']


@pytest.mark.parametrize('garbage', [b'garbage', b'', IMAGES[0][:60], b'GIF89a\xff\xff\xff\xff'])
def test_garbage_images_are_refused_and_the_rest_goes_on(site: Site, garbage: bytes) -> None:
    for signature, value in (
        ('serving_bytes', garbage),
        ('serving_default', making.example(Row(garbage, '', ''))),
    ):
        found = predict(site, signature, instances=b64([value]))
        assert found.status_code in (400, 413), found.text
    assert predict(site, 'serving_bytes', instances=b64(IMAGES)).status_code == 200


def test_empty_batches_answer_by_column(site: Site) -> None:
    found = predict(site, 'serving_bytes', inputs=[]).json()['outputs']
    assert found == {'probabilities': [], 'label': [], 'score': []}


def test_status_and_metadata(site: Site, served_model: pathlib.Path) -> None:
    status = site.ask('GET', f'/v1/models/{NAME}').json()['model_version_status']
    assert [(one['version'], one['state']) for one in status] == [('7', 'AVAILABLE')]
    assert site.ask('GET', f'/v1/models/{NAME}/versions/7').json()['model_version_status'] == status
    assert site.ask('GET', f'/v1/models/{NAME}/versions/6').status_code == 404
    assert site.ask('GET', f'/v1/models/{NAME}/versions/6/metadata').status_code == 404
    assert site.ask('GET', '/v1/models/dogs').status_code == 404
    assert site.ask('GET', '/v1/models').status_code == 400
    told = site.ask('GET', f'/v1/models/{NAME}/metadata').json()
    assert told['model_spec'] == {'name': NAME, 'signature_name': '', 'version': '7'}
    signatures = told['metadata']['signature_def']['signature_def']
    pixels = signatures['serving_pixels']['inputs']['pixels']
    assert pixels['dtype'] == 'DT_UINT8'
    assert [side['size'] for side in pixels['tensor_shape']['dim']] == ['-1', '-1', '-1', '3']


def test_the_page_takes_what_the_pipeline_takes(site: Site, signatures: Any) -> None:
    upright = Image.open(io.BytesIO(server_setup.png(40)))
    turned, tiff = io.BytesIO(), io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    upright.transpose(Image.Transpose.ROTATE_90).save(turned, 'PNG', exif=exif)
    upright.save(tiff, 'TIFF')
    direct = signatures['serving_bytes'](image_bytes=tf.constant([server_setup.png(40)]))
    probabilities = direct['probabilities'].numpy()[0]
    for data in (server_setup.png(40), turned.getvalue(), tiff.getvalue()):
        told = site.ask('POST', '/classify', content=data).json()
        assert told['version'] == 7 and told['abstained'] is False and told['heat'] == []
        assert [i for i, *_ in told['top']] == np.argsort(-probabilities).tolist()[:5]
        assert told['label'] == told['top'][0][1] == CLASSES[told['top'][0][0]]
        np.testing.assert_allclose([p for *_, p in told['top']], np.sort(probabilities)[::-1][:5],
                                   atol=1e-5)  # fmt: skip


def test_the_page_is_told_what_speaks_for_a_class(site: Site) -> None:
    told = site.ask('POST', '/classify?explain=answer', content=IMAGES[0]).json()
    assert told['explained'] == CLASSES.index(told['label'])
    assert np.array(told['heat']).shape == (8, 8) and np.max(told['heat']) <= 1
    assert site.ask('POST', '/classify?explain=2', content=IMAGES[0]).json()['explained'] == 2


def test_scores_below_the_bound_of_the_card_are_uncertain(
    served_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = server_setup.put(served_model, tmp_path / 'models', 1)
    bound = card.AbstainThreshold(0.99, 1.0, 0.1, 1.0, 0.99, 50)
    card.write(dataclasses.replace(card.read(folder), abstain=bound), folder)
    made = server_setup.site(tmp_path / 'models')
    made.versions.update()
    assert made.ask('POST', '/classify', content=IMAGES[0]).json()['abstained'] is True
    assert 'Below a score of 100.0' in made.ask('GET', '/').text


def test_limits_of_a_request(served_model: pathlib.Path, site: Site) -> None:
    from thawline.pipeline.server.limits import RequestLimits

    small = server_setup.site(site.base, limits=RequestLimits(20_000, 500, batch=2, pixels=2000))
    small.versions.update()
    for path, options, words in (
        (PREDICT, {'content': b' ' * 20_001}, '20,001 bytes; the limit is 20,000'),
        ('/classify', {'content': b'x' * 90_000}, 'the limit is 20,000'),
        (PREDICT, {'content': b'{"instances": [' + b'[],' * 300}, 'values; the limit is 500'),
        (PREDICT, {'json': {'signature_name': 'serving_bytes', 'instances': b64(IMAGES)}},
         '3 rows; the limit is 2'),
        (PREDICT, {'json': {'signature_name': 'serving_bytes',
                            'instances': b64([server_setup.png(60)])}}, '4,080 pixels'),
        ('/classify', {'content': server_setup.png(60)}, '60'),
    ):  # fmt: skip
        found = small.ask('POST', path, **options)
        assert found.status_code == 413 and words in found.json()['error'], found.text
    assert small.ask('POST', '/classify', content=server_setup.png(20)).status_code == 200
    packed = small.ask('POST', PREDICT, content=b'x', headers={'content-encoding': 'gzip'})
    assert packed.status_code == 415


def test_only_its_own_names_and_pages_may_ask(site: Site) -> None:
    for headers, status in (
        ({'host': 'evil.example'}, 421),
        ({'host': 'evil.example:8501'}, 421),
        ({'origin': 'https://evil.example'}, 403),
        ({'origin': 'null'}, 403),
        ({'origin': f'http://{server_setup.HOST}'}, 200),
    ):
        found = site.ask('GET', '/health', headers=headers)
        assert found.status_code == status, headers
    anybody = server_setup.site(site.base)
    anybody.app.user_middleware[0].kwargs['hosts'] = None
    assert anybody.ask('GET', '/health/live', headers={'host': 'x'}).status_code == 200


def test_before_a_version_is_in_service_it_lives_but_is_not_ready(tmp_path: pathlib.Path) -> None:
    made = server_setup.site(tmp_path)
    assert made.ask('GET', '/health/live').status_code == 200
    health = made.ask('GET', '/health')
    assert (health.status_code, health.json()) == (
        503, {'live': True, 'ready': False, 'version': None}
    )  # fmt: skip
    for method, path in (('GET', '/'), ('POST', PREDICT), ('POST', '/classify')):
        found = made.ask(method, path, content=IMAGES[0])
        assert found.status_code == 503 and found.headers['retry-after'] == '1', path
    page = made.ask('GET', '/')
    assert page.headers['content-type'].startswith('text/html') and page.headers['refresh'] == '1'
    assert 'Loading the model' in page.text


def test_metrics_count_requests_errors_and_images(site: Site) -> None:
    def value(line: str) -> float:
        text = site.ask('GET', '/metrics').text
        found = [row for row in text.splitlines() if row.startswith(line + ' ')]
        return float(found[0].split()[-1]) if found else 0.0

    lines = (
        'thawline_requests_total{endpoint="predict",status="200"}',
        'thawline_images_total{signature="serving_bytes"}',
        'thawline_errors_total{blame="client",endpoint="predict"}',
        'thawline_request_seconds_count{endpoint="predict"}',
    )
    before = [value(line) for line in lines]
    predict(site, 'serving_bytes', instances=b64(IMAGES))
    predict(site, 'nope', instances=b64(IMAGES))
    assert [value(line) - old for line, old in zip(lines, before, strict=True)] == [1, 3, 1, 2]
    page = site.ask('GET', '/monitoring/prometheus/metrics')
    assert page.headers['content-type'].startswith('text/plain; version=')


def test_the_page_runs_nothing_that_a_name_says(site: Site) -> None:
    found = site.ask('GET', '/')
    policy = found.headers['content-security-policy']
    assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert 'unsafe' not in policy and 'http' not in policy
    assert found.headers['x-content-type-options'] == 'nosniff'
    assert f'http://{server_setup.HOST}/v1/models/{NAME}:predict' in found.text

"""What `kubeflow:` takes, and what tasks in a cluster could not see."""

import pydantic
import pytest

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.config import Config
from thawline.pipeline.config.kubeflow import Kubeflow
from thawline.pipeline.orchestrators.kubeflow import storage

KUBEFLOW = Kubeflow(image='reg/x:1', root='gs://bucket/a', volume='claim')
VERTEX = Kubeflow(platform='vertex', image='reg/x:1', root='gs://bucket/a/b/')
DATABASE = {'host': 'db', 'database': 'mlmd', 'user': 'thawline'}

DATAFLOW = {'project': 'p', 'region': 'r', 'temp_location': 'gs://b/t', 'container': 'x:1'}


def config(**sections) -> Config:
    return Config.model_validate({'name': 'stones', 'data': {'source': 'gs://b/x'}} | sections)


@pytest.mark.parametrize(
    'image',
    [
        'thawline:0.1.0',
        'localhost:5000/team/thawline:0.1.0_a',
        'europe-docker.pkg.dev/acme-42/ml/thawline:latest',
        'r.example/x@sha256:' + 'a' * 64,
        'r.example/x:1@sha256:' + 'a' * 64,
    ],
)
def test_images_with_a_tag_or_digest(image):
    assert Kubeflow(image=image).image == image


@pytest.mark.parametrize(
    ('key', 'value', 'message'),
    [
        ('image', 'thawline', 'needs a tag or digest'),
        ('image', 'Thaw Line:1', 'must be the name of an image'),
        ('image', 'x:1@sha256:abc', 'must be the name of an image'),
        ('root', '/data/thawline', 'must be a folder in a bucket'),
        ('root', 'gs://', 'must be a folder in a bucket'),
        ('root', 'https://bucket/x', 'must be a folder in a bucket'),
        ('volume', 'Claim_1', 'must be the name of a PersistentVolumeClaim'),
        ('resources', {'Trainer': {'memory': '16'}}, 'memory'),
        ('resources', {'Trainer': {'memory': '16 GB'}}, 'memory'),
        ('resources', {'Trainer': {'cpu': 0}}, 'cpu'),
        ('resources', {'Trainer': {'gpu': 1}}, 'gpu'),
        ('retries', -1, 'retries'),
        ('secret', 'projects/p/secrets/s/versions/1', 'for platform kubeflow'),
    ],
)
def test_refused_settings(key, value, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        Kubeflow.model_validate({key: value})


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        ({'volume': 'claim'}, 'for platform kubeflow only'),
        ({'root': 's3://bucket/a'}, 'needs a bucket on gs://'),
        ({'secret': 'thawline'}, 'for platform vertex'),
    ],
)
def test_settings_that_vertex_does_not_have(changes, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        Kubeflow.model_validate({'platform': 'vertex'} | changes)


def test_the_folder_that_tasks_see():
    assert storage.home(KUBEFLOW, 'stones') == '/thawline/stones'
    assert storage.home(VERTEX, 'stones') == '/gcs/bucket/a/b/stones'


def test_what_the_folder_depends_on_must_be_given():
    with pytest.raises(ConfigError, match='no pipeline root; give --root gs://'):
        storage.folder(Kubeflow())
    with pytest.raises(ConfigError, match='--volume NAME'):
        storage.folder(Kubeflow(root='gs://bucket/a'))


@pytest.mark.parametrize(
    ('place', 'seen'),
    [
        ('gs://bucket/x', True),
        ('s3://bucket/x', True),
        ('file:///thawline/x', False),
        ('package:elpv_dataset', True),
        ('/thawline/images', True),
        ('/thawline', True),
        ('/thawline/../etc', False),
        ('/thawliner/images', False),
        ('/data/images', False),
        ('images', False),
        ('~/images', False),
    ],
)
def test_places_that_tasks_see(place, seen):
    assert storage.is_visible(place, '/thawline') is seen


@pytest.mark.parametrize(
    ('sections', 'message'),
    [
        (
            {'data': {'source': 'images'}},
            'data.source: images exists only on this machine; give a URL',
        ),
        (
            {'data': {'source': 'gs://b/x.csv', 'root': '/data'}},
            'data.root: /data exists only on this',
        ),
        ({'model': {'weights': 'base.h5'}}, 'model.weights: base.h5 exists only on this machine'),
        (
            {'serving': {'production': 'live'}},
            'serving.production: live exists only on this machine',
        ),
        (
            {'serving': {'bulk': {'data': 'new'}}},
            'serving.bulk.data: new exists only on this machine',
        ),
        (
            {'metadata': {'postgresql': {**DATABASE, 'host': 'localhost'}}},
            'metadata.postgresql.host: in the cluster, localhost is each task itself',
        ),
        (
            {'metadata': {'postgresql': {**DATABASE, 'passfile': '~/.pgpass'}}},
            'metadata.postgresql.passfile: ~/.pgpass exists only on this machine',
        ),
        (
            {'metadata': {'postgresql': {**DATABASE, 'password_env': 'DB_PASSWORD'}}},
            'kubeflow.secret: tasks need DB_PASSWORD; give --secret',
        ),
        (
            {'beam': {'engine': 'flink', 'job_endpoint': 'localhost:8099'}},
            'beam.job_endpoint: localhost:8099 does not reach a server in the cluster',
        ),
        (
            {'beam': {'engine': 'spark', 'job_endpoint': 'spark:8099'}},
            'beam.worker_pool: nothing does not reach a server in the cluster',
        ),
        ({'beam': {'engine': 'dataflow', 'dataflow': DATAFLOW}}, "Dataflow's workers do not see"),
    ],
)
def test_what_tasks_could_not_see_is_refused(sections, message):
    with pytest.raises(ConfigError) as caught:
        storage.require_visible(config(**sections), KUBEFLOW)
    assert message in str(caught.value)


def test_all_that_is_wrong_is_told_at_once():
    wrong = config(data={'source': 'images'}, model={'weights': 'base.h5'})
    with pytest.raises(ConfigError) as caught:
        storage.require_visible(wrong, VERTEX)
    assert len(str(caught.value).splitlines()) == 4
    assert 'SQLite would be a file in the bucket' in str(caught.value)


@pytest.mark.parametrize('weights', ['package', 'random', '/thawline/base.h5'])
def test_what_tasks_see_is_taken(weights):
    model = {'backbone': 'efficientnet_lite0', 'weights': weights}
    storage.require_visible(config(model=model), KUBEFLOW)


def test_variables_that_the_configuration_names():
    named = config(
        metadata={'postgresql': {**DATABASE, 'password_env': 'DB_PASSWORD'}},
        notifications=[
            {'webhook_env': 'HOOK', 'secret_env': 'SIGN', 'headers_env': {'X-Key': 'KEY'}},
            {'command': ['true']},
        ],
    )
    assert storage.environment_variables(named) == ['DB_PASSWORD', 'HOOK', 'KEY', 'SIGN']
    storage.require_visible(named, KUBEFLOW.model_copy(update={'secret': 'thawline'}))

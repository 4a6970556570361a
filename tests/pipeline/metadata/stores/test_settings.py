"""Settings, passwords and connection strings: everything that needs no server."""

from __future__ import annotations

import pathlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ml_metadata.proto import metadata_store_pb2 as pb
from ml_metadata.proto import metadata_store_service_pb2 as service_pb

from thawline.components.shared import postgresql_store
from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config import config as config_lib
from thawline.pipeline.config import loading
from thawline.pipeline.config.metadata import PostgreSQL
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata.stores import connection, opening, passwords

SECRET = 'hunter2-S3cret'
FIELDS = st.text(st.characters(exclude_characters='\n\r', exclude_categories=['Cs', 'Cc']))


def parsed(metadata: str) -> config_lib.Config:
    return loading.parse(f'name: x\ndata: {{source: i}}\nmetadata: {metadata}', 'file')


@pytest.mark.parametrize(
    ('metadata', 'told'),
    [
        (f'postgresql://u:{SECRET}@host/db', 'metadata: received'),
        (f'{{postgresql: "postgresql://u:{SECRET}@host/db"}}', 'expected a section of keys'),
        (f'{{postgresql: {{database: d, user: u, password: {SECRET}}}}}', 'mean password_env'),
        (f'{{postgresql: {{database: d, user: u, password_env: {SECRET}}}}}', 'in capitals'),
        ('{postgresql: {database: d, user: u, password_env: 40404040}}', 'expected text'),
        (f'{{postgresql: {{database: d, user: u, host: "pg://u:{SECRET}@h"}}}}', 'not a URL'),
        (f'{{postgresql: {{database: d, user: "u\\npassword={SECRET}"}}}}', 'on one line'),
        ('{postgresql: {database: d, user: u, password_env: A, passfile: b}}', 'one of them'),
        ('{postgresql: {database: d, user: u, port: 65536}}', 'received 65536'),
        ('{postgresql: {database: d}}', 'metadata.postgresql.user: required'),
    ],
)
def test_errors_say_what_is_right_and_echo_nothing_that_may_be_a_password(metadata, told):
    with pytest.raises(ConfigError, match=told) as raised:
        parsed(metadata)
    assert SECRET not in str(raised.value) and '40404040' not in str(raised.value)


def test_sqlite_is_the_default(tmp_path: pathlib.Path):
    config = loading.parse('name: x\ndata: {source: i}', 'file')
    project = Project.of(config, tmp_path)
    assert project.postgresql is None
    described = opening.connection_config(project)
    assert described.sqlite.filename_uri == str(tmp_path / 'runs' / 'x' / 'metadata.sqlite')
    assert connection.with_password(described) == described


def test_a_description_has_no_password_and_says_where_to_get_it(monkeypatch, tmp_path):
    monkeypatch.setenv('DB_PASSWORD', SECRET)
    settings = PostgreSQL(host='h', database='d', user='u', password_env='DB_PASSWORD')
    described = connection.postgresql_config(settings, tmp_path)
    assert SECRET not in str(described) and described.postgresql.password == '${DB_PASSWORD}'
    assert connection.display_name(described) == 'postgresql://u@h:5432/d'
    assert SECRET in connection.with_password(described).postgresql.password
    assert SECRET not in str(described), 'filled in place'
    by_file = connection.postgresql_config(
        PostgreSQL(database='d', user='u', passfile='pass'), tmp_path
    )
    assert by_file.postgresql.passfile == str(tmp_path / 'pass')


def test_what_a_connection_string_would_cut_is_quoted(monkeypatch, tmp_path):
    monkeypatch.setenv('P', "a b'c\\d host=evil")
    described = connection.postgresql_config(
        PostgreSQL(database='my db', user="o'neil", password_env='P'), tmp_path
    )
    target = connection.with_password(described).postgresql
    assert target.password.startswith("'a b\\'c\\\\d host=evil' connect_timeout=")
    assert (target.user, target.dbname) == ("'o\\'neil'", "'my db'")


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(ConfigError, match='environment variable NOPE is not set'):
        passwords.read_variable('NOPE', {})
    with pytest.raises(ConfigError, match='environment variable NOPE is not set'):
        passwords.read_variable('NOPE', {'NOPE': ''})
    assert passwords.read_variable('P', {'P': ' x '}) == ' x '


@pytest.mark.parametrize(
    ('line', 'found'),
    [
        ('h:5432:d:u:secret', 'secret'),
        ('*:*:*:*:secret', 'secret'),
        ('h:5432:d:u:se:cret', 'se'),  # as libpq: a colon needs a backslash
        (r'h:5432:d:u:se\:c\\ret', r'se:c\ret'),
        ('# h:5432:d:u:secret', None),
        ('other:5432:d:u:secret', None),
        ('h:5433:d:u:secret', None),
        ('h:5432:d2:u:secret', None),
        ('h:5432:d:u2:secret', None),
        ('h:5432:d:u', None),
        ('', None),
        ('h:5432:d:u:first\r\n*:*:*:*:second', 'first'),
        ('x:5432:d:u:first\n*:*:*:*:second', 'second'),
    ],
)
def test_lines_of_a_passfile(line, found):
    assert passwords.find_password(line, 'h', 5432, 'd', 'u') == found


def test_a_socket_is_looked_up_as_localhost_too():
    assert passwords.find_password('localhost:1:d:u:p', '/run/pg', 1, 'd', 'u') == 'p'
    assert passwords.find_password('/run/pg:1:d:u:p', '/run/pg', 1, 'd', 'u') == 'p'


@given(FIELDS, FIELDS, FIELDS.filter(bool))
def test_any_escaped_line_is_read_back(host, user, password):
    def escaped(text: str) -> str:
        return text.replace('\\', '\\\\').replace(':', '\\:')

    line = f'{escaped(host)}:1:d:{escaped(user)}:{escaped(password)}'
    found = passwords.find_password(line, host, 1, 'd', user)
    assert found == (None if line.startswith('#') else password)


@given(st.text())
def test_any_passfile_is_read_without_a_crash(text):
    found = passwords.find_password(text, 'h', 1, 'd', 'u')
    assert found is None or found


@pytest.mark.parametrize(
    ('mode', 'text', 'told'),
    [
        (0o644, 'h:1:d:u:secret', 'others may read .* chmod 600'),
        (0o600, 'x:1:d:u:secret', 'no line of .* is for h:1:d:u'),
        (0o600, None, 'cannot be read: No such file'),
    ],
)
def test_passfiles_that_cannot_be_used(tmp_path, mode, text, told):
    path = tmp_path / 'pass'
    if text is not None:
        path.write_text(text, 'utf-8')
        path.chmod(mode)
    with pytest.raises(ConfigError, match=told) as raised:
        passwords.read_passfile(path, 'h', 1, 'd', 'u')
    assert 'secret' not in str(raised.value)


def test_a_passfile_that_is_none(tmp_path):
    with pytest.raises(ConfigError, match='is not a file'):
        passwords.read_passfile(tmp_path, 'h', 1, 'd', 'u')
    path = tmp_path / 'pass'
    path.write_bytes(b'\xff\xfe')
    path.chmod(0o600)
    with pytest.raises(ConfigError, match='not UTF-8'):
        passwords.read_passfile(path, 'h', 1, 'd', 'u')
    path.write_text('h:1:d:u:right', 'utf-8')
    assert passwords.read_passfile(path, 'h', 1, 'd', 'u') == 'right'


@given(st.text())
def test_any_string_is_stored_without_a_backslash_and_read_back(text):
    kept = postgresql_store.stored(text)
    assert '\\' not in kept
    assert postgresql_store.meant(kept) == text


def test_every_string_of_a_request_is_changed_and_what_is_opaque_is_not():
    request = service_pb.PutExecutionRequest()
    execution = request.execution
    execution.name = 'a\\b'
    execution.properties['k\\'].string_value = '{"x": "\\""}'
    execution.custom_properties['n'].int_value = 7
    execution.custom_properties['s'].struct_value.fields['f\\'].string_value = 'g\\'
    pair = request.artifact_event_pairs.add()
    pair.artifact.uri = 'C:\\x'
    pair.event.path.steps.add(key='out\\')
    before = service_pb.PutExecutionRequest()
    before.CopyFrom(request)
    postgresql_store.change_strings(request, postgresql_store.stored)
    assert request.execution.name == 'a\uff3cb'
    assert dict(request.execution.properties) == {
        'k\uff3c': pb.Value(string_value='{"x": "\uff3c""}')
    }
    assert request.execution.custom_properties['n'].int_value == 7
    told = request.execution.custom_properties['s'].struct_value
    assert told == before.execution.custom_properties['s'].struct_value
    assert request.artifact_event_pairs[0].artifact.uri == 'C:\uff3cx'
    assert request.artifact_event_pairs[0].event.path.steps[0].key == 'out\uff3c'
    postgresql_store.change_strings(request, postgresql_store.meant)
    assert request == before


def test_types_with_names_of_properties():
    kind = pb.ArtifactType(name='A\\', properties={'p\\': pb.INT, 'q': pb.STRING})
    changed = pb.ArtifactType()
    changed.CopyFrom(kind)
    postgresql_store.change_strings(changed, postgresql_store.stored)
    assert dict(changed.properties) == {'p\uff3c': pb.INT, 'q': pb.STRING}
    postgresql_store.change_strings(changed, postgresql_store.meant)
    assert changed == kind

"""Records move from SQLite to a real PostgreSQL: all of them, as they are, or none."""

from __future__ import annotations

import hashlib
import pathlib
import sqlite3

import ml_metadata as mlmd
import pytest
from click.testing import CliRunner, Result
from google.protobuf import any_pb2
from hypothesis import given
from hypothesis import strategies as st
from ml_metadata.proto import metadata_store_pb2 as pb

from tests import postgresql
from tests.pipeline.metadata.stores.executions import move, put
from thawline.components.shared import metadata_store
from thawline.components.shared.errors import ConfigError
from thawline.pipeline import cli
from thawline.pipeline.config import loading
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import lineage, runs
from thawline.pipeline.metadata.stores import connection, opening, ownership, table_copy
from thawline.pipeline.metadata.stores import postgresql as server
from thawline.pipeline.registry import ledger

pytestmark = [postgresql.needs_postgresql, pytest.mark.slow]


def of_everything(path: pathlib.Path, name: str) -> mlmd.MetadataStore:
    """A store in which each table has rows, with values of each kind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    store = metadata_store.open_sqlite(path)
    model = put(store, name, 'r1', 'Trainer', model='C:\\models\\"1"', record='/runs/ü 1')['model']
    put(store, name, 'r1', 'Evaluator', (model,), blessing='/b')
    put(store, name, 'r2', 'Trainer', model='/2')
    kind = store.put_artifact_type(
        pb.ArtifactType(
            name='Dataset', base_type=pb.ArtifactType.DATASET, description='tab\tline\nback\\',
            properties={'n': pb.INT, 's': pb.STRING, 'p': pb.PROTO, 'b': pb.BOOLEAN},
        )
    )  # fmt: skip
    odd = pb.Artifact(type_id=kind, uri='\\\\share\\x', name='named', state=pb.Artifact.LIVE)
    odd.properties['n'].int_value = 2**62
    odd.properties['s'].string_value = '{"a": "{\\"b\\": \\"c\'\\"}"}\t\r\n\\N'
    packed = any_pb2.Any()
    packed.Pack(pb.ArtifactType(name='in\\side'))
    odd.properties['p'].proto_value.CopyFrom(packed)
    odd.properties['b'].bool_value = False
    for index, number in enumerate((0.1, -1e300, 1e15, 123456789.123457, 5.0)):
        odd.custom_properties[f'd{index}'].double_value = number
    odd.custom_properties['long'].string_value = hashlib.sha512(b'x').hexdigest() * 100
    odd.custom_properties['empty'].string_value = ''
    odd.custom_properties['wide'].string_value = '\uff3c\ue05d😀'
    odd.custom_properties['struct'].struct_value.fields['k'].string_value = 'v\\'
    store.put_artifacts([odd])
    contexts = {c.name: c for kind in ('pipeline', 'pipeline_run') for c in
                store.get_contexts_by_type(kind)}  # fmt: skip
    store.put_parent_contexts(
        [pb.ParentContext(child_id=contexts['r1'].id, parent_id=contexts[name].id)]
    )
    noted = contexts['r2']
    noted.custom_properties['why'].string_value = 'it is so'
    store.put_contexts([noted])
    promoted = move(model, '/production')
    ledger.complete(
        store, promoted.__class__(**{**vars(promoted), 'id': ledger.begin(store, promoted)}), '/p/1'
    )
    return store


def everything(store: mlmd.MetadataStore) -> list[str]:
    """All that ML Metadata tells of a store, in a form that can be compared."""
    executions, artifacts = store.get_executions(), store.get_artifacts()
    contexts = store.get_contexts()
    kinds = (*store.get_artifact_types(), *store.get_execution_types(), *store.get_context_types())
    events = store.get_events_by_execution_ids([one.id for one in executions])
    found = [kind.SerializeToString(deterministic=True) for kind in kinds]
    for one in (*executions, *artifacts, *contexts, *sorted(events, key=str)):
        found.append(one.SerializeToString(deterministic=True))
    for context in contexts:
        for told in (
            store.get_executions_by_context(context.id),
            store.get_artifacts_by_context(context.id),
            store.get_parent_contexts_by_context(context.id),
            store.get_children_contexts_by_context(context.id),
        ):
            found.append(str(sorted(one.id for one in told)).encode())
    return sorted(map(repr, found))


class Moving:
    """A project with records on file, and a configuration that names a database."""

    def __init__(self, home: pathlib.Path, running: postgresql.Server, name: str = 'ants') -> None:
        self.running = running
        self.settings = running.settings()
        self.described = running.described(self.settings)
        self.home = home
        home.mkdir(parents=True, exist_ok=True)
        self.write(name)
        self.project.metadata.parent.mkdir(parents=True)
        self.store = of_everything(self.project.metadata, name)

    def write(self, name: str, database: str = '') -> None:
        section = self.running.section(database or self.settings.database)
        text = f'name: {name}\ndata: {{source: images}}\nmetadata: {section}\n'
        (self.home / 'thawline.yaml').write_text(text, 'utf-8')

    @property
    def project(self) -> Project:
        return loading.load_project(self.home)

    def thawline(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli.main, [*arguments, str(self.home)])

    def counts(self) -> list[int]:
        """Rows of the tables in the database; none where there are no tables."""
        with server.session(self.described) as session:
            if session.run("select to_regclass('artifact')") == [[None]]:
                return []
            return [session.run(f'select count(*) from {table.lower()}')[0][0]
                    for table in table_copy.TABLES]  # fmt: skip


@pytest.fixture
def moving(running, tmp_path) -> Moving:
    return Moving(tmp_path / 'home', running)


def digest(path: pathlib.Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_everything_is_there_as_it_was_and_the_file_untouched(moving):
    before, told = digest(moving.project.metadata), everything(moving.store)
    mtime = moving.project.metadata.stat().st_mtime_ns
    done = moving.thawline('metadata', 'migrate')
    assert done.exit_code == 0, done.output
    assert '6 artifacts, 4 executions' in done.output and 'equal' in done.output
    assert digest(moving.project.metadata) == before
    assert moving.project.metadata.stat().st_mtime_ns == mtime
    store = opening.find_store(moving.project)
    assert store is not None and everything(store) == told
    assert [run.id for run in runs.read_runs(store, 'ants')] == ['r1', 'r2']
    (promoted,) = ledger.read_deployments(lineage.read(store, 'ants'))
    assert promoted.reason == 'C:\\why "so"'
    opening.prepare_run(moving.project)
    listed = moving.thawline('runs').output
    assert 'r1' in listed and 'not blessed' in listed and 'ended at Trainer' in listed
    assert postgresql.PASSWORD not in done.output
    assert postgresql.PASSWORD not in (moving.project.output / ownership.FILE).read_text()


def test_numbers_go_on_where_they_have_ended(moving):
    highest = max(one.id for one in moving.store.get_executions())
    assert moving.thawline('metadata', 'migrate').exit_code == 0
    store = opening.find_store(moving.project)
    put(store, 'ants', 'r3', 'Trainer', model='/3')
    assert max(one.id for one in store.get_executions()) == highest + 1
    assert len({one.id for one in store.get_artifacts()}) == 7


def test_again_says_that_they_are_there(moving):
    assert moving.thawline('metadata', 'migrate').exit_code == 0
    counts = moving.counts()
    again = moving.thawline('metadata', 'migrate')
    assert again.exit_code == 2
    assert 'recorded in postgresql://' in again.output and 'already' in again.output
    assert moving.counts() == counts


def test_stopped_before_the_mark_was_written_it_is_finished(moving):
    assert moving.thawline('metadata', 'migrate').exit_code == 0
    mark = ownership.read_mark(moving.project.output)
    (moving.project.output / ownership.FILE).unlink()
    again = moving.thawline('metadata', 'migrate')
    assert again.exit_code == 0 and 'already in' in again.output
    assert ownership.read_mark(moving.project.output) == mark


def test_a_failure_in_the_middle_leaves_nothing(moving, monkeypatch):
    real = table_copy.verify_table

    def broken(source, session, table, kinds):
        if table == 'Attribution':
            raise ConfigError('stopped in the middle')
        real(source, session, table, kinds)

    monkeypatch.setattr(table_copy, 'verify_table', broken)
    done = moving.thawline('metadata', 'migrate')
    assert done.exit_code == 2 and 'stopped in the middle' in done.output
    assert sum(moving.counts()[3:]) == 0
    assert ownership.read_mark(moving.project.output) is None
    monkeypatch.undo()
    assert moving.thawline('metadata', 'migrate').exit_code == 0


def test_a_difference_is_found(moving):
    assert moving.thawline('metadata', 'migrate').exit_code == 0
    with (
        sqlite3.connect(moving.project.metadata) as source,
        server.session(moving.described) as session,
    ):
        for statement in (
            "update artifactproperty set double_value = 0.2 where name = 'd0'",
            "update artifactproperty set string_value = 'x' where name = 'wide'",
            "update artifactproperty set bool_value = true where name = 'b'",
            "delete from artifactproperty where name = 'd4'",
            'insert into artifactproperty select 77, name, false from artifactproperty limit 1',
        ):
            session.run('begin')
            kinds = table_copy.column_types(session, 'ArtifactProperty')
            table_copy.verify_table(source, session, 'ArtifactProperty', kinds)
            session.run(statement)
            with pytest.raises(ConfigError, match='ArtifactProperty'):
                table_copy.verify_table(source, session, 'ArtifactProperty', kinds)
            session.run('rollback')
    source.close()


def test_a_database_with_records_is_refused(moving, running, tmp_path):
    other = Moving(tmp_path / 'other', running, 'bees')
    other.write('bees', moving.settings.database)
    assert moving.thawline('metadata', 'migrate').exit_code == 0
    counts = moving.counts()
    done = other.thawline('metadata', 'migrate')
    assert done.exit_code == 2
    assert 'is not empty (pipelines: ants)' in done.output
    assert 'name on the same server' in done.output
    assert moving.counts() == counts


def test_a_pipeline_of_that_name_is_refused(moving, running, tmp_path):
    other = Moving(tmp_path / 'other', running, 'ants')
    other.write('ants', moving.settings.database)
    assert moving.thawline('metadata', 'migrate').exit_code == 0
    done = other.thawline('metadata', 'migrate')
    assert done.exit_code == 2 and "has a pipeline 'ants' whose runs are in" in done.output


def test_what_cannot_be_migrated_is_said(moving, running, tmp_path):
    moving.write('bees')
    other = moving.project.metadata
    other.parent.mkdir(parents=True)
    done = moving.thawline('metadata', 'migrate')
    assert done.exit_code == 2 and 'nothing to migrate' in done.output
    other.write_bytes(b'no database at all, but long enough to look like one' * 20)
    done = moving.thawline('metadata', 'migrate')
    assert done.exit_code == 2 and 'cannot be read' in done.output
    other.unlink()
    of_everything(other, 'wasps')
    done = moving.thawline('metadata', 'migrate')
    assert done.exit_code == 2 and "no run of 'bees'; it has: wasps" in done.output
    (moving.home / 'thawline.yaml').write_text('name: ants\ndata: {source: images}\n', 'utf-8')
    done = moving.thawline('metadata', 'migrate')
    assert done.exit_code == 2 and 'has no database' in done.output


def test_a_promotion_that_was_killed_is_recovered_first(moving):
    ledger.begin(moving.store, move(1, '/production'))
    done = moving.thawline('metadata', 'migrate')
    assert done.exit_code == 2 and 'run thawline models' in done.output
    assert moving.counts() == []


def test_while_a_run_is_under_way_nothing_is_copied(moving):
    from thawline.pipeline.system import file_locks

    with file_locks.lock(moving.project.run_lock, '4711'):
        done = moving.thawline('metadata', 'migrate')
    assert (
        done.exit_code == 6 and 'a run of this project is under way (process 4711)' in done.output
    )


def test_while_the_database_is_in_use_nothing_is_copied(moving):
    assert 'tables' in moving.thawline('metadata', 'check', '--create').output
    with server.session(moving.described) as session:
        session.run('begin')
        session.run('lock table artifact in row exclusive mode')
        done = moving.thawline('metadata', 'migrate')
        session.run('rollback')
    assert done.exit_code == 6 and 'in use' in done.output
    assert moving.thawline('metadata', 'migrate').exit_code == 0


def test_tables_of_another_version_are_refused(moving):
    with sqlite3.connect(moving.project.metadata) as source:
        source.execute('update MLMDEnv set schema_version = 9')
    source.close()
    done = moving.thawline('metadata', 'migrate')
    assert done.exit_code == 2 and 'version 9 in metadata.sqlite and 10' in done.output


def test_check_says_where_runs_are_recorded(moving):
    done = moving.thawline('metadata', 'check')
    assert done.exit_code == 2 and 'thawline metadata migrate' in done.output
    assert moving.thawline('metadata', 'migrate').exit_code == 0
    done = moving.thawline('metadata', 'check')
    assert done.exit_code == 0, done.output
    for told in (
        connection.display_name(moving.described),
        'PostgreSQL ',
        'pipelines ants',
        'runs      2',
    ):
        assert told in done.output


@given(st.text())
def test_any_text_is_one_field_of_one_line(text):
    if '\0' in text:
        with pytest.raises(ConfigError, match='NUL'):
            table_copy.copy_field(text, 'text')
        return
    found = table_copy.copy_field(text, 'text')
    assert not set(found) & set('\t\n\r')
    assert found != '\\N' or text is None


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.text()), max_size=8), st.randoms())
def test_rows_are_compared_in_any_order(rows, random):
    def summed(of):
        found = table_copy.RowDigest(['double precision', 'text'])
        for number, text in of:
            found.add((table_copy.copy_field(number, 'double precision'), text))
        return found.count, found.sum

    shuffled = random.sample(rows, len(rows))
    assert summed(rows) == summed(shuffled)
    assert summed(rows) != summed([*rows, (1.0, 'x')])
    assert not rows or summed(rows) != summed([*rows[1:], (rows[0][0], rows[0][1] + 'x')])


def test_values_that_no_column_takes():
    with pytest.raises(ConfigError, match='column of type integer'):
        table_copy.copy_field(1.5, 'integer')
    assert table_copy.copy_field(None, 'text') == '\\N'
    assert (
        table_copy.copy_field(b'\x00\\', 'bytea')
        == table_copy.copy_field('AFw=', 'bytea')
        == '\\\\x005c'
    )

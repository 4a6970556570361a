"""The jars of a cluster are taken only where each is what it should be."""

from __future__ import annotations

import hashlib

import pytest

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.tools.cluster_demo import jars


@pytest.fixture(params=[jars.FLINK, jars.SPARK], ids=lambda jars: jars.title)
def demo_jars(request) -> jars.Jars:
    return request.param


def test_each_jar_has_its_hash(demo_jars):
    expected = demo_jars.expected()
    assert len(expected) > 100
    assert all(name.endswith('.jar') and len(digest) == 64 for name, digest in expected.items())
    runner, own = {
        'Flink': ('beam-runners-flink-1.19', 'flink-runtime'),
        'Spark': ('beam-runners-spark-3', 'spark-core_2.12'),
    }[demo_jars.title]
    assert {f'{runner}-{demo_jars.beam}.jar', f'{own}-{demo_jars.version}.jar'} <= set(expected)


def test_missing_changed_and_added_files_are_found(tmp_path):
    assert jars.mismatches(tmp_path, {}) == []
    (tmp_path / 'a.jar').write_bytes(b'a')
    (tmp_path / 'b.jar').write_bytes(b'b')
    expected = {name: hashlib.sha256(name[0].encode()).hexdigest() for name in ('a.jar', 'b.jar')}
    assert jars.mismatches(tmp_path, expected) == []
    (tmp_path / 'a.jar').write_bytes(b'changed')
    (tmp_path / 'c.jar').write_bytes(b'c')
    (tmp_path / 'b.jar').unlink()
    assert jars.mismatches(tmp_path, expected) == ['a.jar', 'b.jar', 'c.jar']
    assert jars.mismatches(tmp_path / 'none', expected) == ['a.jar', 'b.jar']


def test_without_maven_it_says_what_to_install(tmp_path, monkeypatch, demo_jars):
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path))
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(ConfigError, match=f'the jars of {demo_jars.title} need Maven; install it'):
        demo_jars.fetch()


def test_files_that_are_not_what_they_should_be_are_not_taken(tmp_path, monkeypatch, demo_jars):
    """Maven as one that gets something else."""
    program = tmp_path / 'mvn'
    program.write_text(
        '#!/bin/sh\nfor one in "$@"; do case "$one" in -DoutputDirectory=*) '
        'mkdir -p "${one#*=}"; echo other > "${one#*=}/evil.jar";; esac; done\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setenv('PATH', f'{tmp_path}:/usr/bin:/bin')
    with pytest.raises(ConfigError, match='downloaded files do not match'):
        demo_jars.fetch()
    assert demo_jars.missing() and not demo_jars.folder().exists()

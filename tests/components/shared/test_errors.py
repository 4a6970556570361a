"""Errors for people, found behind those of libraries."""

from __future__ import annotations

import pathlib

import apache_beam as beam
import pytest
import tensorflow as tf

from thawline.components.shared import errors
from thawline.components.shared.errors import ConfigError, Unavailable
from thawline.pipeline.engines.beam_options import IN_PROCESS

# Whatever is written here finds no space.
FULL = pathlib.Path('/dev/full')
needs_full_device = pytest.mark.skipif(not FULL.exists(), reason='this system has no /dev/full')


def write_by_python() -> None:
    with FULL.open('wb', buffering=0) as file:
        file.write(b'x')


def write_by_tensorflow() -> None:
    with tf.io.gfile.GFile(str(FULL), 'w') as file:
        file.write('x')


def write_by_beam() -> None:
    options = beam.options.pipeline_options.PipelineOptions(list(IN_PROCESS))
    with beam.Pipeline(options=options) as root:
        root | beam.Create([1]) | beam.Map(lambda _: write_by_python())


@needs_full_device
@pytest.mark.parametrize('write', [write_by_python, write_by_tensorflow, write_by_beam])
def test_a_full_disk_is_named_whoever_writes(write) -> None:
    with pytest.raises(Exception) as caught:
        write()
    error = errors.user_error(caught.value)
    assert isinstance(error, Unavailable) and 'disk full' in str(error)


def test_the_first_error_for_people_in_the_chain_counts() -> None:
    def fail() -> None:
        try:
            try:
                raise ConfigError('inner')
            except ConfigError as error:
                raise RuntimeError('outer') from error
        except RuntimeError as error:
            raise ValueError('last') from error

    with pytest.raises(ValueError) as caught:
        fail()
    assert str(errors.user_error(caught.value)) == 'inner'
    assert errors.user_error(ValueError('x')) is None

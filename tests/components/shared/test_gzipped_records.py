"""Gzip files of stored blocks are read by everybody."""

from __future__ import annotations

import gzip
import pathlib
import subprocess

import pytest
import tensorflow as tf
from apache_beam.options.pipeline_options import PipelineOptions

import apache_beam as beam  # isort: skip

from thawline.components.shared.gzipped_records import StoredGzip, WriteGzippedRecords
from thawline.pipeline.engines.beam_options import IN_PROCESS


@pytest.mark.parametrize('lengths', ((), (0,), (1, 5), (65_535,), (3_000_000, 1, 70_000)))
def test_content_comes_back(tmp_path: pathlib.Path, lengths: tuple[int, ...]) -> None:
    parts = [(bytes(range(251)) * (length // 251 + 1))[:length] for length in lengths]
    path = tmp_path / 'x.gz'
    file = StoredGzip(path.open('wb'))
    for part in parts:
        file.write(part)
    file.close()
    assert gzip.decompress(path.read_bytes()) == b''.join(parts)
    assert path.stat().st_size < 1.0001 * sum(lengths) + 50
    subprocess.run(['gzip', '--test', str(path)], check=True)


def test_records_of_a_pipeline(tmp_path: pathlib.Path) -> None:
    records = [b'a' * 100_000, b'', b'c']
    with beam.Pipeline(options=PipelineOptions(list(IN_PROCESS))) as root:
        some = root | 'some' >> beam.Create(records)
        some | 'to some' >> WriteGzippedRecords(str(tmp_path / 'some'))
        none = root | 'none' >> beam.Create([])
        none | 'to none' >> WriteGzippedRecords(str(tmp_path / 'none'))
    for name, expected in (('some', records), ('none', [])):
        (path,) = tmp_path.glob(f'{name}-00000-of-00001.gz')
        read = tf.data.TFRecordDataset(str(path), 'GZIP').as_numpy_iterator()
        assert sorted(read) == sorted(expected)

"""A server that reads all the time never meets a version that is half there or gone."""

from __future__ import annotations

import json
import pathlib
import subprocess
import sys

import pytest

from tests.pipeline.registry.made_models import Models
from thawline.components.pusher import local_destination

READER = pathlib.Path(__file__).with_name('reader.py')


@pytest.mark.slow
def test_a_reader_at_100_hz_through_fifty_promotions_and_rollbacks(models: Models, warm_loader):
    (models.home / 'thawline.yaml').write_text(
        'name: x\ndata: {source: images}\nserving: {keep: 3}\n', 'utf-8'
    )
    ids = [models.add(name, size=200_000) for name in ('ra', 'rb', 'rc')]
    models.promote(ids[0])
    stop = models.home / 'stop'
    reader = subprocess.Popen(
        [sys.executable, str(READER), str(models.production), str(stop)],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    promoted, turns = 1, 0
    try:
        while turns < 50:
            # Three forward, two back; now and then old versions go.
            if turns % 5 < 3:
                promoted += 1
                models.promote(ids[(promoted - 1) % 3])
            else:
                promoted -= 1
                assert models.thawline('rollback', '--yes').exit_code == 0
            if turns % 10 == 9:
                pruned = models.thawline('prune', '--yes')
                assert pruned.exit_code == 0, pruned.output
                newest = local_destination.local_versions(models.production)[-1]
                assert warm_loader.load(models.production / str(newest)) == ['serving_default']
            turns += 1
    finally:
        stop.touch()
        answer, _ = reader.communicate(timeout=60)
    told = json.loads(answer)
    assert told['failures'] == []
    assert told['reads'] >= 100
    numbers = [int(version) for version in told['seen']]
    assert numbers == sorted(numbers)
    assert len(numbers) >= 40
    assert numbers[-1] == 51

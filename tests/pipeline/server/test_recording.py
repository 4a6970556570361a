"""What `--record` keeps of requests, and that it neither changes nor delays an answer."""

from __future__ import annotations

import base64
import pathlib
import threading

import pytest

from tests.pipeline.server import server_setup
from tests.pipeline.server.server_setup import NAME
from thawline.components.ingestion import image_identity
from thawline.pipeline.recording import recorded_folder, recorder
from thawline.pipeline.recording.recorder import Recorder, RecordingSettings
from thawline.pipeline.server import app

IMAGES = [server_setup.png(seed=i) for i in range(3)]
BODY = {
    'signature_name': 'serving_bytes',
    'instances': [{'b64': base64.b64encode(image).decode()} for image in IMAGES],
}
PREDICT = f'/v1/models/{NAME}:predict'


def recording_site(base: server_setup.Site, kept: Recorder) -> server_setup.Site:
    """The same versions behind an application that records."""
    settings = app.AppSettings(NAME, {server_setup.HOST}, recorder=kept)
    made = app.build(settings, base.versions, base.metrics)
    return server_setup.Site(base.base, base.versions, base.events, base.metrics, made)


def test_predictions_and_the_page_are_kept(site: server_setup.Site, tmp_path: pathlib.Path) -> None:
    unrecorded = site.ask('POST', PREDICT, json=BODY).json()
    with recorder.record(RecordingSettings(tmp_path), pytest.fail, lambda outcome: None) as kept:
        recording = recording_site(site, kept)
        assert recording.ask('POST', PREDICT, json=BODY).json() == unrecorded
        webp = server_setup.png(seed=9, kind='WEBP')
        page = recording.ask('POST', '/classify', content=webp).json()
        pixels = {'signature_name': 'serving_pixels', 'instances': [[[[0, 0, 0]]]]}
        assert recording.ask('POST', PREDICT, json=pixels).status_code == 200
        assert recording.ask('POST', '/classify', content=b'no image').status_code == 400
    answers = list(recorded_folder.read_answers(tmp_path))
    sent = [*IMAGES, webp]
    assert [answer.image_id for answer in answers] == [image_identity.image_id(i) for i in sent]
    for answer, row in zip(answers, unrecorded['predictions'], strict=False):
        assert (answer.label, answer.score) == (row['label'], row['score'])
        assert list(answer.probabilities.values()) == row['probabilities']
    assert answers[-1].label == page['label'] and answers[-1].version == 7
    for image in sent:  # as they were sent, whatever the format
        path = tmp_path / 'images' / image_identity.image_id(image)
        assert path.read_bytes() == image


def test_a_disk_that_hangs_delays_no_answer(
    site: server_setup.Site, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()
    monkeypatch.setattr(Recorder, '_write', lambda *given: release.wait(60))
    with recorder.record(RecordingSettings(tmp_path), pytest.fail, lambda outcome: None) as kept:
        recording = recording_site(site, kept)
        for _ in range(30):  # more than may wait
            assert recording.ask('POST', PREDICT, json=BODY).status_code == 200
        release.set()

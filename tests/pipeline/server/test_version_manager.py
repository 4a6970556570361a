"""Which version is in service, while others come, fail and go."""

from __future__ import annotations

import gc
import pathlib
import shutil
import threading
import weakref

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from tests.components.transformed import CLASSES
from tests.pipeline.server import server_setup
from thawline.pipeline.server import version_manager
from thawline.pipeline.server.servable import WARM_UP_FILE
from thawline.pipeline.server.version_manager import NoSuchVersion, NotReady


def test_the_highest_version_is_taken_and_the_old_one_freed_after_its_last_request(
    served_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    base = tmp_path / 'models'
    server_setup.put(served_model, base, 2)
    made = server_setup.site(base)
    with pytest.raises(NotReady), made.versions.lease():
        pass
    made.versions.update()
    old = weakref.ref(made.versions.current)
    with made.versions.lease() as held:
        server_setup.put(served_model, base, 10)
        made.versions.update()
        assert made.versions.states == {2: 'UNLOADING', 10: 'AVAILABLE'}
        with made.versions.lease(10) as new:
            assert new.version == 10
        with pytest.raises(NoSuchVersion), made.versions.lease(2):
            pass
        image = np.array([server_setup.png()], object)
        assert len(held.predict('serving_bytes', {'image_bytes': image})['label']) == 1
        del held, new
    assert made.versions.states == {2: 'END', 10: 'AVAILABLE'}
    gc.collect()
    assert old() is None
    made.versions.update()
    assert made.events.log == [('loading', 2), ('changed', 2), ('loading', 10), ('changed', 10)]


def test_a_broken_version_is_passed_by_and_tried_again(
    served_model: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tmp_path / 'models'
    server_setup.put(served_model, base, 1)
    (base / '2').mkdir()
    (base / '2' / 'saved_model.pb').write_bytes(b'half')
    shutil.copytree(served_model / 'assets.extra', base / '2' / 'assets.extra')
    made = server_setup.site(base)
    made.versions.update()
    assert made.versions.current.version == 1
    made.versions.update()  # not at once again
    assert made.events.log == [('loading', 2), ('failed', 2), ('loading', 1), ('changed', 1)]
    shutil.rmtree(base / '2')
    server_setup.put(served_model, base, 2)
    made.versions.update()
    assert made.versions.current.version == 1
    later = version_manager.time.monotonic() + 11
    monkeypatch.setattr(version_manager.time, 'monotonic', lambda: later)
    monkeypatch.setattr(
        server_setup.VersionEvents, 'on_loaded', lambda self, *event: self.log.append(event[:1])
    )
    made.versions.update()
    assert made.versions.current.version == 2


def test_what_serves_goes_on_when_the_folder_is_gone(
    served_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    base = tmp_path / 'models'
    server_setup.put(served_model, base, 3)
    made = server_setup.site(base)
    made.versions.update()
    shutil.rmtree(base)
    made.versions.update()
    assert made.versions.current.version == 3
    server_setup.put(served_model, base, 2)  # somebody went back by hand
    made.versions.update()
    assert made.versions.current.version == 2


def test_a_model_without_a_card_is_refused(
    served_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = server_setup.put(served_model, tmp_path / 'models', 1)
    shutil.rmtree(folder / 'assets.extra')
    made = server_setup.site(tmp_path / 'models')
    made.versions.update()
    assert made.versions.current is None
    assert made.events.log == [('loading', 1), ('failed', 1)]


def test_recorded_requests_warm_it_up(served_model: pathlib.Path, tmp_path: pathlib.Path) -> None:
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    folder = server_setup.put(served_model, tmp_path / 'models', 1)
    with tf.io.TFRecordWriter(str(folder / WARM_UP_FILE)) as writer:
        for seed in range(3):
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = 'serving_bytes'
            value = tf.make_tensor_proto([server_setup.png(seed=seed)])
            request.inputs['image_bytes'].CopyFrom(value)
            log = prediction_log_pb2.PredictLog(request=request)
            writer.write(prediction_log_pb2.PredictionLog(predict_log=log).SerializeToString())
    made = server_setup.site(tmp_path / 'models')
    made.versions.update()
    assert made.events.warm_up == 3


def test_watching_notices_a_promotion_and_ends(
    served_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    base = tmp_path / 'models'
    made = server_setup.site(base)
    thread = threading.Thread(target=made.versions.watch)
    thread.start()
    try:
        server_setup.put(served_model, base, 4)
        for _ in range(600):
            if made.versions.current is not None:
                break
            threading.Event().wait(0.05)
        assert made.versions.current.version == 4
    finally:
        made.versions.stop()
        thread.join(60)
    assert not thread.is_alive()


def test_an_early_model_cannot_explain_but_answers(
    served_model: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    folder = server_setup.put(served_model, tmp_path / 'models', 1)
    file = folder / 'saved_model.pb'
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    del saved.meta_graphs[0].signature_def['explain']
    for node in saved.meta_graphs[0].object_graph_def.nodes:
        if node.user_object.identifier == 'signature_map':
            kept = [child for child in node.children if child.local_name != 'explain']
            del node.children[:]
            node.children.extend(kept)
    file.write_bytes(saved.SerializeToString())
    made = server_setup.site(tmp_path / 'models')
    made.versions.update()
    assert made.events.log == [('loading', 1), ('changed', 1)]
    told = made.ask('POST', '/classify?explain=answer', content=server_setup.png()).json()
    assert told['explained'] is None and told['heat'] == [] and told['label'] in CLASSES

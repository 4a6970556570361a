"""Real models in a folder of versions, and a client of the application without a network."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import io
import os
import pathlib
import shutil
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent import futures
from typing import Any

import numpy as np
from PIL import Image

from tests.components.training import tiny
from tests.components.transformed import CLASSES, RESIZE, SIZE, Transformed
from thawline import ROOT
from thawline.components.backbones import classifier as model
from thawline.components.saved_model import signatures
from thawline.components.shared.version_folders import complete_versions
from thawline.pipeline.server import uvicorn_server
from thawline.pipeline.server.app import AppSettings, build
from thawline.pipeline.server.metrics import Metrics
from thawline.pipeline.server.servable import Servable
from thawline.pipeline.server.version_manager import VersionManager

NAME = 'cats'
HOST = 'testserver'


def exported(transformed: Transformed, folder: pathlib.Path) -> pathlib.Path:
    """A model of five classes with names that break naive quoting."""
    classifier = model.build(tiny.backbone(side=SIZE), 'top', len(CLASSES), 0.2, seed=0)
    rng = np.random.default_rng(0)
    classifier.set_head(rng.normal(size=(8, len(CLASSES))), rng.normal(size=len(CLASSES)))
    signatures.export(classifier, CLASSES, transformed.output, SIZE, RESIZE, folder)
    return folder


def put(model: pathlib.Path, base: pathlib.Path, version: int) -> pathlib.Path:
    """Adds a version as it is promoted: under a hidden name first, then in one step."""
    base.mkdir(exist_ok=True)
    hidden = base / f'.incoming-{version}'
    shutil.copytree(model, hidden)
    return hidden.rename(base / str(version))


def png(side: int = 24, seed: int = 0, kind: str = 'PNG') -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side + 8, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


class VersionEvents:
    """Records what a `VersionManager` reports."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int]] = []
        self.warm_up = 0

    def on_loading(self, version: int) -> None:
        self.log.append(('loading', version))

    def on_loaded(self, version: int, seconds: float, warm_up: int) -> None:
        assert seconds > 0
        self.warm_up = warm_up
        self.log.append(('changed', version))

    def on_failed(self, version: int, error: Exception) -> None:
        assert str(error)
        self.log.append(('failed', version))


@dataclasses.dataclass
class Site:
    """An application and its folder of versions."""

    base: pathlib.Path
    versions: VersionManager
    events: VersionEvents
    metrics: Metrics
    app: Any

    def ask(self, method: str, path: str, **options: Any) -> Any:
        """One request; -> httpx.Response."""
        import httpx

        async def asked() -> Any:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url=f'http://{HOST}') as client:
                return await client.request(method, path, **options)

        return run_loop(asked())


def run_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Its result, from a thread of its own: a browser's tests leave a loop running in this one."""
    with futures.ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def site(base: pathlib.Path, **settings: Any) -> Site:
    """The application on a folder of versions, of which none is loaded yet."""
    events, counters = VersionEvents(), Metrics()
    versions = VersionManager(lambda: complete_versions(base), Servable, events, interval=0.05)
    app = build(AppSettings(**{'name': NAME, 'hosts': {HOST}, **settings}), versions, counters)
    return Site(base, versions, events, counters, app)


@contextlib.contextmanager
def listening(made: Site, loaded: bool = True) -> Iterator[str]:
    """Serves the application from a thread; yields its address, by default once it can answer."""
    listener = uvicorn_server.listen('127.0.0.1', 0)
    host = f'127.0.0.1:{listener.getsockname()[1]}'
    made.app.user_middleware[0].kwargs['hosts'] = {host}
    server = uvicorn_server.UvicornServer(made.app, 5, lambda: None)
    thread = threading.Thread(target=server.serve_on, args=(listener,))
    thread.start()
    try:
        while loaded and made.versions.current is None:
            time.sleep(0.05)
        yield f'http://{host}'
    finally:
        server.should_exit = True
        thread.join(60)
    assert not thread.is_alive() and not made.metrics.cut_off


def environment() -> dict[str, str]:
    """For a process of our own that must find the checkout."""
    root = str(ROOT)
    path = os.pathsep.join(filter(None, (root, os.environ.get('PYTHONPATH', ''))))
    return {**os.environ, 'PYTHONPATH': path}

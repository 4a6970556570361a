"""The server's endpoints as an ASGI application.

Which path gives what:

/v1/...        TensorFlow Serving's REST interface (`rest`)
/              the page
POST /classify the page's own request: one image in any format that the pipeline reads
/health        {"live": true, "ready": ..., "version": ...}; 503 until a version is in service
/health/live   200 as long as the process answers
/metrics       Prometheus' text, also at TensorFlow Serving's /monitoring/prometheus/metrics
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import threading
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from thawline.components.ingestion import decoding
from thawline.components.ingestion.bad_image import BadImage
from thawline.components.ingestion.quarantine import TOO_LARGE
from thawline.pipeline.recording.recorder import Recorder, ServedVersion
from thawline.pipeline.server import classification, guard, metrics, page, request_body, servable
from thawline.pipeline.server.limits import RequestLimits, TooLarge
from thawline.pipeline.server.predict_json import BadRequest
from thawline.pipeline.server.request_body import BodyReceiver, TooSlow
from thawline.pipeline.server.request_queue import QueueFull, RequestQueue
from thawline.pipeline.server.rest import RestInterface, UnknownModel
from thawline.pipeline.server.version_manager import NotReady, VersionManager

TOP = 5
_ENDPOINTS = {
    '/': 'page', '/classify': 'classify', '/health': 'health', '/health/live': 'health',
    '/health/ready': 'health', '/metrics': 'metrics', '/monitoring/prometheus/metrics': 'metrics',
}  # fmt: skip
_STATUS: dict[type[Exception], int] = {
    BadRequest: 400, servable.InvalidInput: 400, BadImage: 400, UnknownModel: 404,
    TooSlow: 408, TooLarge: 413, QueueFull: 503, NotReady: 503,
}  # fmt: skip
_MESSAGES = {
    TooSlow: 'the body was not received in time',
    QueueFull: 'too many requests are waiting; try again in a moment',
    NotReady: 'the model is being loaded; try again in a moment',
}


@dataclasses.dataclass(frozen=True)
class AppSettings:
    """How the server behaves.

    Attributes:
        name: of the model, in the paths.
        hosts: values of the Host header that are accepted; None accepts any.
        limits: of one request.
        max_side: longest side of an image as the pipeline keeps it, for `/classify`.
        stall_seconds: in which some of a body must arrive.
        threads: of inference.
        recorder: keeps images and answers; None: nothing is kept.
    """

    name: str
    hosts: Collection[str] | None = None
    limits: RequestLimits = dataclasses.field(default_factory=RequestLimits)
    max_side: int = 1024
    stall_seconds: float = request_body.STALL_SECONDS
    threads: int = 2
    recorder: Recorder | None = None


def endpoint_name(path: str) -> str:
    """The name of a path in the metrics."""
    if path.startswith('/v1/'):
        return 'predict' if path.lower().endswith(':predict') else 'model'
    return _ENDPOINTS.get(path, 'other')


def build(settings: AppSettings, versions: VersionManager, counters: metrics.Metrics) -> Starlette:
    """The application; it watches for versions from its start to its end."""
    endpoints = _Endpoints(settings, versions, counters)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        threading.Thread(target=versions.watch, name='watch', daemon=True).start()
        try:
            yield
        finally:
            versions.stop()
            endpoints.queue.close()

    return Starlette(
        routes=[
            Route('/v1/{rest:path}', endpoints.v1, methods=['GET', 'POST']),
            Route('/', endpoints.page),
            Route('/classify', endpoints.classify, methods=['POST']),
            Route('/health', endpoints.health),
            Route('/health/ready', endpoints.health),
            Route('/health/live', endpoints.live),
            Route('/metrics', endpoints.metrics),
            Route('/monitoring/prometheus/metrics', endpoints.metrics),
        ],
        middleware=[
            Middleware(
                guard.RequestGuard, metrics=counters, endpoint=endpoint_name, hosts=settings.hosts
            )
        ],
        exception_handlers={
            HTTPException: _http_error,
            ClientDisconnect: _client_gone,
            **dict.fromkeys(_STATUS, _error),
        },
        lifespan=lifespan,
    )


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type='application/json')


def _error(_: Request, error: Exception) -> Response:
    status = _STATUS[type(error)]
    headers = {'Retry-After': '1'} if status == 503 else None
    return _json(guard.error_body(_MESSAGES.get(type(error)) or str(error)), status, headers)


def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    # From the framework: no such path, or not with this method.
    text = f'{error.detail}: {request.method} {request.url.path}'
    return _json(guard.error_body(text), error.status_code, dict(error.headers or {}))


def _client_gone(_: Request, error: Exception) -> Response:
    return Response(status_code=499)


class _Endpoints:
    """The functions behind the routes."""

    def __init__(
        self, settings: AppSettings, versions: VersionManager, counters: metrics.Metrics
    ) -> None:
        self._settings, self._versions, self._counters = settings, versions, counters
        self._rest = RestInterface(settings.name, versions, settings.limits, settings.recorder)
        self._bodies = BodyReceiver(settings.limits, stall_seconds=settings.stall_seconds)
        self.queue = RequestQueue(settings.threads)

    async def _run_on_body(self, request: Request, use: Callable[[bytearray], Any]) -> Any:
        """Reads the body within its limits and calls `use` on it in a thread."""
        encoding = request.headers.get('content-encoding', 'identity')
        if encoding != 'identity':
            raise HTTPException(415, f'Content-Encoding {encoding} is not supported')
        async with self._bodies.receive(request) as body:
            return await self.queue.run(lambda: use(body))

    async def v1(self, request: Request) -> Response:
        path = request.url.path
        if request.method != 'POST':
            return _json(self._rest.get(path))
        answer, signature, rows = await self._run_on_body(
            request, lambda body: self._rest.post(path, body)
        )
        self._counters.images.labels(signature).inc(rows)
        return _json(answer)

    async def classify(self, request: Request) -> Response:
        explained = _class_to_explain(request.query_params.get('explain'))
        answer = await self._run_on_body(request, lambda body: self._classify_body(body, explained))
        self._counters.images.labels('page').inc()
        return _json(json.dumps(dataclasses.asdict(answer), ensure_ascii=False).encode())

    def _classify_body(
        self, body: bytearray, explained: int | None
    ) -> classification.Classification:
        limits = self._settings.limits
        with self._versions.lease() as model:
            depth = model.card.depth
            try:
                image = decoding.canonicalise(
                    bytes(body), self._settings.max_side, limits.pixels, depth
                )
            except BadImage as error:
                if error.reason == TOO_LARGE:
                    raise TooLarge(str(error)) from None
                raise
            classes = len(model.card.classes)
            if explained is not None and explained >= classes:
                raise BadRequest(
                    f'explain: class {explained} does not exist; there are {classes} classes'
                )
            answer = classification.classify(model, image.image, TOP, explained)
        recorder = self._settings.recorder
        if recorder is not None and recorder.draws():
            top = [(name, probability) for _, name, probability in answer.top]
            served = ServedVersion.of(answer.version, model.card)
            recorder.offer(served, bytes(body), answer.label, answer.score, top)
        return answer

    async def page(self, request: Request) -> Response:
        model = self._versions.current
        if model is None:
            loading = page.loading_page(self._settings.name)
            # No standard defines the header, but every browser follows it; a meta element would do
            # the same, and a script would need a place in the policy.
            headers = {
                'Content-Security-Policy': loading.policy, 'Refresh': '1', 'Retry-After': '1'
            }  # fmt: skip
            return Response(loading.html, 503, headers, media_type='text/html')
        ready = page.model_page(
            page.ModelInfo(
                self._settings.name, model.version, model.card.classes, model.card.resize,
                model.abstain_below, model.card.lineage, self._settings.limits.body,
                str(request.base_url),
            )
        )  # fmt: skip
        headers = {'Content-Security-Policy': ready.policy}
        return Response(ready.html, headers=headers, media_type='text/html')

    async def health(self, request: Request) -> Response:
        model = self._versions.current
        version = model and model.version
        body = json.dumps({'live': True, 'ready': model is not None, 'version': version})
        return _json(body.encode(), 200 if model else 503)

    async def live(self, request: Request) -> Response:
        return _json(b'{"live": true}')

    async def metrics(self, request: Request) -> Response:
        return Response(self._counters.exposition(), headers={'Content-Type': metrics.CONTENT_TYPE})


def _class_to_explain(text: str | None) -> int | None:
    """The requested class by its index, -1 for the predicted one; None without a request."""
    if text in (None, ''):
        return None
    assert text is not None
    if text == 'answer':
        return -1
    if not (text.isascii() and text.isdigit() and len(text) < 9):
        raise BadRequest(f'explain takes the number of a class, or answer. Received: {text[:60]!r}')
    return int(text)

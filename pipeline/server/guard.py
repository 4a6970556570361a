"""Runs before every endpoint: checks the origin, measures the time, formats errors."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thawline.pipeline.server.metrics import Metrics

_HEADERS = {
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
}


def error_body(message: str) -> bytes:
    """An error in TensorFlow Serving's form."""
    return json.dumps({'error': message}, ensure_ascii=False).encode('utf-8', 'replace')


class RequestGuard:
    """ASGI middleware."""

    def __init__(
        self,
        app: ASGIApp,
        metrics: Metrics,
        endpoint: Callable[[str], str],
        hosts: Collection[str] | None,
    ) -> None:
        """Wraps `app`.

        Args:
            app: the application.
            metrics: count every request.
            endpoint: maps a path to its name in the metrics; there must be few names.
            hosts: values of the Host header that are accepted; None accepts any.
        """
        self._app, self._metrics, self._endpoint = app, metrics, endpoint
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on, or refuses it."""
        if scope['type'] != 'http':
            await self._app(scope, receive, send)
            return
        start, status = time.monotonic(), 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message['type'] == 'http.response.start':
                status = message['status']
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            refusal = self._refusal(Headers(scope=scope))
            if refusal:
                await _send_error(send_with_headers, *refusal)
            else:
                await self._app(scope, receive, send_with_headers)
        except asyncio.CancelledError:
            self._metrics.cut_off += 1
            raise
        except Exception:
            logging.exception('%s %s failed', scope['method'], scope['path'])
            if status:
                raise  # too late for another answer
            await _send_error(send_with_headers, 500, 'internal error; see the log of the server')
        finally:
            seconds = time.monotonic() - start
            self._metrics.count_request(self._endpoint(scope['path']), status or 499, seconds)

    def _refusal(self, headers: Headers) -> tuple[int, str] | None:
        if self._hosts is None:
            return None
        # A foreign name that resolves to this machine would let its pages read our answers.
        if headers.get('host', '') not in self._hosts:
            return 421, f'this server accepts only the host {" or ".join(sorted(self._hosts))}'
        origin = headers.get('origin')
        if origin is not None and origin.partition('://')[2] not in self._hosts:
            return 403, 'requests from pages of other sites are refused'
        return None


async def _send_error(send: Send, status: int, message: str) -> None:
    body = error_body(message)
    headers = [
        (b'content-type', b'application/json'),
        (b'content-length', str(len(body)).encode()),
    ]
    await send({'type': 'http.response.start', 'status': status, 'headers': headers})
    await send({'type': 'http.response.body', 'body': body})

"""One attempt to post to a webhook."""

from __future__ import annotations

import http
import time
from collections.abc import Iterator, Mapping
from typing import Any

import requests
import requests.auth
import urllib3.exceptions
import urllib3.util

import thawline
from thawline.components.shared.durations import duration
from thawline.pipeline.notifications import signature
from thawline.pipeline.notifications.attempt import DeliveryAttempt, excerpt
from thawline.pipeline.notifications.targets import Webhook
from thawline.pipeline.system import urls

_RETRY = (408, 429)
_ANSWER_START = 2000  # bytes
_LOST = 'the connection was lost'
_REDIRECTS = (301, 302, 303, 307, 308)


def headers(to: Webhook, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """All headers of a request; signed if there is a key."""
    signed = {'webhook-signature': signature.sign(to.keys, message_id, timestamp, body)}
    return {
        'user-agent': f'thawline/{thawline.__version__}',
        **to.headers,
        'content-type': 'application/json',
        'webhook-id': message_id,
        'webhook-timestamp': str(timestamp),
        **(signed if to.keys else {}),
    }


class _Authorization(requests.auth.AuthBase):
    """User name and password of the address, or none: requests would look into ~/.netrc."""

    def __init__(self, url: str) -> None:
        self._basic = urls.credentials(url)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return requests.auth.HTTPBasicAuth(*self._basic)(request) if self._basic else request


def post(
    to: Webhook, body: bytes, message_id: str, timeout: float, secrets: tuple[str, ...]
) -> DeliveryAttempt:
    """Posts once, signed now; `timeout` is for the connection and each piece of the answer."""
    try:
        answer = requests.post(
            to.url,
            data=body,
            headers=headers(to, message_id, int(time.time()), body),
            auth=_Authorization(to.url),
            timeout=timeout,
            allow_redirects=False,
            stream=True,
        )
    except (requests.RequestException, urllib3.exceptions.HTTPError, ValueError) as error:
        return _failure(error, timeout)
    with answer:
        return _result(answer, secrets)


def _result(answer: requests.Response, secrets: tuple[str, ...]) -> DeliveryAttempt:
    code = answer.status_code
    try:
        message = f'{code} {http.HTTPStatus(code).phrase}'
    except ValueError:
        message = str(code)
    if 200 <= code < 300:
        return DeliveryAttempt(True, message)
    if code in _REDIRECTS:
        location = urls.public_part(answer.headers.get('location', ''))
        to = f' to {location}' if location != '…' else ''
        return DeliveryAttempt(
            False, f'{message}: redirects{to} are not followed; give the new address'
        )
    if start := excerpt(_start(answer), secrets):
        message += f': {start}'
    retry = code in _RETRY or 500 <= code < 600
    return DeliveryAttempt(False, message, retry, _retry_after(answer.headers) if retry else None)


def _start(answer: requests.Response) -> bytes:
    try:
        # Only what has arrived: a server may go on sending a byte a second.
        return answer.raw.read1(_ANSWER_START, decode_content=True) or b''
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        return b''


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, as a number or a date."""
    value = headers.get('retry-after')
    if value is None:
        return None
    try:
        return urllib3.util.Retry().parse_retry_after(value)
    except (urllib3.exceptions.HTTPError, ValueError, OverflowError):
        return None


def _failure(error: Exception, timeout: float) -> DeliveryAttempt:
    """Why there was no answer; the error's own text holds the address, which is a secret."""
    if isinstance(error, requests.ConnectTimeout):
        return DeliveryAttempt(False, f'no connection within {duration(timeout)}', retry=True)
    if isinstance(error, requests.Timeout):
        return DeliveryAttempt(False, f'no answer within {duration(timeout)}', retry=True)
    causes = list(_causes(error))
    for cause in causes:
        # A retry does not help.
        if problem := getattr(cause, 'verify_message', ''):
            return DeliveryAttempt(False, f'its certificate cannot be trusted: {problem}')
    proxy = 'the proxy: ' if isinstance(error, requests.exceptions.ProxyError) else ''
    if isinstance(error, requests.ConnectionError):
        reason = next((e.strerror for e in reversed(causes) if _is_system_error(e)), None)
        return DeliveryAttempt(False, proxy + (reason or _LOST).lower(), retry=True)
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError)):
        return DeliveryAttempt(False, _LOST, retry=True)
    return DeliveryAttempt(False, f'cannot be posted to ({type(error).__name__})')


def _is_system_error(error: Any) -> bool:
    return isinstance(error, OSError) and bool(error.strerror)


def _causes(error: BaseException) -> Iterator[Any]:
    """An exception and all its causes, the first cause last."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        cause = waiting.pop(0)
        if not isinstance(cause, BaseException) or id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        # requests and urllib3 also pass the original on as an argument or a reason.
        waiting += [*cause.args, getattr(cause, 'reason', None), cause.__cause__, cause.__context__]

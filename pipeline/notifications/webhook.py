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
from thawline.pipeline.notifications.attempt import Attempt, excerpt
from thawline.pipeline.notifications.targets import Webhook
from thawline.pipeline.system import urls

_AGAIN = (408, 429)
_ANSWER = 2000  # bytes of an answer that are looked at
_REDIRECTS = (301, 302, 303, 307, 308)


def headers(to: Webhook, message_id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """All headers of a request; signed where there is a key."""
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
    """User name and password of the address, else none: requests would look into ~/.netrc."""

    def __init__(self, url: str) -> None:
        self._userinfo = urls.credentials(url)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        return requests.auth.HTTPBasicAuth(*self._userinfo)(request) if self._userinfo else request


def post(
    to: Webhook, body: bytes, message_id: str, timeout: float, secrets: tuple[str, ...]
) -> Attempt:
    """Posts once; the time of signature is now.

    Args:
        message_id: the same for every attempt.
        timeout: seconds to connect, and between two pieces of the answer.
        secrets: what is cut out of an answer that is quoted.
    """
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
        return _unanswered(error, timeout)
    with answer:
        return _judged(answer, secrets)


def _judged(answer: requests.Response, secrets: tuple[str, ...]) -> Attempt:
    code = answer.status_code
    try:
        said = f'{code} {http.HTTPStatus(code).phrase}'
    except ValueError:
        said = str(code)
    if 200 <= code < 300:
        return Attempt(True, said)
    if code in _REDIRECTS:
        place = urls.public_part(answer.headers.get('location', ''))
        to = f' to {place}' if place != '…' else ''
        return Attempt(
            False, f'{said}: it redirects{to}, which is not followed; give the new address'
        )
    if quoted := excerpt(_beginning(answer), secrets):
        said += f': {quoted}'
    again = code in _AGAIN or 500 <= code < 600
    return Attempt(False, said, again, _wait(answer.headers) if again else None)


def _beginning(answer: requests.Response) -> bytes:
    try:
        # What has come so far: one that sends a byte a second may do so as long as it wants.
        return answer.raw.read1(_ANSWER, decode_content=True) or b''
    except (urllib3.exceptions.HTTPError, OSError, ValueError):
        return b''


def _wait(headers: Mapping[str, str]) -> float | None:
    """Seconds that `Retry-After` asks for, be it a number or a date."""
    asked = headers.get('retry-after')
    if asked is None:
        return None
    try:
        return urllib3.util.Retry().parse_retry_after(asked)
    except (urllib3.exceptions.HTTPError, ValueError, OverflowError):
        return None


def _unanswered(error: Exception, timeout: float) -> Attempt:
    """Why there was no answer. The error's own text holds the address, which is a secret."""
    if isinstance(error, requests.ConnectTimeout):
        return Attempt(False, f'no connection within {duration(timeout)}', again=True)
    if isinstance(error, requests.Timeout):
        return Attempt(False, f'no answer within {duration(timeout)}', again=True)
    causes = list(_causes(error))
    for cause in causes:
        # A certificate that does not fit will not do so in a second either.
        if verified := getattr(cause, 'verify_message', ''):
            return Attempt(False, f'its certificate cannot be trusted: {verified}')
    proxy = 'the proxy: ' if isinstance(error, requests.exceptions.ProxyError) else ''
    if isinstance(error, requests.ConnectionError):
        reason = next((e.strerror for e in reversed(causes) if _system(e)), None)
        return Attempt(False, f'{proxy}{(reason or "the connection broke off").lower()}', True)
    if isinstance(error, (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.HTTPError)):
        return Attempt(False, 'the connection broke off', True)
    return Attempt(False, f'cannot be asked ({type(error).__name__})')


def _system(error: Any) -> bool:
    return isinstance(error, OSError) and bool(error.strerror)


def _causes(error: BaseException) -> Iterator[Any]:
    """An exception and all that it came from, the last cause last."""
    waiting: list[Any] = [error]
    seen: set[int] = set()
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        # requests and urllib3 hand the original on as an argument or a reason, too.
        waiting += [*one.args, getattr(one, 'reason', None), one.__cause__, one.__context__]

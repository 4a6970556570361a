"""Webhooks, posted to a real server: signature, retries, redirects, and servers that hang."""

from __future__ import annotations

import base64
import datetime
import email.utils
import hashlib
import itertools
import json
import logging
import re
import socket
import threading
import time

import pytest

from tests.pipeline.notifications.conftest import target
from tests.pipeline.notifications.receiver import Answer, Request, listening
from thawline.pipeline.notifications import delivery, signature
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.delivery import Delivery
from thawline.pipeline.notifications.targets import ResolvedTarget, Webhook
from thawline.pipeline.system.ports import free_port

KEY = bytes(range(32))
SECRET = 'whsec_' + base64.b64encode(KEY).decode()
OTHER = 'whsec_' + base64.b64encode(bytes(range(100, 140))).decode()


def only(notification: Notification, to: ResolvedTarget) -> Delivery:
    (result,) = delivery.deliver(notification, [to])
    return result


def verified(request: Request, key: bytes) -> bool:
    """HMAC-SHA256 spelled out from RFC 2104, and Standard Webhooks' header."""
    signed = (
        request.headers['webhook-id'].encode()
        + b'.'
        + request.headers['webhook-timestamp'].encode()
        + b'.'
        + request.body
    )
    padded = key.ljust(64, b'\0')
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + signed).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).digest()
    given = request.headers['webhook-signature'].split(' ')
    return any(one == 'v1,' + base64.b64encode(outer).decode() for one in given)


def test_signature_is_that_of_the_specification() -> None:
    # The example with which the libraries of Standard Webhooks are tested.
    (key,) = signature.parse_keys('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
    header = signature.sign(
        [key], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, b'{"test": 2432232314}'
    )
    assert header == 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='


def test_notification_is_posted_and_signed(notification: Notification) -> None:
    with listening() as server:
        channel = Webhook(
            f'{server.url}/in?a=1', keys=signature.parse_keys(SECRET), headers={'X-Team': 'ml'}
        )
        result = only(notification, target(channel))
    assert result.succeeded and result.attempts == 1
    assert result.summary == '200 OK'
    (request,) = server.requests
    assert request.path == '/in?a=1'
    assert json.loads(request.body) == notification.model_dump()
    assert request.headers['content-type'] == 'application/json'
    assert request.headers['x-team'] == 'ml'
    assert request.headers['user-agent'].startswith('thawline/')
    assert '.' not in request.headers['webhook-id']
    assert abs(int(request.headers['webhook-timestamp']) - time.time()) < 30
    assert verified(request, KEY)
    assert not verified(request, bytes(32))


def test_two_secrets_make_two_signatures(notification: Notification) -> None:
    with listening() as server:
        assert only(
            notification,
            target(Webhook(server.url, keys=signature.parse_keys(f'{SECRET} {OTHER}'))),
        ).succeeded
    (request,) = server.requests
    assert verified(request, KEY) and verified(request, bytes(range(100, 140)))


def test_without_a_secret_there_is_no_signature(notification: Notification) -> None:
    with listening() as server:
        assert only(notification, target(Webhook(server.url))).succeeded
    assert 'webhook-signature' not in server.requests[0].headers
    assert 'webhook-id' in server.requests[0].headers


@pytest.mark.parametrize('status', [408, 429, 500, 502, 503, 504])
def test_server_that_cannot_now_is_asked_again(
    hurried, notification: Notification, status: int
) -> None:
    with listening(Answer(status), Answer(status), Answer(204)) as server:
        result = only(notification, target(Webhook(server.url, keys=signature.parse_keys(SECRET))))
    assert result.succeeded and result.attempts == 3
    assert result.message == '204 No Content'
    ids = {request.headers['webhook-id'] for request in server.requests}
    assert len(server.requests) == 3 and len(ids) == 1
    assert all(verified(request, KEY) for request in server.requests)


def test_each_attempt_is_signed_at_its_own_time(notification: Notification) -> None:
    with listening(Answer(503, {'retry-after': '2'}), Answer()) as server:
        result = only(notification, target(Webhook(server.url, keys=signature.parse_keys(SECRET))))
    assert result.succeeded
    first, second = server.requests
    assert second.at - first.at >= 2
    times = [int(request.headers['webhook-timestamp']) for request in (first, second)]
    assert times[1] > times[0]
    assert verified(first, KEY) and verified(second, KEY)


def test_retry_after_may_be_a_date(hurried, notification: Notification) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
    asked = Answer(429, {'retry-after': email.utils.format_datetime(later, usegmt=True)})
    with listening(asked, Answer()) as server:
        assert only(notification, target(Webhook(server.url))).succeeded
    assert server.requests[1].at - server.requests[0].at > 1


@pytest.mark.parametrize('asked', ['soon', '-3', '', '9' * 400])
def test_retry_after_that_is_none_is_passed_over(
    hurried, notification: Notification, asked: str
) -> None:
    answers = Answer(503, {'retry-after': asked}), Answer()
    with listening(*answers) as server:
        result = only(notification, target(Webhook(server.url), retry_for=3.0))
    # A number too large is a wait all the same, which is too long.
    assert result.attempts == (1 if asked.startswith('9') else 2)
    assert len(server.requests) == result.attempts


def test_wait_that_is_too_long_is_not_waited_for(hurried, notification: Notification) -> None:
    with listening(Answer(429, {'retry-after': '3600'}), Answer()) as server:
        result = only(notification, target(Webhook(server.url)))
    assert not result.succeeded and result.seconds < 30  # an hour was asked for
    assert result.summary == '429 Too Many Requests; it asks to wait 3,600 s, which is too long'


@pytest.mark.parametrize('status', [400, 401, 403, 404, 410, 422])
def test_refusal_is_final_and_quoted(hurried, notification: Notification, status: int) -> None:
    with listening(Answer(status, body=b'no_text'), Answer()) as server:
        result = only(notification, target(Webhook(server.url)))
    assert not result.succeeded and result.attempts == 1
    assert len(server.requests) == 1
    assert result.message.startswith(f'{status} ') and result.message.endswith(': no_text')


@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(hurried, notification: Notification, status: int) -> None:
    with listening() as other:
        place = other.url.replace('127.0.0.1', 'localhost') + '/secret/path'
        with listening(Answer(status, {'location': place})) as server:
            result = only(notification, target(Webhook(server.url)))
    assert not result.succeeded and result.attempts == 1
    assert other.requests == []
    assert 'redirects to http://localhost:' in result.message and 'secret' not in result.message


def test_it_gives_up_in_time(hurried, notification: Notification) -> None:
    with listening(Answer(503)) as server:
        result = only(notification, target(Webhook(server.url), retry_for=3.0))
    assert not result.succeeded and result.attempts > 3
    assert result.seconds < 10
    assert (
        '503 Service Unavailable' in result.summary
        and f'{result.attempts} attempts' in result.summary
    )


def test_pauses_grow(notification: Notification) -> None:
    with listening(Answer(500)) as server:
        only(notification, target(Webhook(server.url), retry_for=4.0))
    at = [request.at for request in server.requests]
    pauses = [after - before for before, after in itertools.pairwise(at)]
    assert len(pauses) >= 2
    assert 0.5 <= pauses[0] <= 1.3 and 1.0 <= pauses[1] <= 2.3


def test_refused_connection_is_tried_again(hurried, notification: Notification) -> None:
    result = only(notification, target(Webhook(f'http://127.0.0.1:{free_port()}/x'), retry_for=0.5))
    assert not result.succeeded and result.attempts > 1
    assert result.message == 'connection refused'


def test_unknown_host(hurried, notification: Notification) -> None:
    result = only(notification, target(Webhook('http://nowhere.invalid/x'), retry_for=0.3))
    assert not result.succeeded
    assert 'nowhere' not in result.message
    assert result.message.startswith(
        ('name or service', 'temporary failure', 'no address', 'nodename')
    )


def test_server_that_hangs(hurried, notification: Notification) -> None:
    with listening(Answer(hold=True)) as server:
        result = only(notification, target(Webhook(server.url), timeout=0.4, retry_for=2.0))
    assert not result.succeeded and len(server.requests) >= 2
    assert re.fullmatch(r'no answer within 0\.[1-4] s', result.message)
    assert result.seconds < 10


def test_answer_that_comes_byte_by_byte_holds_nothing_up(
    notification: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(delivery, '_GRACE', 0.5)
    ended = threading.Event()

    def drip(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b'HTTP/1.1 200 OK\r\nx-slow: ')
            while not ended.wait(0.1):
                try:
                    connection.sendall(b'a')
                except OSError:
                    return

    with socket.create_server(('127.0.0.1', 0)) as listener:
        thread = threading.Thread(target=drip, args=(listener,))
        thread.start()
        url = f'http://127.0.0.1:{listener.getsockname()[1]}'
        began = time.monotonic()
        result = only(notification, target(Webhook(url), timeout=0.5, retry_for=0.5))
        assert time.monotonic() - began < 10
        ended.set()
        thread.join()
    assert not result.succeeded
    assert result.message == 'gave up after 1.0 s'


@pytest.mark.parametrize(
    'raw', [b'', b'HTTP/1.1 2', b'SSH-2.0-OpenSSH_9\r\n', b'\x15\x03\x01\x00\x02\x02']
)
def test_answer_that_is_no_http(hurried, notification: Notification, raw: bytes) -> None:
    with listening(Answer(raw=raw)) as server:
        result = only(notification, target(Webhook(server.url), retry_for=0.3))
    assert not result.succeeded
    assert result.message == 'the connection was lost'


def test_a_quoted_answer_is_harmless(hurried, notification: Notification) -> None:
    said = b'\x1b[2Jtoken=hunter2hunter2 at https://user:pw@host.example/hook?key=abc ' + b'x' * 999
    channel = Webhook('', headers={'Authorization': 'Bearer hunter2hunter2'})
    with listening(Answer(400, body=said)) as server:
        channel = Webhook(server.url, headers=channel.headers)
        result = only(
            notification, target(channel, secrets=('Bearer hunter2hunter2', 'hunter2hunter2'))
        )
    assert server.requests[0].headers['authorization'] == 'Bearer hunter2hunter2'
    assert 'hunter2' not in result.message and '\x1b' not in result.message
    assert 'https://host.example/…' in result.message and 'key=abc' not in result.message
    assert len(result.message) < 350


def test_nothing_secret_is_logged(
    hurried, notification: Notification, caplog: pytest.LogCaptureFixture
) -> None:
    # urllib3 logs the whole address when headers cannot be parsed, and each request when debugging.
    caplog.set_level(logging.DEBUG)
    raw = b'HTTP/1.1 500 Oh\r\n: no name\r\ncontent-length: 2\r\n\r\nno'
    path = '/services/T0AAAA/B0BBBB/verysecrettoken99'
    with listening(Answer(raw=raw), Answer()) as server:
        url = f'{server.url}{path}?key=alsosecret'.replace('http://', 'http://me:mypassword@')
        secrets = (path, f'{path}?key=alsosecret', 'alsosecret', 'mypassword', SECRET)
        channel = Webhook(url, keys=signature.parse_keys(SECRET))
        to = target(channel, secrets=secrets)
        result = only(notification, to)
    assert result.succeeded and result.attempts == 2
    assert server.requests[0].headers['authorization'].startswith('Basic ')
    for text in (caplog.text, result.target, result.summary, repr(to), repr(channel)):
        for secret in ('verysecret', 'alsosecret', 'mypassword', SECRET[6:], 'B0BBBB'):
            assert secret not in text
    assert 'Failed to parse headers' in caplog.text


def test_netrc_is_not_asked(
    notification: Notification, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / 'netrc').write_text('machine 127.0.0.1 login me password mine\n', 'utf-8')
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))
    with listening() as server:
        channel = Webhook(server.url, headers={'Authorization': 'Bearer right'})
        assert only(notification, target(channel)).succeeded
    assert server.requests[0].headers['authorization'] == 'Bearer right'


def test_proxy_of_the_environment_is_used(
    notification: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as proxy:
        monkeypatch.setenv('HTTP_PROXY', proxy.url)
        assert only(notification, target(Webhook('http://nowhere.invalid/x'))).succeeded
        assert proxy.requests[0].path == 'http://nowhere.invalid/x'


def test_one_target_does_not_wait_for_another(hurried, notification: Notification) -> None:
    with listening(Answer(hold=True)) as hanging, listening() as prompt:
        began = time.monotonic()
        slow, quick = delivery.deliver(
            notification,
            [
                target(Webhook(hanging.url), timeout=3.0, retry_for=3.0),
                target(Webhook(prompt.url)),
            ],
        )
        assert time.monotonic() - began < 20
    assert not slow.succeeded and quick.succeeded
    assert quick.seconds < 2.9
    ids = {request.headers['webhook-id'] for request in (hanging.requests[0], prompt.requests[0])}
    assert len(ids) == 1

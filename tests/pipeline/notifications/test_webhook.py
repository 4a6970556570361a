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
from thawline.pipeline.notifications.delivery import Told
from thawline.pipeline.notifications.targets import Resolved, Webhook
from thawline.pipeline.system.ports import free_port

KEY = bytes(range(32))
SECRET = 'whsec_' + base64.b64encode(KEY).decode()
OTHER = 'whsec_' + base64.b64encode(bytes(range(100, 140))).decode()


def only(told: Notification, to: Resolved) -> Told:
    (came,) = delivery.deliver(told, [to])
    return came


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
    (key,) = signature.keys('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw')
    made = signature.sign(
        [key], 'msg_p5jXN8AQM9LWM0D4loKWxJek', 1614265330, b'{"test": 2432232314}'
    )
    assert made == 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='


def test_notification_is_posted_and_signed(told: Notification) -> None:
    with listening() as server:
        way = Webhook(f'{server.url}/in?a=1', keys=signature.keys(SECRET), headers={'X-Team': 'ml'})
        came = only(told, target(way))
    assert came.done and came.tries == 1
    assert came.sentence == '200 OK'
    (request,) = server.requests
    assert request.path == '/in?a=1'
    assert json.loads(request.body) == told.model_dump()
    assert request.headers['content-type'] == 'application/json'
    assert request.headers['x-team'] == 'ml'
    assert request.headers['user-agent'].startswith('thawline/')
    assert '.' not in request.headers['webhook-id']
    assert abs(int(request.headers['webhook-timestamp']) - time.time()) < 30
    assert verified(request, KEY)
    assert not verified(request, bytes(32))


def test_two_secrets_make_two_signatures(told: Notification) -> None:
    with listening() as server:
        assert only(
            told, target(Webhook(server.url, keys=signature.keys(f'{SECRET} {OTHER}')))
        ).done
    (request,) = server.requests
    assert verified(request, KEY) and verified(request, bytes(range(100, 140)))


def test_without_a_secret_there_is_no_signature(told: Notification) -> None:
    with listening() as server:
        assert only(told, target(Webhook(server.url))).done
    assert 'webhook-signature' not in server.requests[0].headers
    assert 'webhook-id' in server.requests[0].headers


@pytest.mark.parametrize('status', [408, 429, 500, 502, 503, 504])
def test_server_that_cannot_now_is_asked_again(hurried, told: Notification, status: int) -> None:
    with listening(Answer(status), Answer(status), Answer(204)) as server:
        came = only(told, target(Webhook(server.url, keys=signature.keys(SECRET))))
    assert came.done and came.tries == 3
    assert came.said == '204 No Content'
    ids = {request.headers['webhook-id'] for request in server.requests}
    assert len(server.requests) == 3 and len(ids) == 1
    assert all(verified(request, KEY) for request in server.requests)


def test_each_attempt_is_signed_at_its_own_time(told: Notification) -> None:
    with listening(Answer(503, {'retry-after': '2'}), Answer()) as server:
        came = only(told, target(Webhook(server.url, keys=signature.keys(SECRET))))
    assert came.done
    first, second = server.requests
    assert second.at - first.at >= 2
    times = [int(request.headers['webhook-timestamp']) for request in (first, second)]
    assert times[1] > times[0]
    assert verified(first, KEY) and verified(second, KEY)


def test_retry_after_may_be_a_date(hurried, told: Notification) -> None:
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=3)
    asked = Answer(429, {'retry-after': email.utils.format_datetime(later, usegmt=True)})
    with listening(asked, Answer()) as server:
        assert only(told, target(Webhook(server.url))).done
    assert server.requests[1].at - server.requests[0].at > 1


@pytest.mark.parametrize('asked', ['soon', '-3', '', '9' * 400])
def test_retry_after_that_is_none_is_passed_over(hurried, told: Notification, asked: str) -> None:
    answers = Answer(503, {'retry-after': asked}), Answer()
    with listening(*answers) as server:
        came = only(told, target(Webhook(server.url), retry_for=3.0))
    # A number too large is a wait all the same, which is too long.
    assert came.tries == (1 if asked.startswith('9') else 2)
    assert len(server.requests) == came.tries


def test_wait_that_is_too_long_is_not_waited_for(hurried, told: Notification) -> None:
    with listening(Answer(429, {'retry-after': '3600'}), Answer()) as server:
        came = only(told, target(Webhook(server.url)))
    assert not came.done and came.seconds < 30  # an hour was asked for
    assert came.sentence == '429 Too Many Requests; it asks to wait 3,600 s, which is too long'


@pytest.mark.parametrize('status', [400, 401, 403, 404, 410, 422])
def test_refusal_is_final_and_quoted(hurried, told: Notification, status: int) -> None:
    with listening(Answer(status, body=b'no_text'), Answer()) as server:
        came = only(told, target(Webhook(server.url)))
    assert not came.done and came.tries == 1
    assert len(server.requests) == 1
    assert came.said.startswith(f'{status} ') and came.said.endswith(': no_text')


@pytest.mark.parametrize('status', [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(hurried, told: Notification, status: int) -> None:
    with listening() as other:
        place = other.url.replace('127.0.0.1', 'localhost') + '/secret/path'
        with listening(Answer(status, {'location': place})) as server:
            came = only(told, target(Webhook(server.url)))
    assert not came.done and came.tries == 1
    assert other.requests == []
    assert 'redirects to http://localhost:' in came.said and 'secret' not in came.said


def test_it_gives_up_in_time(hurried, told: Notification) -> None:
    with listening(Answer(503)) as server:
        came = only(told, target(Webhook(server.url), retry_for=3.0))
    assert not came.done and came.tries > 3
    assert came.seconds < 10
    assert '503 Service Unavailable' in came.sentence and f'{came.tries} tries' in came.sentence


def test_pauses_grow(told: Notification) -> None:
    with listening(Answer(500)) as server:
        only(told, target(Webhook(server.url), retry_for=4.0))
    at = [request.at for request in server.requests]
    pauses = [after - before for before, after in itertools.pairwise(at)]
    assert len(pauses) >= 2
    assert 0.5 <= pauses[0] <= 1.3 and 1.0 <= pauses[1] <= 2.3


def test_refused_connection_is_tried_again(hurried, told: Notification) -> None:
    came = only(told, target(Webhook(f'http://127.0.0.1:{free_port()}/x'), retry_for=0.5))
    assert not came.done and came.tries > 1
    assert came.said == 'connection refused'


def test_unknown_host(hurried, told: Notification) -> None:
    came = only(told, target(Webhook('http://nowhere.invalid/x'), retry_for=0.3))
    assert not came.done
    assert 'nowhere' not in came.said
    assert came.said.startswith(('name or service', 'temporary failure', 'no address', 'nodename'))


def test_server_that_hangs(hurried, told: Notification) -> None:
    with listening(Answer(hold=True)) as server:
        came = only(told, target(Webhook(server.url), timeout=0.4, retry_for=2.0))
    assert not came.done and len(server.requests) >= 2
    assert re.fullmatch(r'no answer within 0\.[1-4] s', came.said)
    assert came.seconds < 10


def test_answer_that_comes_byte_by_byte_holds_nothing_up(
    told: Notification, monkeypatch: pytest.MonkeyPatch
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
        came = only(told, target(Webhook(url), timeout=0.5, retry_for=0.5))
        assert time.monotonic() - began < 10
        ended.set()
        thread.join()
    assert not came.done
    assert came.said == 'not done after 1.0 s, and given up'


@pytest.mark.parametrize(
    'raw', [b'', b'HTTP/1.1 2', b'SSH-2.0-OpenSSH_9\r\n', b'\x15\x03\x01\x00\x02\x02']
)
def test_answer_that_is_no_http(hurried, told: Notification, raw: bytes) -> None:
    with listening(Answer(raw=raw)) as server:
        came = only(told, target(Webhook(server.url), retry_for=0.3))
    assert not came.done
    assert came.said == 'the connection broke off'


def test_a_quoted_answer_is_harmless(hurried, told: Notification) -> None:
    said = b'\x1b[2Jtoken=hunter2hunter2 at https://user:pw@host.example/hook?key=abc ' + b'x' * 999
    way = Webhook('', headers={'Authorization': 'Bearer hunter2hunter2'})
    with listening(Answer(400, body=said)) as server:
        way = Webhook(server.url, headers=way.headers)
        came = only(told, target(way, secrets=('Bearer hunter2hunter2', 'hunter2hunter2')))
    assert server.requests[0].headers['authorization'] == 'Bearer hunter2hunter2'
    assert 'hunter2' not in came.said and '\x1b' not in came.said
    assert 'https://host.example/…' in came.said and 'key=abc' not in came.said
    assert len(came.said) < 350


def test_nothing_secret_is_logged(
    hurried, told: Notification, caplog: pytest.LogCaptureFixture
) -> None:
    # urllib3 logs the whole address when headers cannot be parsed, and each request when debugging.
    caplog.set_level(logging.DEBUG)
    raw = b'HTTP/1.1 500 Oh\r\n: no name\r\ncontent-length: 2\r\n\r\nno'
    path = '/services/T0AAAA/B0BBBB/verysecrettoken99'
    with listening(Answer(raw=raw), Answer()) as server:
        url = f'{server.url}{path}?key=alsosecret'.replace('http://', 'http://me:mypassword@')
        secrets = (path, f'{path}?key=alsosecret', 'alsosecret', 'mypassword', SECRET)
        way = Webhook(url, keys=signature.keys(SECRET))
        to = target(way, secrets=secrets)
        came = only(told, to)
    assert came.done and came.tries == 2
    assert server.requests[0].headers['authorization'].startswith('Basic ')
    for text in (caplog.text, came.shown, came.sentence, repr(to), repr(way)):
        for secret in ('verysecret', 'alsosecret', 'mypassword', SECRET[6:], 'B0BBBB'):
            assert secret not in text
    assert 'Failed to parse headers' in caplog.text


def test_netrc_is_not_asked(told: Notification, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / 'netrc').write_text('machine 127.0.0.1 login me password mine\n', 'utf-8')
    monkeypatch.setenv('NETRC', str(tmp_path / 'netrc'))
    with listening() as server:
        way = Webhook(server.url, headers={'Authorization': 'Bearer right'})
        assert only(told, target(way)).done
    assert server.requests[0].headers['authorization'] == 'Bearer right'


def test_proxy_of_the_environment_is_used(
    told: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening() as proxy:
        monkeypatch.setenv('HTTP_PROXY', proxy.url)
        assert only(told, target(Webhook('http://nowhere.invalid/x'))).done
        assert proxy.requests[0].path == 'http://nowhere.invalid/x'


def test_one_target_does_not_wait_for_another(hurried, told: Notification) -> None:
    with listening(Answer(hold=True)) as hanging, listening() as prompt:
        began = time.monotonic()
        slow, quick = delivery.deliver(
            told,
            [
                target(Webhook(hanging.url), timeout=3.0, retry_for=3.0),
                target(Webhook(prompt.url)),
            ],
        )
        assert time.monotonic() - began < 20
    assert not slow.done and quick.done
    assert quick.seconds < 2.9
    ids = {request.headers['webhook-id'] for request in (hanging.requests[0], prompt.requests[0])}
    assert len(ids) == 1

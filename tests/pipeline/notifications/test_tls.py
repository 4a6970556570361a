"""Webhooks over TLS: certificates are checked, and a company's own can be trusted."""

from __future__ import annotations

import contextlib
import datetime
import ipaddress
import pathlib
import ssl
from collections.abc import Iterator

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.pipeline.notifications import receiver
from tests.pipeline.notifications.conftest import target
from thawline.pipeline.notifications import delivery
from thawline.pipeline.notifications.body import Notification
from thawline.pipeline.notifications.targets import Webhook


@pytest.fixture
def certificate(tmp_path: pathlib.Path) -> pathlib.Path:
    """A certificate for this machine that nobody has signed, with its key in the same file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, 'here')])
    now = datetime.datetime.now(datetime.UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address('127.0.0.1'))])
    certificate_ = (
        x509.CertificateBuilder()
        .subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(here, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    path = tmp_path / 'both.pem'
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate_.public_bytes(serialization.Encoding.PEM)
    )
    return path


@contextlib.contextmanager
def listening(certificate: pathlib.Path) -> Iterator[receiver.Receiver]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with receiver.listening() as server:
        plain = server.server.socket
        # The handshake is the handler's, or one that hangs up would end the server.
        server.server.socket = context.wrap_socket(
            plain, server_side=True, do_handshake_on_connect=False
        )
        server.url = server.url.replace('http://', 'https://')
        yield server


def test_certificate_that_nobody_signed_is_refused_at_once(
    hurried: None, notification: Notification, certificate: pathlib.Path
) -> None:
    with listening(certificate) as server:
        (result,) = delivery.deliver(notification, [target(Webhook(f'{server.url}/secretpath'))])
    assert not result.succeeded and result.attempts == 1
    assert server.requests == []
    assert result.message == 'its certificate cannot be trusted: self-signed certificate'


def test_a_companys_own_certificates_can_be_named(
    notification: Notification, certificate: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('REQUESTS_CA_BUNDLE', str(certificate))
    with listening(certificate) as server:
        (result,) = delivery.deliver(notification, [target(Webhook(server.url))])
        assert result.succeeded, result.summary
        assert len(server.requests) == 1


def test_plain_server_behind_an_https_address(hurried: None, notification: Notification) -> None:
    with receiver.listening() as server:
        url = server.url.replace('http://', 'https://')
        (result,) = delivery.deliver(notification, [target(Webhook(url), retry_for=0.3)])
    assert not result.succeeded
    assert 'https' not in result.message and result.message

"""What of an address may be seen."""

from __future__ import annotations

import urllib.parse

import hypothesis
import hypothesis.strategies as st
import pytest

from thawline.pipeline.system import urls

TOKEN = st.text('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-', min_size=8, max_size=30)
ANY = st.text(st.characters(codec='utf-8'), min_size=6, max_size=20)


@pytest.mark.parametrize(
    ('url', 'shown'),
    [
        ('https://hooks.slack.com/services/T0/B0/xyz', 'https://hooks.slack.com/…'),
        ('https://me:secret@example.com:8443/?sig=abc#x', 'https://example.com:8443/…'),
        ('http://[::1]:80/a', 'http://[::1]:80/…'),
        ('https://example.com', 'https://example.com'),
        ('https://example.com/', 'https://example.com'),
        ('//example.com/a', '…'),
        ('a secret', '…'),
        ('http://[broken', '…'),
        ('http://host:99999/', '…'),
        ('', '…'),
    ],
)
def test_scheme_host_and_port_are_shown(url: str, shown: str) -> None:
    assert urls.public_part(url) == shown


@hypothesis.given(user=ANY, password=ANY, path=st.lists(TOKEN, max_size=4), key=TOKEN)
def test_no_secret_part_is_ever_shown(user: str, password: str, path: list[str], key: str) -> None:
    quoted = [urllib.parse.quote(part, safe='') for part in (user, password)]
    url = f'https://{quoted[0]}:{quoted[1]}@hooks.example.com/{"/".join(path)}?sig={key}#{key}'
    assert urls.problem(url) is None
    assert urls.public_part(url) == 'https://hooks.example.com/…'
    assert (
        urls.redact_addresses(f'asked {url} in vain') == 'asked https://hooks.example.com/… in vain'
    )
    assert urls.credentials(url) == (user, password)
    left = urls.redact_secrets(f'{url} {key} {"/".join(path)}', urls.secrets_of(url))
    assert key not in left and quoted[1] not in left


@hypothesis.given(st.text(max_size=60))
def test_any_text_is_cut_and_judged_without_an_error(text: str) -> None:
    urls.public_part(text)
    assert isinstance(urls.redact_addresses(text), str)
    wrong = urls.problem(text)
    assert wrong is None or not (len(text) > 10 and text in wrong)


@hypothesis.given(st.from_regex(r'[a-z]{1,10}://[!-~]{1,40}', fullmatch=True), st.text(max_size=20))
def test_what_is_cut_stays_cut(url: str, around: str) -> None:
    once = urls.redact_addresses(f'{around} {url}')
    assert urls.redact_addresses(once) == once


@pytest.mark.parametrize(
    ('url', 'part'),
    [
        ('ftp://example.com/x', 'must begin with https://'),
        ('example.com/hook', 'must begin with https://'),
        ('https:///hook', 'no host'),
        ('https://', 'no host'),
        ('https://example.com:port/', 'cannot be read'),
        ('https://[::1/', 'cannot be read'),
        ('https://example.com/a b', 'a space'),
        ('https://example.com/a\r\nHost: evil', 'a line break'),
        ('https://a..b/x', 'no host'),
        (f'https://{"a" * 64}.com/x', 'invalid host'),
    ],
)
def test_wrong_addresses(url: str, part: str) -> None:
    wrong = urls.problem(url)
    assert wrong is not None and part in wrong

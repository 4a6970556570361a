"""Web addresses, and which part of them may be shown.

The path of a chat's webhook is its password; user names and queries can be secrets too. Only
scheme, host and port of an address are ever printed or logged.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterable

_ADDRESS = re.compile(r'\b([a-z][a-z0-9+.-]*)://[^\s\'"<>`]*', re.IGNORECASE)
_SHORTEST_SECRET = 6  # shorter texts would be cut out of the middle of words


def problem(url: str) -> str | None:
    """What is wrong with the address of a webhook, without repeating it; None if valid."""
    if re.search(r'[\s\x00-\x1f\x7f\\]', url):
        return 'holds a space, a line break or a backslash'
    try:
        parts = urllib.parse.urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return 'is not a web address: its host or port cannot be read'
    if parts.scheme not in ('http', 'https'):
        return 'must begin with https:// or http://'
    if not host or host.startswith('.') or '..' in host:
        return 'has no host; write it as https://host/path'
    try:
        host.encode('idna')
    except UnicodeError:
        return 'has an invalid host name'
    return None


def credentials(url: str) -> tuple[str, str] | None:
    """User name and password in an address, decoded, or None."""
    parts = urllib.parse.urlsplit(url)
    if parts.username is None:
        return None
    return urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or '')


def public_part(url: str) -> str:
    """What may be printed of an address: 'https://hooks.slack.com/…'."""
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return '…'
    if not parts.scheme or not host:
        return '…'
    where = f'[{host}]' if ':' in host else host
    where += f':{port}' if port is not None else ''
    more = parts.path not in ('', '/') or parts.query or parts.fragment
    return f'{parts.scheme}://{where}' + ('/…' if more else '')


def redact_addresses(text: str) -> str:
    """A text with every address in it cut down to its public part."""
    return _ADDRESS.sub(lambda match: public_part(match[0]), text)


def secrets_of(url: str) -> tuple[str, ...]:
    """The parts of an address that must not be seen anywhere, the longest first."""
    parts = urllib.parse.urlsplit(url)
    path = urllib.parse.urlunsplit(('', '', parts.path, parts.query, ''))
    values = [value for _, value in urllib.parse.parse_qsl(parts.query)]
    pieces = [url, path, parts.path, parts.query, *values, *(credentials(url) or ())]
    pieces += [piece for piece in parts.path.split('/') if len(piece) >= 2 * _SHORTEST_SECRET]
    return tuple(sorted(dict.fromkeys(filter(None, pieces)), key=len, reverse=True))


def redact_secrets(text: str, secrets: Iterable[str]) -> str:
    """A text with every secret replaced by '***', except very short ones."""
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, '***')
    return text

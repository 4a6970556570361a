"""`thawline review`: the report of a run, served to a browser on this machine alone."""

from __future__ import annotations

import errno
import html
import io
import os
import pathlib
import re
import sys
import threading
import webbrowser

import click
import rich.console

from thawline.components.shared.errors import Busy, ConfigError
from thawline.pipeline.commands.arguments import config_argument, run_and_project, run_argument
from thawline.pipeline.system import loopback_server, signals
from thawline.pipeline.terminal.console import say

_POLICY = re.compile(rb'<meta http-equiv="Content-Security-Policy" content="([^"]*)"')
_NO_POLICY = "default-src 'none'"
_HEAD = 4096


@click.command()
@run_argument
@config_argument
@click.option(
    '--port',
    default=0,
    metavar='PORT',
    type=click.IntRange(0, 65_535),
    help='Port; default: a free one.',
)
@click.option('--no-open', is_flag=True, help='Print the address without opening a browser.')
def command(run: str, config: pathlib.Path | None, port: int, no_open: bool) -> None:
    """Open the report of a run in the browser.

    RUN is a run id from `thawline runs`, the start of one, or `last`. Only this machine can reach
    the server; it runs until Ctrl-C.
    """
    from thawline.pipeline.metadata.stores import opening
    from thawline.pipeline.reports import lookup

    run, project = run_and_project(run, config)
    report = lookup.find_report(opening.open_store(project), run, project.name)
    page = report.file('html').read_bytes()
    console = rich.console.Console(file=sys.stdout)
    try:
        with signals.interruptible(), server(page, port) as serving:
            address = f'{serving.url}/'
            say(console, f'report of run {report.run.id}: ', (address, 'bold'))
            say(console, 'press Ctrl-C to stop')
            sys.stdout.flush()
            if not no_open and _has_browser():
                # A text browser blocks its caller until the user quits it.
                threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
            serving.serve_forever()
    except signals.Interrupted:
        console.print()


def _has_browser() -> bool:
    """Without a desktop, `webbrowser` would take the terminal for a text browser."""
    desktop = sys.platform in ('darwin', 'win32') or any(
        map(os.environ.get, ('DISPLAY', 'WAYLAND_DISPLAY'))
    )
    return desktop or bool(os.environ.get('BROWSER'))


def server(page: bytes, port: int = 0) -> loopback_server.Server:
    """A server on the loopback interface that knows one page, at `/`.

    Raises:
        Busy, ConfigError: the port cannot be used.
    """

    class Handler(_PageHandler):
        content = page
        policy = _content_policy(page)

    try:
        return loopback_server.Server(port, Handler)
    except OSError as error:
        kind = Busy if error.errno == errno.EADDRINUSE else ConfigError
        raise kind(
            f'--port: {port} on {loopback_server.HOST} cannot be used '
            f'({error.strerror}); leave it out for a free one'
        ) from error


def _content_policy(page: bytes) -> str:
    """The page's own policy, as a header too: nothing else may frame it."""
    own = _POLICY.search(page[:_HEAD])
    policy = html.unescape(own[1].decode('ascii', 'replace')) if own else _NO_POLICY
    return f"{policy}; frame-ancestors 'none'"


class _PageHandler(loopback_server.Handler):
    """Answers GET and HEAD of the page; everything else is refused by the base class."""

    content = b''
    policy = _NO_POLICY

    def send_head(self) -> io.BytesIO | None:
        if self.path.partition('?')[0] != '/':
            self.send_error(404)
            return None
        self.send_response(200)
        for name, value in (
            ('Content-Type', 'text/html; charset=utf-8'),
            ('Content-Length', str(len(self.content))),
            ('Content-Security-Policy', self.policy),
            ('X-Content-Type-Options', 'nosniff'),
            ('Referrer-Policy', 'no-referrer'),
            ('Cache-Control', 'no-store'),
        ):
            self.send_header(name, value)
        self.end_headers()
        return io.BytesIO(self.content)

"""Keeps secrets out of the logs of the HTTP library."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from thawline.pipeline.system import urls

# They write whole addresses into warnings, for example of headers that cannot be parsed.
_LOGGERS = ('urllib3.connection', 'urllib3.connectionpool')


class _Filter(logging.Filter):
    def __init__(self) -> None:
        super().__init__()
        self.hidden: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record; none is dropped."""
        text = urls.redact_secrets(record.getMessage(), self.hidden)
        record.msg, record.args = urls.redact_addresses(text), ()
        record.exc_info = None  # a traceback can quote it too
        return True


_filter = _Filter()


def hide(secrets: Iterable[str]) -> None:
    """Keeps these out of the log from now on, and all but the host of any address."""
    _filter.hidden.update(secrets)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_filter)  # once, however often it is added

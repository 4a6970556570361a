"""Errors that a person caused and can mend.

They carry a message that stands alone: what is wrong, where, the value received and what would be
right. The command line prints the message without a traceback; anything else that is raised is a
crash and is reported as one.
"""

from __future__ import annotations


class UserError(Exception):
    """Base of all errors whose message is written for the person at the prompt."""


class ConfigError(UserError):
    """The configuration, or a file that it names (weights, schema), cannot be used."""


class DataError(UserError):
    """The images or labels do not allow a run; nothing was trained."""

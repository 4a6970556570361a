"""Settings of a scheduler: from the configuration, and from options at the prompt."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic

from thawline.components.shared.errors import ConfigError
from thawline.components.shared.settings import Section
from thawline.pipeline.config import errors

_Settings = TypeVar('_Settings', bound=Section)


def override(settings: _Settings, options: Mapping[str, Any]) -> _Settings:
    """The settings with the options in place of their values; None for options not given.

    Raises:
        ConfigError: an option is invalid.
    """
    given = {name: value for name, value in options.items() if value is not None}
    try:
        return settings.model_validate({**settings.model_dump(), **given})
    except pydantic.ValidationError as error:
        raise ConfigError(errors.explain(error, type(settings), 'options')) from error

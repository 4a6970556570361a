"""What the model that predicts says of itself; without TensorFlow, so that errors show at once."""

from __future__ import annotations

import pathlib

from thawline.components.saved_model import card
from thawline.components.shared.errors import ConfigError


def read_card(folder: pathlib.Path) -> card.Card:
    """What the model says of itself.

    Raises:
        ConfigError: it is no model of Thawline.
    """
    try:
        return card.read(folder)
    except FileNotFoundError as error:
        raise ConfigError(
            f'the model {folder} has no {card.FILE}, which names its classes: it is no model '
            'that Thawline exported, or was copied without its folder assets.extra'
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{folder / card.FILE} cannot be read: {error}') from error


def abstention_threshold(of: card.Card) -> float | None:
    """The score below which the model rather says nothing; None where it has no such bound."""
    return of.abstain.threshold if of.abstain else None

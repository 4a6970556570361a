"""Reads the card of the model that predicts; without TensorFlow, so that errors show at once."""

from __future__ import annotations

import pathlib

from thawline.components.saved_model import card
from thawline.components.shared.errors import ConfigError


def read_card(folder: pathlib.Path) -> card.Card:
    """The card of an exported model.

    Raises:
        ConfigError: it has none, or it cannot be read.
    """
    try:
        return card.read(folder)
    except FileNotFoundError as error:
        raise ConfigError(
            f'the model {folder} has no {card.FILE}: Thawline did not export it, or it was copied '
            'without its folder assets.extra'
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f'{folder / card.FILE} cannot be read: {error}') from error


def abstention_threshold(model: card.Card) -> float | None:
    """The score below which the model abstains; None where it never does."""
    return model.abstain.threshold if model.abstain else None

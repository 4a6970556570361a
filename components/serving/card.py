"""What a model is, beside its graph: readable without TensorFlow and without running it.

`assets.extra` is the folder of a SavedModel that its format keeps for such files: loaders pass it
by, and whoever copies the model (TFX Pusher) copies it along. The file is JSON:

    {"format": 1, "classes": ["defective", "functional"], "image_size": 128, "resize": "stretch",
     "decision": {"temperature": 1.08, "threshold": 0.31, "positive": "defective"}}

`positive` is null where the most probable class is answered; `threshold` is 0.5 then.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib

from components.serving.rule import Rule

FILE = pathlib.Path('assets.extra', 'thawline.json')
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class Card:
    """Names of the classes in the order of the outputs, the side in pixels, and how it answers."""

    classes: tuple[str, ...]
    image_size: int
    resize: str
    rule: Rule


def write(card: Card, model: pathlib.Path) -> None:
    """Writes the card into the folder of a SavedModel.

    Raises:
        ValueError: the rule does not fit the number of classes.
    """
    card.rule.check(len(card.classes))
    values = {
        'format': FORMAT,
        'classes': list(card.classes),
        'image_size': card.image_size,
        'resize': card.resize,
        'decision': {
            'temperature': card.rule.temperature,
            'threshold': card.rule.threshold,
            'positive': None if card.rule.is_argmax else card.classes[card.rule.positive],
        },
    }
    path = model / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(values, indent=1, ensure_ascii=False) + '\n', 'utf-8')


def read(model: pathlib.Path) -> Card:
    """Reads the card of a SavedModel.

    Raises:
        FileNotFoundError: the model has none.
        ValueError: it is of another format.
    """
    values = json.loads((model / FILE).read_text('utf-8'))
    if values.get('format') != FORMAT:
        raise ValueError(f'{model / FILE} has format {values.get("format")!r}; known: {FORMAT}')
    classes, decision = tuple(values['classes']), values['decision']
    positive = 0 if decision['positive'] is None else classes.index(decision['positive'])
    rule = Rule(decision['temperature'], decision['threshold'], positive)
    return Card(classes, values['image_size'], values['resize'], rule)

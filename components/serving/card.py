"""What a model is, beside its graph: readable without TensorFlow and without running it.

`assets.extra` is the folder of a SavedModel that its format keeps for such files: loaders pass it
by, and whoever copies the model (TFX Pusher) copies it along. The file is JSON:

    {"format": 1, "classes": ["defective", "functional"], "image_size": 128, "resize": "stretch",
     "decision": {"temperature": 1.08, "threshold": 0.31, "positive": "defective"},
     "frozen_base": {"weights_digest": "9f0c...", "features": "blocks"}}

`positive` is null where the most probable class is answered; `threshold` is 0.5 then. `frozen_base`
is null where the base was fine-tuned.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib

from components.serving.rule import Rule

FILE = pathlib.Path('assets.extra', 'thawline.json')
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class FrozenBase:
    """The pretrained base of a model whose head alone was fitted.

    Attributes:
        weights_digest: of its weights, as `backbones.Backbone` has it.
        features: what the head sees of it; see `components.backbones.features`.
    """

    weights_digest: str
    features: str


@dataclasses.dataclass(frozen=True)
class Card:
    """What a model is.

    Attributes:
        classes: names in the order of the outputs.
        image_size: side in pixels.
        resize: mode of `preprocessing.resize`.
        rule: how it answers.
        frozen_base: None where the base was fine-tuned.
    """

    classes: tuple[str, ...]
    image_size: int
    resize: str
    rule: Rule
    frozen_base: FrozenBase | None = None


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
        'frozen_base': card.frozen_base and dataclasses.asdict(card.frozen_base),
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
    base = values.get('frozen_base')
    frozen = FrozenBase(**base) if base else None
    return Card(classes, values['image_size'], values['resize'], rule, frozen)

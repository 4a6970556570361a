"""What a model is, beside its graph: readable without TensorFlow and without running it.

`assets.extra` is the folder of a SavedModel that its format keeps for such files: loaders pass it
by, and whoever copies the model (TFX Pusher) copies it along. The file is JSON:

    {"format": 1, "classes": ["defective", "functional"], "image_size": 128, "resize": "stretch",
     "decision": {"temperature": 1.08, "threshold": 0.31, "positive": "defective"},
     "frozen_base": {"weights_digest": "9f0c...", "features": "blocks", "image_size": 128, ...},
     "abstain": {"accuracy": 0.98, "threshold": 0.91, "coverage": 0.8, "reached": 0.99,
                 "lower": 0.981, "images": 395},
     "depth": {"bits": 12, "low": 0.0, "high": 1.0},
     "licence": "CC BY-NC-SA 4.0", "lineage": {"run": "...", "model_id": 12, ...}}

`positive` is null where the most probable class is answered; `threshold` is 0.5 then. `frozen_base`
is null where the base was fine-tuned, `abstain` where the model always answers; `depth` is how
samples of more than 8 bits are scaled. The Trainer writes the first lines, the Exporter adds
`abstain`, `licence` and `lineage` (`export/model_origin.py`).
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from collections.abc import Mapping
from typing import Any

import pydantic

from thawline.components.saved_model.decision_rule import Rule
from thawline.components.shared import feature_key, files
from thawline.components.shared.feature_key import FeatureKey
from thawline.components.shared.sample_depth import FULL_DEPTH, SampleDepth

FILE = pathlib.Path('assets.extra', 'thawline.json')
FORMAT = 1


@dataclasses.dataclass(frozen=True)
class AbstainThreshold:
    """From which score on answers are given; below it, a person has to look.

    Attributes:
        accuracy: what was asked for.
        threshold: least score of an answer that is given.
        coverage: share of the val images that are answered, measured.
        reached: accuracy of these answers, measured.
        lower: its lower bound, which is at least `accuracy`.
        images: how many were looked at.
    """

    accuracy: float
    threshold: float
    coverage: float
    reached: float
    lower: float
    images: int


@dataclasses.dataclass(frozen=True)
class EvaluatedAccuracy:
    """Share of correct answers with the ends of its 95 % interval; no share without images."""

    share: float | None
    lower: float
    upper: float
    images: int


@dataclasses.dataclass(frozen=True)
class ModelOrigin:
    """Where a model comes from.

    Attributes:
        run: that trained it.
        data: fingerprint of the source of images.
        model_id: in ML Metadata.
        base: name of the pretrained base, source and digest of its weights.
        accuracy: by split.
        blessed: whether the gate has blessed it.
    """

    run: str | None = None
    data: str | None = None
    model_id: int | None = None
    base: Mapping[str, str] = dataclasses.field(default_factory=dict)
    accuracy: Mapping[str, EvaluatedAccuracy] = dataclasses.field(default_factory=dict)
    blessed: bool | None = None


@dataclasses.dataclass(frozen=True)
class Card:
    """What a model is.

    Attributes:
        classes: names in the order of the outputs.
        image_size: side in pixels.
        resize: mode of `preprocessing.resize`.
        rule: how it answers.
        frozen_base: key of the features that the head sees; None where the base was fine-tuned,
            and in cards of older versions, which do not have all of it.
        abstain: None where the model always answers.
        licence: of the model, in words; None where nobody said one.
        lineage: where the model comes from; None before it was exported.
        depth: how samples of more than 8 bits are scaled.
    """

    classes: tuple[str, ...]
    image_size: int
    resize: str
    rule: Rule
    frozen_base: FeatureKey | None = None
    abstain: AbstainThreshold | None = None
    licence: str | None = None
    lineage: ModelOrigin | None = None
    depth: SampleDepth = FULL_DEPTH


def values(card: Card) -> dict[str, Any]:
    """The card as JSON values.

    Raises:
        ValueError: the rule does not fit the number of classes.
    """
    card.rule.check(len(card.classes))
    return {
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
        'abstain': card.abstain and dataclasses.asdict(card.abstain),
        'depth': dataclasses.asdict(card.depth),
        'licence': card.licence,
        'lineage': dataclasses.asdict(card.lineage) if card.lineage else {},
    }


def write(card: Card, model: pathlib.Path) -> None:
    """Writes the card into the folder of a SavedModel.

    Raises:
        ValueError: the rule does not fit the number of classes.
    """
    path = model / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacement(path) as draft:  # the file may be a hard link to that of another copy
        draft.write_text(json.dumps(values(card), indent=1, ensure_ascii=False) + '\n', 'utf-8')


def read(model: pathlib.Path) -> Card:
    """Reads the card of a SavedModel.

    Raises:
        FileNotFoundError: the model has none.
        ValueError: it is of another format.
    """
    values_read = json.loads((model / FILE).read_text('utf-8'))
    if values_read.get('format') != FORMAT:
        raise ValueError(
            f'{model / FILE} has format {values_read.get("format")!r}; known: {FORMAT}'
        )
    classes, decision = tuple(values_read['classes']), values_read['decision']
    positive = 0 if decision['positive'] is None else classes.index(decision['positive'])
    rule = Rule(decision['temperature'], decision['threshold'], positive)
    abstain, lineage = values_read.get('abstain'), values_read.get('lineage')
    return Card(
        classes,
        values_read['image_size'],
        values_read['resize'],
        rule,
        feature_key.from_json(values_read.get('frozen_base')),
        AbstainThreshold(**abstain) if abstain else None,
        values_read.get('licence'),
        pydantic.TypeAdapter(ModelOrigin).validate_python(lineage) if lineage else None,
        SampleDepth(**values_read.get('depth', {})),
    )

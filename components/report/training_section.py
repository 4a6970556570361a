"""How the model was trained and judged, for the section of the training."""

from __future__ import annotations

from thawline.components.report import formatting, tables
from thawline.components.report.content import LearningCurves
from thawline.components.report.tables import Column, Table


def learned_from(training: LearningCurves) -> str:
    """The images that `probe_train` is measured on, in words."""
    return 'the images that it learned from' if training.folds else 'train'


def selected_on(training: LearningCurves) -> str:
    """The images that `probe_val` and `kept_val` are measured on, in words."""
    return 'the folds that selected it' if training.folds else 'val'


def how_judged(training: LearningCurves) -> str:
    """How the folds took turns, in sentences; empty with a plain split."""
    if not training.folds:
        return ''
    others = len(training.folds) - 2
    text = (
        'Every fold is judged by a model that learned from '
        f'{"another one" if others == 1 else f"{others:,} others"} and was selected on the '
        'remaining one.'
    )
    if training.epochs:
        text += (
            ' The curves are means over these models: train is what each learned from, val the '
            'fold that selected it.'
        )
    if training.refitted:
        text += f' What was selected was then fitted to all {training.refitted:,} images.'
    return text


def folds(training: LearningCurves) -> Table:
    """The turns of cross-validation: what each fold's model learned from, and its two scores."""
    return Table(
        'Folds',
        (
            Column('Fold', 'text'),
            Column('Held out'),
            Column('Images'),
            Column('Trained on'),
            Column('Selected on'),
            Column('Accuracy there'),
        ),
        tables.text_rows(
            (
                str(turn.fold),
                formatting.percent(turn.judged.accuracy),
                f'{turn.judged.n:,}',
                f'{turn.images.get("train", 0):,}',
                f'{turn.chosen.n:,}',
                formatting.percent(turn.chosen.accuracy),
            )
            for turn in training.folds
        ),
    )

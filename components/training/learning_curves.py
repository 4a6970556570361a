"""Learning curves, as a picture for the run's record and as a sparkline for the terminal."""

from __future__ import annotations

import io
from collections.abc import Sequence

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from thawline.components.shared import percentages
from thawline.components.training.record import EpochRecord, TrainingRecord

_TRAIN, _VAL, _KEPT = '#8a8f98', '#1f6feb', '#1a7f37'
_BARS = '▁▂▃▄▅▆▇█'


def sparkline(values: Sequence[float]) -> str:
    """One bar a value, from the lowest to the highest; nothing for fewer than two values."""
    if len(values) < 2:
        return ''
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    return ''.join(_BARS[round((value - low) / span * (len(_BARS) - 1))] for value in values)


def draw(record: TrainingRecord) -> bytes:
    """The curves of a training: accuracy, loss and learning rate against epochs, as SVG.

    Epoch 0 is the head on the frozen base; marks show the thaw, and what was kept.
    """
    # The same figure for the same record: no date, no random ids. Text stays text.
    with matplotlib.rc_context(
        {'svg.hashsalt': 'thawline', 'svg.fonttype': 'none', 'font.size': 10}
    ):
        figure = Figure(figsize=(9, 4), layout='constrained')
        accuracy, loss = figure.subplots(1, 2)
        _plot_accuracy(accuracy, record)
        _plot_loss(loss, record)
        for axes in (accuracy, loss):
            axes.set_xlabel('epoch')
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
            axes.grid(alpha=0.25)
            axes.spines[['top', 'right']].set_visible(False)
        out = io.BytesIO()
        figure.savefig(out, format='svg', metadata={'Date': None})
    return out.getvalue()


def _mark_thaw(axes: Axes, history: Sequence[EpochRecord]) -> None:
    """Draws a line where the blocks thaw, and wherever more of them do."""
    before = 0
    for epoch in history:
        if epoch.blocks != before:
            before = epoch.blocks
            axes.axvline(epoch.epoch - 0.5, color='#bf8700', linestyle=':', linewidth=1.2)
            axes.annotate(
                f'thaw: {before} blocks',
                (epoch.epoch - 0.5, 0.02),
                xycoords=('data', 'axes fraction'),
                rotation=90,
                fontsize=8,
                color='#7d4e00',
                ha='right',
                va='bottom',
            )


def _plot_accuracy(axes: Axes, record: TrainingRecord) -> None:
    probe, history = record.probe, record.epochs
    epochs = [0, *(epoch.epoch for epoch in history)]
    train = [probe.train.accuracy, *(epoch.train_accuracy for epoch in history)]
    val = [probe.val.accuracy, *(epoch.val_accuracy for epoch in history)]
    axes.plot(epochs, train, 'o-', color=_TRAIN, markersize=3, label='train (augmented)')
    axes.plot(epochs, val, 'o-', color=_VAL, markersize=4, label='val')
    frozen = probe.val.accuracy
    axes.axhline(frozen, color=_VAL, linestyle='--', linewidth=1, alpha=0.6)
    axes.annotate(
        f'frozen base {percentages.percent(frozen)}', (0.99, frozen),
        xycoords=('axes fraction', 'data'),
        xytext=(0, 2), textcoords='offset points', ha='right', va='bottom', fontsize=8, color=_VAL,
        bbox={'facecolor': 'white', 'edgecolor': 'none', 'alpha': 0.7, 'pad': 0.5},
    )  # fmt: skip
    best = record.fine_tune.best_epoch if record.fine_tune and record.kept != 'probe' else 0
    kept = f'kept: {record.kept_name}, {percentages.percent(record.val.accuracy)}'
    axes.plot([best], [record.val.accuracy], '*', color=_KEPT, markersize=14, zorder=3, label=kept)
    _mark_thaw(axes, history)
    axes.set_ylabel('accuracy')
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, symbol=' %'))
    axes.legend(fontsize=8, loc='lower right')


def _plot_loss(axes: Axes, record: TrainingRecord) -> None:
    probe, history = record.probe, record.epochs
    epochs = [0, *(epoch.epoch for epoch in history)]
    axes.plot(
        epochs[1:], [epoch.train_loss for epoch in history], 'o-',
        color=_TRAIN, markersize=3, label='train (smoothed, augmented)',
    )  # fmt: skip
    axes.plot(
        epochs, [probe.val.log_loss, *(epoch.val_loss for epoch in history)], 'o-',
        color=_VAL, markersize=4, label='val',
    )  # fmt: skip
    _mark_thaw(axes, history)
    axes.set_ylabel('log loss (nats)')
    axes.legend(fontsize=8, loc='upper right')
    if history:
        rates = axes.twinx()
        rates.fill_between(
            epochs[1:], [epoch.rate for epoch in history], alpha=0.12, color='#bf8700'
        )
        rates.set_ylabel('peak learning rate', color='#7d4e00')
        rates.set_ylim(bottom=0)
        rates.spines[['top']].set_visible(False)

"""How a run ended: in words, and as the message of a chat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thawline.components.ingestion.summary import sizes_text
from thawline.components.shared import percentages
from thawline.pipeline.config.notifications import Format
from thawline.pipeline.notifications.body import Details, Notification, RunAccuracy

_HEADS = {
    'blessed': 'BLESSED and pushed',
    'refused': 'NOT BLESSED, nothing was pushed',
    'finished': 'finished, no model to push',
    'stopped_by_data': 'STOPPED by the data',
    'bad_configuration': 'bad configuration, the run did not start',
    'failed': 'FAILED',
    'interrupted': 'interrupted',
    'test': 'test notification, no run has ended',
}
# Characters of a message. Slack splits longer ones; Teams takes 28 kB in UTF-16
# (https://learn.microsoft.com/microsoftteams).
_DISCORD_MOST, _SLACK_MOST, _TEAMS_MOST = 2000, 4000, 8000


def lines(details: Details) -> list[str]:
    """The most important first."""
    verdict = details.verdict
    out = [f'{details.project}: {_head(details)}']
    if details.error is not None:
        out[0] += f' in {details.error.node}' if details.error.node else ''
        out.append(details.error.message)
    if verdict is not None:
        accuracies = [
            f'{split} accuracy {_interval(accuracy)}'
            for split, accuracy in (('val', verdict.val), ('test', verdict.test))
            if accuracy is not None
        ]
        out.append(', '.join([*accuracies, f'gate {percentages.percent(verdict.threshold)}']))
        out += verdict.refusals
        if verdict.baseline and verdict.baseline not in ' '.join(verdict.refusals):
            out.append(verdict.baseline)
    if details.data is not None:
        data = details.data
        sizes = sizes_text(data.splits, data.folds)
        out.append(f'{data.images:,} images, {data.quarantined:,} quarantined; {sizes}')
    out += [
        f'{name} {value}'
        for name, value in (
            ('model', details.model.path if details.model else None),
            ('report', details.report),
            ('log', details.log if details.error else None),
        )
        if value
    ]
    return out if details.event == 'test' else [*out, f'run {details.run}']


def _head(details: Details) -> str:
    verdict, model = details.verdict, details.model
    if details.event == 'blessed' and model is not None:
        how = ', already in staging' if model.already_there else ' and pushed'
        return f'BLESSED{how} as version {model.version}'
    if details.event == 'refused' and verdict is not None and verdict.blessed:
        return 'BLESSED, but refused by the serving check: nothing was pushed'
    return _HEADS[details.event]


def _interval(value: RunAccuracy) -> str:
    interval = percentages.between(value.lower, value.upper)
    return f'{percentages.percent(value.accuracy)} ({interval})'


def message(notification: Notification, form: Format) -> Mapping[str, Any]:
    """The body of a webhook in one of the formats, as values of JSON."""
    text = notification.data.text
    if form == 'slack':
        return {'text': _slack(text)}
    if form == 'discord':
        # An error's text must not mention anybody.
        return {'content': _cut(text, _DISCORD_MOST), 'allowed_mentions': {'parse': []}}
    if form == 'teams':
        return _card(_cut(text, _TEAMS_MOST))
    return notification.model_dump()


def _cut(text: str, most: int) -> str:
    """At most so many UTF-16 units, as chats count."""
    units = text.encode('utf-16-le')
    if len(units) <= 2 * most:
        return text
    return units[: 2 * (most - 1)].decode('utf-16-le', 'ignore') + '…'


def _slack(text: str) -> str:
    """Escaped as https://docs.slack.dev/messaging/formatting-message-text asks."""
    for sign, written in (('&', '&amp;'), ('<', '&lt;'), ('>', '&gt;')):
        text = text.replace(sign, written)
    if len(text) <= _SLACK_MOST:
        return text
    start = text[: _SLACK_MOST - 1]
    head, sign, tail = start.rpartition('&')
    is_cut_inside_escape = sign and ';' not in tail and len(tail) < 4
    return (head if is_cut_inside_escape else start) + '…'


def _card(text: str) -> Mapping[str, Any]:
    """An adaptive card, the only format that workflows of Teams accept."""
    blocks = [
        {
            'type': 'TextBlock',
            'text': line,
            'wrap': True,
            **({'weight': 'Bolder'} if number == 0 else {'spacing': 'Small'}),
        }
        for number, line in enumerate(text.splitlines())
    ]
    card = {
        '$schema': 'http://adaptivecards.io/schemas/adaptive-card.json',
        'type': 'AdaptiveCard',
        'version': '1.4',
        'body': blocks,
    }
    attachment = {'contentType': 'application/vnd.microsoft.card.adaptive', 'content': card}
    return {'type': 'message', 'attachments': [attachment]}

"""A model against the one that is served, on the images that both were evaluated on."""

from __future__ import annotations

from thawline.components.evaluation import predictions
from thawline.components.report import formatting
from thawline.components.shared.errors import UserError
from thawline.pipeline.registry.models import Model
from thawline.pipeline.reports import comparison, comparison_wording
from thawline.pipeline.reports.comparison import Comparison, Side


def lines(served: Model, candidate: Model, project: str) -> list[str]:
    """What the comparison comes to, with A the served model and B the candidate.

    Where the two cannot be compared, one line says why.
    """
    try:
        told = comparison.compare(_side(served, project), _side(candidate, project))
    except (UserError, OSError) as error:
        return [f'cannot be compared with model {served.id}: {error}']
    return [f'A is model {served.id}, B is model {candidate.id}', *_words(told)]


def _words(told: Comparison) -> list[str]:
    found = [comparison_wording.headline(told.together)]
    if comparison_wording.better(told.together) == 'A':
        found.append('B is significantly WORSE than what it replaces')
    for title, part in comparison_wording.accuracies(told):
        found.append(
            f'{title:<10}  A {formatting.percent(part.first.share)}  '
            f'B {formatting.percent(part.second.share)}  '
            f'{comparison_wording.difference(part.difference)}, 95 % interval '
            f'{comparison_wording.ends(part.difference)} ({comparison_wording.p_value(part)})'
        )
    return found


def _side(model: Model, project: str) -> Side:
    if model.evaluation is None:
        raise UserError(f'model {model.id} was never evaluated')
    found = predictions.read(model.evaluation.uri)
    verdict = {'blessed': bool(model.blessed), 'headline': ''}
    summary = {'project': project, 'verdict': verdict, 'facts': {}}
    return Side(model.run, found, summary)

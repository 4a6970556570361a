"""`thawline promote`: puts a model into a stage, after a look at what it replaces."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import click

from thawline.components.shared.errors import UserError
from thawline.pipeline.commands import registry_console
from thawline.pipeline.commands.arguments import project_argument, yes_option
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    import ml_metadata as mlmd

    from thawline.pipeline.config.project import Project
    from thawline.pipeline.registry.models import Model
    from thawline.pipeline.registry.registry import Registry
    from thawline.pipeline.reports.compared_run import ComparedRun


@click.command()
@click.argument('model', metavar='MODEL')
@project_argument
@click.option(
    '--to',
    'stage',
    default='production',
    show_default=True,
    type=click.Choice(['staging', 'production']),
)
@click.option('--reason', default='', metavar='TEXT', help='Why; recorded with the promotion.')
@click.option('--force', is_flag=True, help='Allow a model that is not blessed; needs --reason.')
@yes_option
def command(model: str, project: Project, stage: str, reason: str, force: bool, yes: bool) -> None:
    """Promote a blessed model to production as its next version.

    MODEL is an id from `thawline models`, a run id or the start of one, `staging`, `last`, or a
    model's folder. You see how it compares with the model in production before you confirm. Clients
    never see half a version.
    """
    from thawline.components.shared.model_fingerprint import LocalFiles
    from thawline.pipeline.registry import (
        access,
        integrity,
        ledger,
        lookup,
        promotion,
        promotion_checks,
    )

    console, registry = registry_console.open_registry(project)
    show = functools.partial(say, console)
    candidate = lookup.find_model(registry, model)
    promotion_checks.check_promotion(registry, candidate, stage, force, reason)
    before = registry.current(stage)
    for line in _candidate_lines(registry, candidate, stage):
        show(line)
    question = f'promote model {candidate.id} to {stage}?'
    if not registry_console.confirm(console, question, yes):
        sys.exit(registry_console.DECLINED)
    # Time may have passed at the prompt: everything is checked again.
    with access.open_to_change(project, f'promote {model}', show) as registry:
        again = registry.model(candidate.id)
        assert again is not None, 'metadata is never deleted'
        forced = promotion_checks.check_promotion(registry, again, stage, force, reason)
        assert again.folder is not None, 'admitted'
        plan = promotion.DeploymentPlan(
            action=ledger.PROMOTE,
            stage=stage,
            model=again.id,
            source=LocalFiles(again.folder),
            replaces=before,
            reason=reason.strip(),
            forced=forced,
            recorded=integrity.of_served_form(again),
        )
        with registry_console.progress(console) as tell:
            move = promotion.deploy(registry, plan, tell)
    registry_console.print_move(console, move)


def _candidate_lines(registry: Registry, candidate: Model, stage: str) -> list[str]:
    """The candidate, beside the model that it would replace."""
    from thawline.pipeline.metadata import runs
    from thawline.pipeline.registry import integrity, promotion_checks

    lines = [f'model {candidate.id} of run {candidate.run}']
    for split in ('val', 'test'):
        accuracy = candidate.evaluation and runs.accuracy(candidate.evaluation, split)
        if accuracy:
            lines.append(f'  {split} accuracy  {accuracy}')
    for objection in promotion_checks.objections(candidate):
        lines.append(f'  overridden: {objection.sentence}')
    if integrity.of_served_form(candidate) is None:
        lines.append('  note: no record of its files: whether they have changed cannot be checked')
    current = registry.current(stage)
    served = registry.model(current.model) if current else None
    if current is None or served is None:
        return [*lines, f'  no model has been promoted to {stage} yet']
    lines.append(
        f'{stage} serves model {served.id} of run {served.run}, version {current.version}, since '
        f'{current.when:%Y-%m-%d %H:%M}'
    )
    change = promotion_checks.class_change(registry, candidate, stage)
    for what, names in (('adds', change.added), ('no longer knows', change.removed)):
        if names:
            lines.append(f'  CLASSES: model {candidate.id} {what} {", ".join(map(repr, names))}')
    if served.id != candidate.id:
        lines += [f'  {line}' for line in _comparison_lines(registry, served, candidate)]
    return lines


def _comparison_lines(registry: Registry, *models: Model) -> list[str]:
    """A, the served model, against B as `thawline compare` has it, or why not."""
    # SciPy, behind both, takes a second to import.
    from thawline.components.statistics.paired_outcome import PairedOutcome
    from thawline.pipeline.reports import comparison, comparison_summary

    try:
        runs = (_compared_run(registry.store, model, registry.pipeline) for model in models)
        result = comparison.compare(*runs)
    except (UserError, OSError) as error:
        return [f'cannot be compared with model {models[0].id}: {error}']
    lines = [f'A is model {models[0].id}, B is model {models[1].id}']
    lines.append(comparison_summary.headline(result))
    if result.unseen and result.unseen.test.outcome is PairedOutcome.WORSE:
        lines.append('B is WORSE than the model it replaces')
    return lines + comparison_summary.accuracy_lines(result)


def _compared_run(store: mlmd.MetadataStore, model: Model, project: str) -> ComparedRun:
    from thawline.components.evaluation.gate.record import Verdict
    from thawline.pipeline.reports import compared_run

    if model.evaluation is None:
        raise UserError(f'model {model.id} was never evaluated')
    verdict = Verdict.read(model.evaluation.uri)
    return compared_run.read(store, model.run, model.evaluation, project, verdict)

"""`thawline promote`: puts a model into a stage, after a look at what it replaces."""

from __future__ import annotations

from thawline.pipeline.commands import registry_console
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import access, ledger, lookup, promotion, promotion_checks
from thawline.pipeline.registry.model_files import Folder
from thawline.pipeline.registry.models import Model
from thawline.pipeline.registry.promotion import Plan
from thawline.pipeline.registry.registry import Registry


def execute(project: Project, wanted: str, stage: str, reason: str, force: bool, yes: bool) -> int:
    """Promotes a model.

    Args:
        project: whose model it is.
        wanted: as `naming.find` takes it.
        stage: one of `ledger.STAGES`.
        reason: why, in words.
        force: whether to override what speaks against it.
        yes: whether to go ahead without a question.

    Returns:
        The exit code: 0, or `showing.DECLINED`.

    Raises:
        ConfigError: there is no such model, it may not be served, another command is at work, or
            something else is served by now.
    """
    console = registry_console.console()

    def say(line: str) -> None:
        registry_console.say(console, line)

    registry = access.to_look(project, say)
    model = lookup.find(registry, wanted)
    promotion_checks.admit(registry, model, stage, force, reason)
    before = registry.current(stage)
    for line in _told(registry, model, stage, project.name):
        say(line)
    if not registry_console.agreed(console, f'put model {model.id} into {stage}?', yes):
        return registry_console.DECLINED
    # The question may have been answered long after: everything is looked at again.
    with access.to_change(project, f'promote {wanted}', say) as registry:
        found = registry.model(model.id)
        assert found is not None, 'the metadata forget nothing'
        forced = promotion_checks.admit(registry, found, stage, force, reason)
        assert found.folder is not None, 'admitted'
        plan = Plan(
            action=ledger.PROMOTE,
            stage=stage,
            model=found.id,
            source=Folder(found.folder),
            replaces=before,
            reason=reason.strip(),
            forced=forced,
        )
        with registry_console.progress(console) as tell:
            move = promotion.serve(registry, plan, tell)
    registry_console.served(console, move)
    return 0


def _told(registry: Registry, model: Model, stage: str, project: str) -> list[str]:
    """What is to be served, against what is."""
    # Both with SciPy behind them, which takes a second to import.
    from thawline.pipeline.metadata import runs
    from thawline.pipeline.registry import comparing

    lines = [f'model {model.id} of run {model.run}']
    for split in ('val', 'test'):
        reached = model.evaluation and runs.accuracy(model.evaluation, split)
        if reached:
            lines.append(f'  {split} accuracy  {reached}')
    for objection in promotion_checks.objections(model):
        lines.append(f'  overridden: {objection.sentence}')
    current = registry.current(stage)
    served = registry.model(current.model) if current else None
    if current is None or served is None:
        return [*lines, f'  nothing was promoted to {stage} before']
    lines.append(
        f'in {stage} is model {served.id} of run {served.run}, version {current.version}, since '
        f'{current.when:%Y-%m-%d %H:%M}'
    )
    if served.id == model.id:
        return lines
    return [*lines, *(f'  {line}' for line in comparing.lines(served, model, project))]

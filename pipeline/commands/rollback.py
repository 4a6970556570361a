"""`thawline rollback`: serves again what was in production before."""

from __future__ import annotations

from thawline.pipeline.commands import registry_console
from thawline.pipeline.config.project import Project
from thawline.pipeline.registry import access, ledger, promotion
from thawline.pipeline.registry.ledger import PRODUCTION
from thawline.pipeline.registry.promotion import Plan


def execute(project: Project, reason: str, yes: bool) -> int:
    """Goes back one step.

    Args:
        project: whose production it is.
        reason: why, in words.
        yes: whether to go ahead without a question.

    Returns:
        The exit code: 0, or `showing.DECLINED`.

    Raises:
        ConfigError: there is nothing to go back to, its files are gone, another command is at work,
            or something else is served by now.
    """
    console = registry_console.console()

    def say(line: str) -> None:
        registry_console.say(console, line)

    registry = access.to_look(project, say)
    leaving, restored = promotion.restoration(registry)
    before = registry.current(PRODUCTION)
    say(f'out of production: model {leaving.model}, promoted {leaving.when:%Y-%m-%d %H:%M}')
    forced = f' (forced: {restored.forced})' if restored.forced else ''
    say(f'back into it:      model {restored.model}, version {restored.version} then{forced}')
    if not registry_console.agreed(console, f'serve model {restored.model} again?', yes):
        return registry_console.DECLINED
    with access.to_change(project, 'rollback', say) as registry:
        plan = Plan(
            action=ledger.ROLLBACK,
            stage=PRODUCTION,
            model=restored.model,
            source=promotion.files_of(registry, restored),
            replaces=before,
            reason=reason.strip(),
            forced=restored.forced,
            restores=restored.id,
            digest=restored.digest,
        )
        with registry_console.progress(console) as tell:
            move = promotion.serve(registry, plan, tell)
    registry_console.served(console, move)
    return 0

"""`thawline rollback`: serves again what was in production before."""

from __future__ import annotations

from pipeline.config import Config
from pipeline.paths import Project
from pipeline.registry import ledger, opened, serving, showing
from pipeline.registry.ledger import PRODUCTION
from pipeline.registry.serving import Plan


def execute(config: Config, project: Project, reason: str, yes: bool) -> int:
    """Goes back one step.

    Args:
        config, project: whose production it is.
        reason: why, in words.
        yes: whether to go ahead without a question.

    Returns:
        The exit code: 0, or `showing.DECLINED`.

    Raises:
        ConfigError: there is nothing to go back to, its files are gone, another command is at work,
            or something else is served by now.
    """
    console = showing.console()

    def say(line: str) -> None:
        showing.say(console, line)

    registry = opened.to_look(config, project, say)
    leaving, restored = serving.restoration(registry)
    before = registry.current(PRODUCTION)
    say(f'out of production: model {leaving.model}, promoted {leaving.when:%Y-%m-%d %H:%M}')
    forced = f' (forced: {restored.forced})' if restored.forced else ''
    say(f'back into it:      model {restored.model}, version {restored.version} then{forced}')
    if not showing.agreed(console, f'serve model {restored.model} again?', yes):
        return showing.DECLINED
    with opened.to_change(config, project, 'rollback', say) as registry:
        plan = Plan(
            action=ledger.ROLLBACK,
            stage=PRODUCTION,
            model=restored.model,
            source=serving.files_of(registry, restored),
            replaces=before,
            reason=reason.strip(),
            forced=restored.forced,
            restores=restored.id,
            digest=restored.digest,
        )
        with showing.progress(console) as tell:
            move = serving.serve(registry, plan, tell)
    showing.served(console, move)
    return 0

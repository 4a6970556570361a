"""`thawline rollback`: serves again what was in production before."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

import click

from thawline.pipeline.commands import registry_console
from thawline.pipeline.commands.arguments import project_argument, yes_option
from thawline.pipeline.terminal.console import say

if TYPE_CHECKING:
    from thawline.pipeline.config.project import Project


@click.command()
@project_argument
@click.option('--reason', default='', metavar='TEXT', help='Why; recorded with the rollback.')
@yes_option
def command(project: Project, reason: str, yes: bool) -> None:
    """Return production to the previous model.

    Another rollback goes back one model further.
    """
    from thawline.pipeline.registry import access, integrity, ledger, promotion

    console, registry = registry_console.open_registry(project)
    show = functools.partial(say, console)
    leaving, restored = promotion.rollback_target(registry)
    before = registry.current(ledger.PRODUCTION)
    forced = f' (forced: {restored.forced})' if restored.forced else ''
    show(f'leaves production:   model {leaving.model}, promoted {leaving.when:%Y-%m-%d %H:%M}')
    show(f'returns to it:       model {restored.model}, then version {restored.version}{forced}')
    if not registry_console.confirm(console, f'serve model {restored.model} again?', yes):
        sys.exit(registry_console.DECLINED)
    with access.open_to_change(project, 'rollback', show) as registry:
        plan = promotion.DeploymentPlan(
            action=ledger.ROLLBACK,
            stage=ledger.PRODUCTION,
            model=restored.model,
            source=promotion.find_files(registry, restored),
            replaces=before,
            reason=reason.strip(),
            forced=restored.forced,
            restores=restored.id,
            recorded=integrity.of_deployment(registry, restored),
        )
        with registry_console.progress(console) as tell:
            move = promotion.deploy(registry, plan, tell)
    registry_console.print_move(console, move)

"""The command `thawline`: a group that imports a command's module only when that command is used.

The command NAME is the object `command` in `commands/NAME.py`, with `_` for `-`.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

import thawline
from thawline.components.shared.errors import UserError
from thawline.pipeline.system import signals
from thawline.pipeline.terminal import encoding

_HELP = """Turn a small folder of labelled images into a model you can deploy.

CONFIG is a project file; the default is ./thawline.yaml or, without one, the preset solar_cells.

\b
Exit codes of `run`:
  0    blessed; staging serves the model
  1    crashed
  2    bad configuration, or a file, model or node does not exist
  3    finished, but not blessed
  4    stopped by data
  6    another run of this project is in progress; try again later
  7    a server or disk is unavailable; try again later
  130  interrupted
"""

# In the order in which a project needs them.
SECTIONS = {
    'Train a model': {
        'init': 'Write a commented thawline.yaml for your own images.',
        'plan': 'Tell how likely a model passes the gate, before you label or train.',
        'doctor': 'Check the environment and show how to fix what is wrong.',
        'schema': 'Write and review the schema that runs check the data against.',
        'bases': 'Rank pretrained backbones on your images by accuracy and cost.',
        'labels': 'Correct labels with a labelling tool or a spreadsheet.',
        'tune': 'Search for better training settings.',
        'run': 'Run the pipeline, from images to a blessed model.',
    },
    'Evaluate it': {
        'runs': 'List past runs and how they ended.',
        'review': 'Open the report of a run in the browser.',
        'report': 'Print the report of a run as Markdown, HTML or JSON.',
        'compare': 'Compare run B with run A, judged as the gate does.',
    },
    'Release it': {
        'models': 'List models with their data, accuracy and stage.',
        'explain': 'Show where a model came from, from its images to production.',
        'verify': 'Check that the files of models are as they were judged and deployed.',
        'promote': 'Promote a blessed model to production as its next version.',
        'rollback': 'Return production to the previous model.',
        'history': 'List promotions, rollbacks and prunes: when, what, who and why.',
        'prune': 'Delete old versions; the newest `serving.keep` of each stage stay.',
    },
    'Use it': {
        'serve': 'Serve the production model over HTTP, with a page to try it out.',
        'predict': 'Predict many images and write the results to a table.',
        'drift': 'Compare new images with those that a model learned from.',
    },
    'Schedule it': {
        'compile': 'Compile the pipeline to a file for schedulers.',
        'run-node': 'Run one or more nodes of a compiled pipeline.',
        'schedule': 'Export the pipeline to Airflow, Kubeflow or Vertex AI.',
        'notify': 'List or test the notifications that are sent when a run ends.',
        'metadata': 'Check or migrate the database that records runs.',
    },
    'Scale it': {
        'workers': 'Serve Beam workers to a Flink or Spark worker on this machine.',
    },
}


class _Group(click.Group):
    def list_commands(self, context: click.Context) -> list[str]:
        return [name for lines in SECTIONS.values() for name in lines]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in self.list_commands(context):
            return None
        module = f'thawline.pipeline.commands.{name.replace("-", "_")}'
        command: click.Command = importlib.import_module(module).command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        for title, lines in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl(list(lines.items()))

    def main(self, *arguments: Any, standalone_mode: bool = True, **options: Any) -> Any:
        """As click's, which would print its own errors as UTF-8 where that cannot be read."""
        encoding.make_readable()
        signals.hide_lost_interrupts()
        try:
            options['standalone_mode'] = False
            result = super().main(*arguments, **options)
        except click.ClickException as error:
            if not standalone_mode:
                raise
            error.show(sys.stderr)
            sys.exit(error.exit_code)
        except click.Abort:
            if not standalone_mode:
                raise
            from thawline.pipeline.terminal import exit_codes

            exit_codes.abort()
        if not standalone_mode:
            return result
        sys.exit(result if isinstance(result, int) else 0)

    def invoke(self, context: click.Context) -> object:
        """Shows an error that the user can fix as one message, without a traceback."""
        try:
            return super().invoke(context)
        except UserError as error:
            from thawline.pipeline.terminal import exit_codes

            exit_codes.fail(error)


@click.group(cls=_Group, help=_HELP, context_settings={'help_option_names': ['-h', '--help']})
@click.version_option(thawline.__version__, prog_name='thawline')
def main() -> None:
    # ML Metadata would log each connection to a database.
    os.environ.setdefault('GLOG_minloglevel', '2')

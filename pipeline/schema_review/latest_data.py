"""What the latest run knows of the images as they are now: statistics, examples, quarantine."""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import TYPE_CHECKING

from thawline.components.ingestion.summary import IngestionSummary
from thawline.components.shared import node_names
from thawline.components.shared.errors import ConfigError, NotFound
from thawline.pipeline.config.project import Project
from thawline.pipeline.metadata import ingestions, runs
from thawline.pipeline.metadata.runs import Output, Run
from thawline.pipeline.metadata.stores import opening

if TYPE_CHECKING:
    from thawline.components.data_gate.split_statistics import Statistics

_STATISTICS = 'thawline run --to StatisticsGen'


@dataclasses.dataclass(frozen=True)
class LatestData:
    """The outputs of one run about its images."""

    run: Run
    examples: Output
    statistics: Output

    def read_statistics(self) -> dict[str, Statistics]:
        """TFDV's statistics of each split; needs TensorFlow."""
        import tensorflow_data_validation as tfdv

        return {
            split: tfdv.load_stats_binary(
                str(pathlib.Path(self.statistics.uri, f'Split-{split}', 'FeatureStats.pb'))
            )
            for split in json.loads(self.statistics.properties['split_names'])
        }

    @property
    def quarantine(self) -> Output | None:
        """What was listed but not used."""
        return self.run.output(node_names.IMAGE_EXAMPLE_GEN, 'quarantine')

    def summary(self) -> IngestionSummary | None:
        """The numbers of the ingestion."""
        output = self.quarantine
        return IngestionSummary.of_properties(output.properties, output.uri) if output else None


def find(project: Project) -> LatestData:
    """Of the latest run that has statistics of the images as they are now.

    Raises:
        NotFound: no run has any.
        ConfigError: images, settings or code have changed since.
        DataError: the images cannot be listed.
    """
    store = opening.find_store(project)
    with_statistics = [
        LatestData(run, examples, statistics)
        for run in reversed(runs.read_runs(store, project.name) if store else ())
        if (examples := run.output(node_names.IMAGE_EXAMPLE_GEN, 'examples'))
        and (statistics := run.output(node_names.STATISTICS_GEN, 'statistics'))
        and pathlib.Path(statistics.uri).is_dir()
    ]
    follow_up = project.command_line(_STATISTICS)
    if store is None or not with_statistics:
        raise NotFound(f'no run in {project.output} has statistics yet; run: {follow_up}')
    expected = ingestions.expected_properties(project)
    for data in with_statistics:
        if ingestions.has_properties(store, data.examples, expected):
            return data
    raise ConfigError(
        f'the images, or the settings or code that read them, have changed since run '
        f'{with_statistics[0].run.id}; run: {follow_up}'
    )

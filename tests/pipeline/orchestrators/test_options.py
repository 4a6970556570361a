"""Options at the prompt before the settings of the configuration."""

from __future__ import annotations

import pytest

from thawline.components.shared.errors import ConfigError
from thawline.pipeline.config.config import Config
from thawline.pipeline.orchestrators import options


def test_options_take_the_place_of_the_configuration():
    config = Config.model_validate(
        {
            'name': 'stones',
            'data': {'source': 'images'},
            'airflow': {'schedule': '@daily', 'retries': 3, 'start_date': '2026-01-31'},
        }
    )
    settings = options.override(config.airflow, {'schedule': 'none', 'retries': '0', 'pool': None})
    assert (settings.schedule, settings.retries, settings.start_date) == (None, 0, '2026-01-31')


@pytest.mark.parametrize(
    ('values', 'message'),
    [
        ({'retries': 'many'}, "retries: received 'many', expected a whole number"),
        ({'timeout': '5'}, 'timeout: must be a time above 0 with its unit'),
        ({'start_date': 'soon'}, 'start_date: must be a date such as 2026-01-31'),
        ({'url': 'file:///x'}, "url: received 'file:///x'"),
        ({'pool': 'big ones'}, "pool: received 'big ones'"),
        ({'max_active_runs': '0'}, "max_active_runs: received '0'"),
    ],
)
def test_an_option_that_cannot_be_used_is_said(values, message):
    config = Config.model_validate({'name': 'stones', 'data': {'source': 'images'}})
    with pytest.raises(ConfigError, match=message):
        options.override(config.airflow, values)

"""Settings of the recipe that exclude each other, and the errors they get."""

from __future__ import annotations

from typing import Any

import pydantic
import pytest

from thawline.components.training import params


@pytest.mark.parametrize(
    ('chosen', 'message'),
    [
        ({'blocks': 'all'}, 'blocks all freezes none'),
        ({'blocks': 4, 'mix': 'mixup'}, 'mix mixup blends images; set mix to none'),
        ({'blocks': 4, 'mix': 'cutmix'}, 'mix cutmix blends images; set mix to none'),
        ({'blocks': 4, 'start_resolution': 0.6}, 'start_resolution is 0.6.*set both to 1'),
        ({'blocks': 4, 'end_resolution': 0.8}, 'end_resolution 0.8; set both to 1'),
    ],
)
def test_cached_views_need_frozen_blocks_and_whole_images(
    chosen: dict[str, Any], message: str
) -> None:
    params.FineTune(**chosen)
    with pytest.raises(pydantic.ValidationError, match=f'cached_views 3 .*{message}'):
        params.FineTune(**chosen, cached_views=3)


def test_cached_views_of_the_top_blocks_are_fine() -> None:
    assert params.FineTune(blocks=4, cached_views=3).cached_views == 3


@pytest.mark.parametrize(
    'wrong',
    [
        {'start_resolution': 0.0},
        {'end_resolution': 1.1},
        {'blocks': 4, 'cached_views': -1},
        {'blocks': 4, 'cached_views': True},
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(pydantic.ValidationError):
        params.FineTune(**wrong)


def test_other_precisions_are_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match='precision'):
        params.Training(precision='float16')  # type: ignore[arg-type]

"""What is dear to make is made once for all tests of the parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.components.transformed import Transformed


@pytest.fixture(scope='session')
def transformed(tmp_path_factory: pytest.TempPathFactory) -> Transformed:
    """Transform's real output for a handful of tiny images."""
    from tests.components import transformed as making  # TensorFlow only for those who ask

    return making.transform(tmp_path_factory.mktemp('transformed'))

"""Which nodes share a task, whatever the scheduler. Every command imports it: without pydantic."""

from __future__ import annotations

from typing import Literal

Policy = Literal['none', 'cheap', 'phases', 'all']

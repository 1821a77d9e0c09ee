"""A system for one module, for modules that kill its parts, or that look at everything in it.

A run reads all changes, including those of other modules; missing lookups, readiness and the demo look at the whole
connection. A module takes both fixtures by assignment.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from local.system import System
from tests.started_systems import started_system
from tests.system.conditions import Connected, connected_to


@pytest.fixture(scope="module")
async def running() -> AsyncIterator[System]:
    async with started_system() as system:
        yield system


@pytest.fixture(scope="module")
async def connected(running: System) -> AsyncIterator[Connected]:
    async with connected_to(running) as clients:
        yield clients

"""Vaults that tests serve hash passwords cheaply; processes that tests start do so as users' do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import argon2
import pytest

from shared.vault.security import passwords


def _cheap(**costs: Any) -> argon2.PasswordHasher:
    del costs
    return argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture(scope="session", autouse=True)
def cheap_passwords() -> Iterator[None]:
    """Have a sign-in take no time of the processor: most tests begin with one, and its costs are a unit test's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "PasswordHasher", _cheap)
        patch.setattr(passwords, "NOBODY", _cheap().hash("nobody's"))
        yield

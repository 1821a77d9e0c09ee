"""Durability of a private PostgreSQL: full in a system that is used, less only for tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.postgres import PrivatePostgres
from local.system import System

# What a commit waits for, or a crash of the machine needs; each is on unless it is switched off.
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")


@pytest.mark.parametrize("setting", DURABLE)
def test_a_system_keeps_what_is_committed(tmp_path: Path, setting: str) -> None:
    postgres = System(tmp_path).postgres
    assert isinstance(postgres, PrivatePostgres)
    assert postgres.settings.get(setting, "on") == "on"


def test_a_servers_crash_loses_nothing_in_a_test_either(tmp_path: Path) -> None:
    postgres = System(tmp_path, durable=False).postgres
    assert isinstance(postgres, PrivatePostgres)
    assert postgres.settings["synchronous_commit"] == "on"
    assert postgres.settings["fsync"] == "off"

"""Start, stop and reset of the whole system, as ``make start``, ``make stop`` and ``make reset`` do them."""

from __future__ import annotations

import json
from pathlib import Path

from local.system import System
from shared.client import VaultClient

ENDPOINT = {"url", "https_url", "ca_file", "username", "password", "vault_id"}


async def product_names(system: System) -> set[str]:
    endpoint = system.endpoints()["crm_vault"]
    async with VaultClient(
        endpoint["url"], endpoint["username"], endpoint["password"]
    ) as client:
        return {
            str(row["name__v"])
            for row in (await client.query("SELECT name__v FROM product__v")).rows
        }


def running(pids: list[int]) -> list[int]:
    return [
        pid
        for pid in pids
        if Path(f"/proc/{pid}/cmdline").exists()
        and Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


async def test_start_stop_and_reset(system: System) -> None:
    await system.reset()  # nothing runs, and that is no fault
    assert await system.start()
    endpoints = json.loads(system.endpoints_file.read_text())
    assert set(endpoints) == {
        "medical_vault",
        "crm_vault",
        "connector",
        "rabbitmq",
        "postgres",
    }
    assert set(endpoints["medical_vault"]) == set(endpoints["crm_vault"]) == ENDPOINT
    assert set(endpoints["rabbitmq"]) == {
        "amqp_url",
        "management_url",
        "username",
        "password",
    }
    assert system.endpoints_file.stat().st_mode & 0o077 == 0, (
        "passwords are for their owner only"
    )
    assert all(part.up for part in await system.status())

    async with VaultClient(
        *(endpoints["crm_vault"][name] for name in ("url", "username", "password"))
    ) as client:
        (result,) = await client.create(
            "product__v", [{"name__v": "Kept", "external_id__v": "KEPT"}]
        )
        assert result.ok
    pids = list(system.process_ids().values())
    assert not await system.start(), "a second start finds the running one"

    await system.stop()
    assert running(pids) == []
    assert not any(part.up for part in await system.status())

    migrations = {
        file: file.read_text() for file in system.logs.glob("*_migration.log")
    }
    assert len(migrations) == 2
    await system.start()
    assert {file: file.read_text() for file in migrations} == migrations, (
        "a database that is up to date is not migrated"
    )
    assert json.loads(system.endpoints_file.read_text()) == endpoints
    assert "Kept" in await product_names(system)
    await system.reset()
    assert not any(part.up for part in await system.status())
    assert not system.endpoints_file.exists()
    assert list(system.directory.rglob("PG_VERSION")) == [], "the data is gone"

"""No process that serves has the password of a database's owner; the audit trail is the owner's all the same."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

from local.databases import owner_of
from local.service import VAULTS
from local.system import System

OWNER_OF_THE_TRAIL = """
    SELECT pg_get_userbyid(relowner) FROM pg_class
    WHERE oid = 'platform.audit_entry'::regclass
"""


async def test_no_process_that_serves_is_given_it(running: System) -> None:
    passwords = [urlsplit(running.owner_dsn(plan.name)).password for plan in VAULTS]
    for name, pid in running.process_ids().items():
        environment = Path(f"/proc/{pid}/environ").read_text()
        assert "VAULT_OWNER_DSN" not in environment, name
        assert [word for word in passwords if word and word in environment] == [], name


async def test_the_vaults_are_among_those_processes(running: System) -> None:
    assert {plan.name for plan in VAULTS} <= set(running.process_ids())


async def test_the_owner_has_migrated_before_they_start(running: System) -> None:
    for plan in VAULTS:
        connection = await asyncpg.connect(running.database_dsn(plan.name), timeout=30)
        owner = await connection.fetchval(OWNER_OF_THE_TRAIL)
        await connection.close(timeout=30)
        assert owner == owner_of(plan.name)

"""Children that are added to a record while it is deleted: refused, or deleted with it and listed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from local.polling import answers_within
from shared.vault.assembly.vault import Vault
from tests.service.vault.jobbing import finished
from tests.service.vault.objects import key, outcomes
from tests.service.vault.served import Answer, Api
from tests.service.vault.test_records_deletions import LIST

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

MDL = """
RECREATE Object root__c ( label('Root'), prefix('ZR1') );
RECREATE Object stem__c ( label('Stem'), prefix('ZR2'), Field root__c ( type('Object'), label('Root'),
  object('Object.root__c'), relationship_type('parent'), relationship_deletion('cascade') ) );
RECREATE Object leaf__c ( label('Leaf'), prefix('ZR3'),
  Field stem__c ( type('Object'), label('Stem'), object('Object.stem__c'), relationship_deletion('cascade') ),
  Field root__c ( type('Object'), label('Root'), object('Object.root__c'), relationship_deletion('setnull') ) );
"""
ADD = """
INSERT INTO records.{object} (id, name__v, status__v, global_id__sys, created_by__v, created_date__v, modified_by__v,
    modified_date__v, {field})
VALUES ($1, 'late', 'active__v', '1_' || $1, 1, now(), 1, now(), $2)
"""
BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))"


@pytest.fixture(scope="module", autouse=True)
async def trees(admin: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data=MDL)
    assert answer.status == "SUCCESS", answer.text


async def made(api: Api, name: str, **values: str) -> str:
    return (
        await api.post(f"/vobjects/{name}", json=[{"name__v": key(), **values}])
    ).ids[0]


async def listed(api: Api, name: str) -> set[str]:
    return {row["id"] for row in (await api.get(f"{LIST}/{name}?limit=1000")).data}


async def waits_for(vault: Vault, blocker: int) -> None:
    """Wait until another transaction waits for a lock of ``blocker``'s transaction."""

    async def reason() -> str | None:
        async with vault.database.connection() as connection:
            return (
                None if await connection.fetchval(BLOCKED, blocker) else "nobody waits"
            )

    assert await answers_within(60, reason) is None


async def begin(connection: Connection, child: str, field: str, parent: str) -> str:
    """Add a child to a record, in a transaction that stays open."""
    record_id = f"LATE{key()}"
    await connection.execute(ADD.format(object=child, field=field), record_id, parent)
    return record_id


async def meanwhile(
    vault: Vault, child: str, field: str, parent: str, deletion: Awaitable[Answer]
) -> tuple[str, Answer]:
    """Delete a record while a child is being added below it; return the child's id, and the answer."""
    async with vault.database.connection() as connection:
        async with connection.transaction():
            late = await begin(connection, child, field, parent)
            blocker = connection.get_server_pid()
            deleting = asyncio.ensure_future(deletion)
            await waits_for(vault, blocker)
        return late, await deleting


async def test_a_child_that_is_being_added_goes_and_is_listed(
    admin: Api, vault: Vault
) -> None:
    root = await made(admin, "root__c")
    call = admin.delete("/vobjects/root__c", json=[{"id": root}])
    late, answer = await meanwhile(vault, "stem__c", "root__c", root, call)
    assert outcomes(answer) == ["SUCCESS"]
    assert late in await listed(admin, "stem__c")
    trail = await admin.query(
        f"SELECT action FROM object_audit_trail WHERE record_id = '{late}'"
    )
    assert trail.status == "SUCCESS", trail.text
    assert [row["action"] for row in trail.data] == ["Delete"]


async def test_so_does_a_child_of_a_child(admin: Api, vault: Vault) -> None:
    root = await made(admin, "root__c")
    stem = await made(admin, "stem__c", root__c=root)
    call = admin.delete("/vobjects/root__c", json=[{"id": root}])
    late, answer = await meanwhile(vault, "leaf__c", "stem__c", stem, call)
    assert outcomes(answer) == ["SUCCESS"]
    assert stem in await listed(admin, "stem__c")
    assert late in await listed(admin, "leaf__c")


async def test_a_reference_that_is_being_set_is_emptied_and_audited(
    admin: Api, vault: Vault
) -> None:
    root = await made(admin, "root__c")
    call = admin.delete("/vobjects/root__c", json=[{"id": root}])
    late, answer = await meanwhile(vault, "leaf__c", "root__c", root, call)
    assert outcomes(answer) == ["SUCCESS"]
    left = await admin.query(f"SELECT root__c FROM leaf__c WHERE id = '{late}'")
    assert left.data == [{"root__c": None}]
    trail = await admin.query(
        f"SELECT field_name, old_value FROM object_audit_trail WHERE record_id = '{late}'"
    )
    assert ("root__c", root) in {
        (row["field_name"], row["old_value"]) for row in trail.data
    }, trail.text


async def test_a_cascade_delete_tells_of_it(admin: Api, vault: Vault) -> None:
    root = await made(admin, "root__c")
    stem = await made(admin, "stem__c", root__c=root)
    async with vault.database.connection() as connection, connection.transaction():
        late = await begin(connection, "leaf__c", "stem__c", stem)
        job = (
            await admin.post(f"/vobjects/root__c/{root}/actions/cascadedelete")
        ).body["job_id"]
        await waits_for(vault, connection.get_server_pid())
    await finished(admin, job)
    told = (
        await admin.get(f"/vobjects/cascadedelete/results/root__c/success/{job}")
    ).text
    assert set(told.split("\r\n")[1:-1]) == {
        f"root__c,{root}",
        f"stem__c,{stem}",
        f"leaf__c,{late}",
    }
    assert late in await listed(admin, "leaf__c")


async def test_children_of_what_is_gone_are_refused_whoever_comes_first(
    admin: Api,
) -> None:
    for _ in range(10):
        root = await made(admin, "root__c")
        rows = [{"name__v": "stem", "root__c": root}] * 20
        answers = await asyncio.gather(
            *(admin.post("/vobjects/stem__c", json=rows) for _ in range(3)),
            admin.delete("/vobjects/root__c", json=[{"id": root}]),
            *(admin.post("/vobjects/stem__c", json=rows) for _ in range(3)),
        )
        assert outcomes(answers[3]) == ["SUCCESS"]
        ids = {
            row["data"]["id"]
            for answer in answers
            for row in answer.data
            if row["responseStatus"] == "SUCCESS"
        }
        assert ids - {root} <= await listed(admin, "stem__c")
        assert (
            await admin.query(f"SELECT id FROM stem__c WHERE root__c = '{root}'")
        ).data == []


@pytest.mark.parametrize(
    ("field", "parents"), [("root__c", "root__c"), ("stem__c", "stem__c")]
)
async def test_a_reference_that_moves_on_meanwhile_is_not_audited(
    admin: Api, vault: Vault, field: str, parents: str
) -> None:
    left, other = [await made(admin, parents) for _ in range(2)]
    leaf = await made(admin, "leaf__c", **{field: left})
    async with vault.database.connection() as connection:
        async with connection.transaction():
            moved = f"UPDATE records.leaf__c SET {field} = $1 WHERE id = $2"
            await connection.execute(moved, other, leaf)
            call = admin.delete(f"/vobjects/{parents}", json=[{"id": left}])
            deleting = asyncio.ensure_future(call)
            await waits_for(vault, connection.get_server_pid())
        assert outcomes(await deleting) == ["SUCCESS"]
    record = await admin.get(f"/vobjects/leaf__c/{leaf}")
    assert record.data[field] == other
    trail = await admin.get(f"/vobjects/leaf__c/{leaf}/audittrail")
    assert [row["action"] for row in trail.data] == ["Create"]


async def test_an_entry_is_dated_when_the_locks_are_there(
    admin: Api, vault: Vault
) -> None:
    root = await made(admin, "root__c")
    async with vault.database.connection() as connection:
        async with connection.transaction():
            locked = "SELECT FROM records.root__c WHERE id = $1 FOR UPDATE"
            await connection.execute(locked, root)
            changed = {"id": root, "name__v": "after the lock"}
            call = asyncio.ensure_future(admin.put("/vobjects/root__c", json=[changed]))
            await waits_for(vault, connection.get_server_pid())
            released = await connection.fetchval(
                "SELECT date_trunc('milliseconds', clock_timestamp())"
            )
        assert outcomes(await call) == ["SUCCESS"]
    trail = await admin.get(f"/vobjects/root__c/{root}/audittrail")
    assert datetime.fromisoformat(trail.data[0]["timestamp"]) >= released

"""A change of components blocks only writes to the tables that it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from local.polling import answers_within
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.configuration.component_table import NEXT_REVISION
from shared.vault.records.rows import RowResult
from tests.service.vault.objects import ITEMS, action, items, key
from tests.service.vault.package_calls import finished, imported
from tests.service.vault.served import Answer, Api
from tests.unit.packages.building import component_files, data_files, vpk

if TYPE_CHECKING:
    from shared.vault.storage.database import Connection

PATIENCE = 60

COMPONENTS = """RECREATE Picklist beside_size__c ( label('Size'), Picklistentry big__c ( label('Big') ),
  Picklistentry small__c ( label('Small') ) );
RECREATE Objectlifecycle beside_life__c ( label('Life'), starting_state('new__c'),
  Objectlifecyclestate new__c ( label('New') ), Objectlifecyclestate old__c ( label('Old') ) );
RECREATE Object beside__c ( label('Beside'), prefix('ZBE'), lifecycle('Objectlifecycle.beside_life__c'),
  allow_types(true), Field key__c ( type('String'), label('Key'), max_length(40) ),
  Field number__c ( type('Number'), label('Number') ),
  Field size__c ( type('Picklist'), label('Size'), picklist('Picklist.beside_size__c') ) );
RECREATE Objecttype beside__c.kind__c ( label('Kind') );
"""
# A table is rewritten by some of them, read by others, and only named by the rest.
CHANGES = {
    "a field more": "ALTER Object beside__c ( ADD Field more__c ( type('String'), label('More'), unique(true) ) );",
    "another type": "ALTER Object beside__c ( MODIFY Field number__c ( scale(2) ) );",
    "a unique field": "ALTER Object beside__c ( MODIFY Field key__c ( unique(true) ) );",
    "a label": "ALTER Object beside__c ( label('Aside') );",
    "an entry less": "ALTER Picklist beside_size__c ( DROP Picklistentry small__c );",
    "a state less": "ALTER Objectlifecycle beside_life__c ( DROP Objectlifecyclestate old__c );",
    "a type less": "DROP Objecttype beside__c.kind__c;",
    "a reference to it": """RECREATE Object beside_part__c ( label('Part'), prefix('ZBP'),
      Field beside__c ( type('Object'), label('Beside'), object('Object.beside__c') ) );""",
    "its end": "DROP Objecttype beside__c.kind__c; DROP Object beside__c;",
}


@pytest.fixture
async def components(admin: Api) -> AsyncIterator[None]:
    """The objects as they are before each change."""
    made = await admin.post("/api/mdl/execute", data=COMPONENTS)
    assert made.body["script_execution"]["failures"] == 0, made.text
    yield
    left = await admin.query("SELECT id FROM beside__c")
    if left.status == "SUCCESS" and left.data:
        await admin.delete("/vobjects/beside__c", json=left.data)
    ends = ("Object beside_part__c", "Objecttype beside__c.kind__c", "Object beside__c")
    for end in ends:
        await admin.post("/api/mdl/execute", data=f"DROP {end};")


@asynccontextmanager
async def writing(vault: Vault, object_name: str) -> AsyncIterator[Connection]:
    """A transaction that has written records of an object and stays open."""
    async with vault.database.transaction() as connection:
        await connection.execute(
            f"LOCK TABLE records.{object_name} IN ROW EXCLUSIVE MODE"
        )
        yield connection


async def waits(connection: Connection, number: int = 1) -> None:
    """Return when ``number`` transactions wait for a lock of tables or rows."""
    sql = "SELECT count(*) FROM pg_locks WHERE locktype <> 'advisory' AND NOT granted"

    async def reason() -> str | None:
        found = await connection.fetchval(sql)
        return None if found >= number else f"{found} wait"

    assert await answers_within(PATIENCE, reason) is None


async def other_work(admin: Api) -> None:
    """Other work meanwhile: create, change and find records, and send a message."""
    made = (await items(admin, 2))[0]
    sent = await admin.post(f"{ITEMS}/{made}/actions/{action('first__c', 'send__c')}")
    assert sent.status == "SUCCESS", sent.text
    changed = await admin.put(ITEMS, json=[{"id": made, "text__c": "changed"}])
    assert changed.data[0]["responseStatus"] == "SUCCESS", changed.text
    found = await admin.query(f"SELECT state__v FROM item__c WHERE id = '{made}'")
    assert found.data[0]["state__v"] == "sent__c"


async def message_leaves(connection: Connection) -> None:
    async def reason() -> str | None:
        left = await connection.fetchval("SELECT count(*) FROM platform.outbox")
        return f"{left} messages wait" if left else None

    assert await answers_within(PATIENCE, reason) is None


@pytest.mark.parametrize("change", CHANGES)
async def test_a_script_that_waits_for_one_object_holds_up_no_other(
    admin: Api, vault: Vault, components: None, change: str
) -> None:
    async with writing(vault, "beside__c") as writer:
        script = asyncio.create_task(
            admin.post("/api/mdl/execute", data=CHANGES[change])
        )
        await waits(writer)
        await other_work(admin)
        await message_leaves(writer)
        assert not script.done()
    answer = await script
    assert answer.body["script_execution"]["failures"] == 0, answer.text


async def test_a_script_that_waits_for_one_who_reads_holds_up_nobody_who_writes(
    admin: Api, vault: Vault, components: None
) -> None:
    """Writers of a table wait behind the script that wants it: so the script gives way repeatedly."""
    async with vault.database.transaction() as reader:
        await reader.execute("SELECT FROM records.beside__c")
        script = asyncio.create_task(
            admin.post("/api/mdl/execute", data=CHANGES["a field more"])
        )
        for _ in range(3):
            await waits(reader)
            made = await admin.post("/vobjects/beside__c", json=[{"name__v": "beside"}])
            assert made.data[0]["responseStatus"] == "SUCCESS", made.text
        assert not script.done()
    answer = await script
    assert answer.body["script_execution"]["failures"] == 0, answer.text


LATE = "ALTER Object beside__c ( ADD Field late__c ( type('String'), label('Late'), max_length(40) ) );"
GATE = """RECREATE Object beside_gate__c ( label('Gate'), prefix('ZBG'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ) );"""


async def submitted_script(admin: Api) -> Answer:
    """Its second statement waits for the gate."""
    script = LATE + "ALTER Object beside_gate__c ( label('Barrier') );"
    return await admin.post("/api/mdl/execute_async", data=script)


async def submitted_package(admin: Api) -> Answer:
    """Its second step waits for the gate, in the transaction of the first."""
    content = vpk(
        component_files(10, "Object.beside__c", LATE),
        data_files(
            20, "beside_gate__c", "Upsert", "key__c,name__v\ngate,Open\n", "key__c"
        ),
    )
    package_id = await imported(admin, content)
    path = f"/vobject/vault_package__v/{package_id}/actions/deploy"
    return await admin.post(path)


@pytest.mark.parametrize("submitted", [submitted_script, submitted_package])
async def test_who_writes_what_a_job_changes_goes_by_what_it_leaves(
    admin: Api,
    vault: Vault,
    components: None,
    submitted: Callable[[Api], Awaitable[Answer]],
) -> None:
    """The package has changed one object when it waits for the other; the script has even committed the change."""
    await admin.post("/api/mdl/execute", data=GATE)
    gate = [{"name__v": "Shut", "key__c": "gate"}]
    await admin.post(
        "/vobjects/beside_gate__c", params={"idParam": "key__c"}, json=gate
    )
    async with writing(vault, "beside_gate__c") as writer:
        await writer.execute("SELECT FROM records.beside_gate__c FOR UPDATE")
        job = await submitted(admin)
        await waits(writer)
        rows = [{"name__v": "late", "late__c": "known"}]
        late = asyncio.create_task(admin.post("/vobjects/beside__c", json=rows))
        await other_work(admin)
        await message_leaves(writer)
    assert (await finished(admin, job.body["job_id"]))["status"] == "SUCCESS"
    answer = await late
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.text


@pytest.mark.parametrize("changed", [True, False])
async def test_writes_to_further_objects_use_their_newest_components(
    admin: Api, vault: Vault, components: None, changed: bool
) -> None:
    """The unit names one object and also writes another, whose components change after the unit has begun.

    Other components change in each attempt: the unit is not repeated for those of objects that it already noticed.
    """
    known: list[bool] = []

    async def unit(connection: Connection) -> list[RowResult]:
        if changed and not known:
            more = await admin.post("/api/mdl/execute", data=CHANGES["a field more"])
            assert more.body["script_execution"]["failures"] == 0, more.text
        async with vault.database.transaction() as other:
            await other.execute(NEXT_REVISION)
        target = vault.components.registry.objects["beside__c"]
        known.append("more__c" in target.fields)
        rows = [{"name__v": "beside", "key__c": key()}]
        batch = vault.records.batch(connection, SYSTEM, target)
        read = await batch.resolve(vault.records.reader(target).read(rows))
        await vault.records.insert(batch, read)
        return []

    await vault.records.carry_out(unit, "item__c")
    assert known == [changed, changed]

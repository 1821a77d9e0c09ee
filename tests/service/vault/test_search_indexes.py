"""Search indexes follow from the objects: built while others write, and again after an interruption."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from local.polling import answers_within
from shared.vault.assembly.vault import Vault
from shared.vault.configuration.search_indexes import SearchIndexes
from shared.vault.model.field_types import has_index, words_sql
from tests.service.vault import module_vault
from tests.service.vault.served import Api

INDEX = "parcel__c_text_words"
WHOLE = """
SELECT i.indisvalid FROM pg_index i WHERE i.indexrelid = to_regclass('records.' || $1)
"""
OID = "SELECT to_regclass('records.' || $1)::oid"
WAITING = """
SELECT EXISTS (SELECT FROM pg_stat_progress_create_index WHERE phase LIKE 'waiting for writers%')
"""
OBJECT = """CREATE Object parcel__c (label('Parcel'), label_plural('Parcels'), prefix('PCL'),
    Field text__c (label('Text'), type('String'), max_length(200)),
    Field kind__c (label('Kind'), type('Picklist'), picklist('Picklist.default_status__v')));"""


vault, api = module_vault.vault, module_vault.api
admin, integration = module_vault.admin, module_vault.integration


@pytest.fixture
async def parcels(vault: Vault, admin: Api) -> AsyncIterator[None]:
    await execute(admin, OBJECT)
    yield
    await until_whole(vault)
    await execute(admin, "DROP Object parcel__c;")


async def is_whole(vault: Vault, name: str = INDEX) -> bool | None:
    async with vault.database.connection() as connection:
        whole: bool | None = await connection.fetchval(WHOLE, name)
    return whole


async def execute(admin: Api, mdl: str) -> None:
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status == "SUCCESS", answer.text


async def until_whole(vault: Vault, name: str = INDEX) -> None:
    async def ask() -> str | None:
        return None if await is_whole(vault, name) else f"{name} is missing"

    assert await answers_within(60, ask) is None


async def test_every_object_has_one(vault: Vault, api: Api) -> None:
    objects = [
        each for each in vault.components.registry.objects.values() if has_index(each)
    ]
    missing = [
        each.name
        for each in objects
        if not await is_whole(vault, f"{each.name}_text_words")
    ]
    assert len(objects) > 20
    assert missing == []


FIELD = "Field {} (label('F'), type('{}'))"
CHANGES = {
    "added text": f"ADD {FIELD.format('note__c', 'LongText')}",
    "dropped text": "DROP Field text__c",
    "renamed text": "RENAME Field text__c TO title__c",
    "several values": "MODIFY Field kind__c (multi_value(true))",
    "another picklist": "MODIFY Field kind__c (picklist('Picklist.license_type__sys'))",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
async def test_a_changed_object_gets_its_index_again(
    vault: Vault, admin: Api, parcels: None, change: str
) -> None:
    await execute(admin, f"ALTER Object parcel__c ({change});")
    await until_whole(vault)
    owner = vault.components.registry.objects["parcel__c"]
    async with vault.database.transaction() as connection:
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            f"EXPLAIN SELECT id FROM records.parcel__c WHERE {words_sql(owner)} @@ 'x'::tsquery"
        )
    assert any(INDEX in row[0] for row in plan)


async def test_an_object_that_is_not_searched_has_none(
    vault: Vault, admin: Api, parcels: None
) -> None:
    row = {"name__v": "Zoë Parcel"}
    created = await admin.post("/vobjects/parcel__c", json=[row])
    await execute(admin, "ALTER Object parcel__c (search(false));")
    assert await is_whole(vault) is None
    found = await admin.query("SELECT id FROM parcel__c FIND ('zoe')")
    assert [each["id"] for each in found.data] == [created.data[0]["data"]["id"]]
    await admin.delete("/vobjects/parcel__c", json=[found.data[0]])
    # The index of one that is searched again is awaited by the fixture.
    await execute(admin, "ALTER Object parcel__c (search(true));")


async def test_a_renamed_object_keeps_its_index(
    vault: Vault, admin: Api, parcels: None
) -> None:
    async with vault.database.connection() as connection:
        before = await connection.fetchval(OID, INDEX)
        await execute(admin, "RENAME Object parcel__c TO packet__c;")
        after = await connection.fetchval(OID, "packet__c_text_words")
    await execute(admin, "RENAME Object packet__c TO parcel__c;")
    assert before == after is not None


async def until_it_waits(vault: Vault, wanted: bool) -> None:
    async def ask() -> str | None:
        async with vault.database.connection() as connection:
            waits = await connection.fetchval(WAITING)
        return None if waits is wanted else f"it waits: {waits}"

    assert await answers_within(60, ask) is None


@asynccontextmanager
async def building(vault: Vault, admin: Api) -> AsyncIterator[asyncio.Task[bool]]:
    """The index is being built, and waits for an open transaction that has written."""
    # The Vault's own task would build it as well.
    await vault.search_indexes.stop()
    async with vault.database.transaction() as writing:
        async with vault.database.connection() as connection:
            await connection.execute(f"DROP INDEX records.{INDEX}")
        await writing.execute("LOCK TABLE records.parcel__c IN ROW EXCLUSIVE MODE")
        indexes = SearchIndexes(vault.database, vault.components)
        task = asyncio.create_task(indexes.build_missing())
        await until_it_waits(vault, True)
        yield task
    await vault.search_indexes.start()


async def test_records_are_written_and_found_while_it_is_built(
    vault: Vault, admin: Api, integration: Api, parcels: None
) -> None:
    async with building(vault, admin) as task:
        made = await integration.post(
            "/vobjects/parcel__c", json=[{"name__v": "Zoë", "text__c": "Dvořák"}]
        )
        found = await integration.query("SELECT id FROM parcel__c FIND ('dvorak zoe')")
        assert made.status == "SUCCESS"
        assert [row["id"] for row in found.data] == [made.data[0]["data"]["id"]]
        assert not task.done()
        second = SearchIndexes(vault.database, vault.components)
        assert not await second.build_missing()
    assert await task
    assert await is_whole(vault)
    deleted = await admin.delete(
        "/vobjects/parcel__c", json=[{"id": found.data[0]["id"]}]
    )
    assert deleted.status == "SUCCESS", deleted.text


async def test_a_change_breaks_the_building_off_and_it_begins_again(
    vault: Vault, admin: Api, parcels: None
) -> None:
    async with building(vault, admin) as task:
        text = f"ALTER Object parcel__c (ADD {FIELD.format('late__c', 'String')});"
        change = asyncio.create_task(execute(admin, text))
        with pytest.raises(asyncpg.QueryCanceledError):
            await task
    await change
    await until_whole(vault)


async def test_what_was_broken_off_is_built_again(
    vault: Vault, admin: Api, parcels: None
) -> None:
    async with building(vault, admin) as task:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await until_it_waits(vault, False)
        assert await is_whole(vault) is False
    await until_whole(vault)

"""The revision in every answer and message grows with each change of configuration, and with nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.queues import outbox
from shared.vault.storage.configuration_revision import raise_revision
from tests.service.vault.people import new_user
from tests.service.vault.served import Api

HEADER = "X-VaultAPI-ConfigurationRevision"
COMPONENTS, CONNECTIONS, LOOKUPS = range(3)
LOOKUP = "/vobjects/reference_lookup__sys"
INTEGRATION = "/vobjects/integration__sys"


async def revision_of(api: Api) -> tuple[int, ...]:
    """The counts in an answer: of components, of connections and their parts, and of lookups."""
    answer = await api.get("/objects/users/me")
    return tuple(map(int, answer.headers[HEADER].split(".")))


async def grown(api: Api, before: tuple[int, ...]) -> set[int]:
    """The counts that have grown since ``before``."""
    after = await revision_of(api)
    assert all(a >= b for a, b in zip(after, before, strict=True))
    return {part for part in range(3) if after[part] > before[part]}


@pytest.fixture
async def integration(admin: Api) -> AsyncIterator[str]:
    """An integration of the connection, which is removed afterwards."""
    connection = (await admin.query("SELECT id FROM connection__sys")).data[0]["id"]
    name = f"revised_{uuid4().hex[:8]}__c"
    row = {
        "name__v": name,
        "integration_api_name__sys": name,
        "connection__sys": connection,
    }
    answer = await admin.post(INTEGRATION, json=[row])
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.text
    made = str(answer.data[0]["data"]["id"])
    yield made
    await admin.delete(INTEGRATION, json=[{"id": made}])


async def lookup(admin: Api) -> str:
    """A new row of a lookup set."""
    connection = (await admin.query("SELECT id FROM connection__sys")).data[0]["id"]
    row = {
        "connection__sys": connection,
        "reference_lookup_name__sys": "revised__c",
        "reference_lookup_type__sys": "generic__sys",
        "source_key__sys": uuid4().hex,
        "target_key__sys": "a",
    }
    answer = await admin.post(LOOKUP, json=[row])
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.text
    return str(answer.data[0]["data"]["id"])


async def test_each_change_of_configuration_raises_its_count(
    admin: Api, integration: str
) -> None:
    before = await revision_of(admin)
    row = await lookup(admin)
    assert await grown(admin, before) == {LOOKUPS}
    before = await revision_of(admin)
    await admin.put(LOOKUP, json=[{"id": row, "target_key__sys": "b"}])
    assert await grown(admin, before) == {LOOKUPS}
    before = await revision_of(admin)
    renamed = [{"id": integration, "name__v": "renamed"}]
    await admin.put(INTEGRATION, json=renamed)
    assert await grown(admin, before) == {CONNECTIONS}
    before = await revision_of(admin)
    await admin.put(INTEGRATION, json=renamed)
    assert await grown(admin, before) == set()
    # What stands below a deleted record goes with it.
    await admin.delete(LOOKUP, json=[{"id": row}])
    assert await grown(admin, before) == {CONNECTIONS, LOOKUPS}
    before = await revision_of(admin)
    mdl = "RECREATE Picklist revised__c ( label('Revised') );"
    await admin.post("/api/mdl/execute", data=mdl)
    assert await grown(admin, before) == {COMPONENTS}


async def test_other_records_raise_no_count_and_a_users_profile_does(
    admin: Api,
) -> None:
    user, _ = await new_user(admin)
    before = await revision_of(admin)
    made = await admin.post(
        "/vobjects/thing__c", json=[{"name__v": "x", "key__c": uuid4().hex}]
    )
    assert made.status == "SUCCESS"
    assert await grown(admin, before) == set()
    row = [{"id": str(user), "security_profile__sys": "system_admin__v"}]
    answer = await admin.put("/vobjects/user__sys", json=row)
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.text
    assert await grown(admin, before) == {CONNECTIONS}


async def test_a_revision_is_sent_with_its_change_and_not_before(
    admin: Api, vault: Vault
) -> None:
    before = await revision_of(admin)
    async with vault.database.transaction() as connection:
        await raise_revision(connection, "connection__sys", deleted=True)
        assert await revision_of(admin) == before
    assert await grown(admin, before) == {CONNECTIONS, LOOKUPS}


async def test_changes_at_the_same_time_are_all_counted(admin: Api) -> None:
    before = await revision_of(admin)
    await asyncio.gather(*(lookup(admin) for _ in range(8)))
    after = await revision_of(admin)
    assert after[LOOKUPS] == before[LOOKUPS] + 8


async def test_a_message_tells_the_revision_at_which_it_was_queued(
    admin: Api, vault: Vault
) -> None:
    before = await revision_of(admin)
    queue = next(
        each
        for each in vault.components.registry.queues.values()
        if outbox.direction_of(each) is not None
    )
    async with vault.database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await raise_revision(connection, "connection__sys", deleted=False)
        await outbox.put(connection, queue, {}, ["V0T1"])
        found = await connection.fetchval(
            "SELECT revision FROM platform.outbox ORDER BY position DESC LIMIT 1"
        )
        # The message must not be sent.
        await transaction.rollback()
    components, connections, lookups = before
    assert found == f"{components}.{connections + 1}.{lookups}"
    assert await revision_of(admin) == before


async def test_only_answers_in_a_session_tell_a_revision(api: Api) -> None:
    answer = await api.get("/objects/users/me")
    assert answer.status == "FAILURE"
    assert HEADER not in answer.headers

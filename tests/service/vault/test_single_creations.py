"""A record that is created alone: by one statement, and stored, audited and refused as records created together are."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.configuration.component_table import NEXT_REVISION
from tests.service.vault.objects import ITEMS, key, outcomes, owner
from tests.service.vault.served import Api
from tests.service.vault.test_concurrent_changes import components as changed
from tests.service.vault.test_concurrent_changes import waits

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.storage.database import Connection

beside = changed  # the fixture that makes ``beside__c``

MDL = (
    "RECREATE Object unaudited__c ( label('Unaudited'), prefix('ZUN'), audit(false) );"
)

# What a statement of a creation names.
CREATION = ("owner__c", "lock_for_writing", "change_date", "audit_entry")
# What no two records share.
OWN = {"id", "global_id__sys", "key__c"}
TRAIL = """
SELECT trail, user_id, user_name, on_behalf_of, action, item, field, old_value, new_value
FROM platform.audit_entry WHERE record_id = $1
"""
ROWS: Mapping[str, tuple[str, dict[str, object]]] = {
    "only a name": ("owner__c", {}),
    "unaudited": ("unaudited__c", {}),
    "a lifecycle and values of each type": (
        "item__c",
        {
            "number__c": 7,
            "ratio__c": "1.25",
            "yes__c": True,
            "day__c": "2025-04-25",
            "moment__c": "2025-04-25T21:49:27.719Z",
            "text__c": "text",
            "size__c": "large__c",
            "sizes__c": "small__c,huge__c",
        },
    ),
    "a name that the Vault makes": ("note__c", {}),
    "types": ("kind__c", {}),
}


@pytest.fixture(scope="module", autouse=True)
async def unaudited(admin: Api) -> None:
    made = await admin.post("/api/mdl/execute", data=MDL)
    assert made.body["script_execution"]["failures"] == 0, made.text


async def statements_of(vault: Vault, call: Any) -> tuple[list[str], Any]:
    """The statements that the Vault's connections carry out during a call, and its answer."""
    pool: Any = vault.database._pool
    statements: list[str] = []
    # All are open before: one that is opened during the call would not be listened to.
    opened = [await pool.acquire() for _ in range(pool.get_max_size())]
    for connection in opened:
        await pool.release(connection)
    with ExitStack() as stack:
        for holder in pool._holders:
            if holder._con is not None:
                logger = holder._con.query_logger(
                    lambda each: statements.append(each.query)
                )
                stack.enter_context(logger)
        answer = await call
    return statements, answer


async def stored(connection: Connection, object_name: str, record_id: str) -> Record:
    sql = f"SELECT * FROM records.{object_name} WHERE id = $1"
    found = await connection.fetchrow(sql, record_id)
    assert found is not None
    return found


async def test_a_record_is_created_by_one_statement(admin: Api, vault: Vault) -> None:
    await owner(admin)
    rows = [{"name__v": "alone", "key__c": key()}]
    call = admin.post("/vobjects/owner__c", json=rows)
    statements, answer = await statements_of(vault, call)
    assert outcomes(answer) == ["SUCCESS"]
    # What the Vault does besides uses the same connections.
    own = [each for each in statements if any(part in each for part in CREATION)]
    assert len(own) == 1, own
    assert all(part in own[0] for part in CREATION)


@pytest.mark.parametrize("case", ROWS)
async def test_it_is_stored_and_audited_like_records_created_together(
    user: Api, vault: Vault, case: str
) -> None:
    object_name, values = ROWS[case]
    fields = vault.components.registry.objects[object_name].fields
    managed = fields["name__v"].system_managed_name

    def row() -> dict[str, object]:
        name = {} if managed else {"name__v": "like"}
        own = {"key__c": key()} if "key__c" in fields else {}
        return {**name, **own, **values}

    path = f"/vobjects/{object_name}"
    (alone,) = (await user.post(path, json=[row()])).ids
    together, _ = (await user.post(path, json=[row(), row()])).ids
    async with vault.database.connection() as connection:
        one = await stored(connection, object_name, alone)
        other = await stored(connection, object_name, together)
        assert await connection.fetch(TRAIL, alone) == await connection.fetch(
            TRAIL, together
        )
    dates = {"created_date__v", "modified_date__v"}
    own = OWN | dates | ({"name__v"} if managed else set())
    same = set(one.keys()) - own
    assert {name: one[name] for name in same} == {name: other[name] for name in same}
    assert one["created_date__v"] == one["modified_date__v"] <= other["created_date__v"]


async def test_it_refers_to_records_by_their_keys(admin: Api, vault: Vault) -> None:
    name = key()
    owned = await owner(admin, key__c=name)
    rows = [{"name__v": "item", "key__c": key(), "owner__cr.key__c": name}]
    (made,) = (await admin.post(ITEMS, json=rows)).ids
    async with vault.database.connection() as connection:
        assert (await stored(connection, "item__c", made))["owner__c"] == owned


async def test_it_is_refused_for_the_same_reasons(admin: Api) -> None:
    taken = key()
    await owner(admin, key__c=taken)
    for row, reason in (
        ({"name__v": "again", "key__c": taken}, "OPERATION_NOT_ALLOWED"),
        ({"key__c": key()}, "PARAMETER_REQUIRED"),
        ({"name__v": "lost", "mentor__c": "ZOW000000000000"}, "INVALID_DATA"),
        ({"name__v": "set", "created_by__v": 1}, "INVALID_DATA"),
        ({"name__v": "gone", "status__v": "inactive__v"}, "OPERATION_NOT_ALLOWED"),
    ):
        answer = await admin.post("/vobjects/owner__c", json=[row])
        together = await admin.post("/vobjects/owner__c", json=[row, {}])
        assert outcomes(answer) == [reason], answer.text
        assert answer.data[0] == together.data[0]


async def test_it_goes_by_components_that_change_while_it_waits(
    admin: Api, vault: Vault, beside: None
) -> None:
    """Another process's change has the table; when it commits, this process has not been notified of it."""
    rows = [{"name__v": "beside", "key__c": key()}]
    (first,) = (await admin.post("/vobjects/beside__c", json=rows)).ids
    before = vault.components.registry
    async with vault.database.transaction() as other:
        await other.execute("LOCK TABLE records.beside__c IN SHARE ROW EXCLUSIVE MODE")
        await other.execute(NEXT_REVISION)
        call = admin.post("/vobjects/beside__c", json=[{"name__v": "late"}])
        late = asyncio.create_task(call)
        await waits(other)
        assert not late.done()
    answer = await late
    assert outcomes(answer) == ["SUCCESS"], answer.text
    assert vault.components.registry is not before
    assert answer.ids != [first]


async def test_it_goes_by_a_column_that_is_gone(
    admin: Api, vault: Vault, beside: None
) -> None:
    """This process has not been notified: its statement names a column that the table no longer has."""
    mdl = """RECREATE Object beside_part__c ( label('Part'), prefix('ZBP'),
      Field of__c ( type('Object'), label('Of'), object('Object.beside__c'), relationship_name('ofs__c') ) );"""
    made = await admin.post("/api/mdl/execute", data=mdl)
    assert made.body["script_execution"]["failures"] == 0, made.text
    (known,) = (await admin.post("/vobjects/beside__c", json=[{"name__v": "a"}])).ids
    row = {"name__v": "part", "of__c": known}
    answer = await admin.post("/vobjects/beside_part__c", json=[row])
    assert outcomes(answer) == ["SUCCESS"], answer.text
    await admin.delete("/vobjects/beside_part__c", json=[{"id": answer.ids[0]}])
    former = vault.components.registry, vault.components.revision
    drop = "ALTER Object beside_part__c ( DROP Field of__c );"
    dropped = await admin.post("/api/mdl/execute", data=drop)
    assert dropped.body["script_execution"]["failures"] == 0, dropped.text
    vault.components.registry, vault.components.revision = former
    (result,) = await vault.records.create(SYSTEM, "beside_part__c", [row])
    assert [error.type for error in result.errors] == [
        ErrorType.ATTRIBUTE_NOT_SUPPORTED
    ]

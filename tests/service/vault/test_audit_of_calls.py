"""Entries of calls with many records are one row, and are read like rows of their own."""

from __future__ import annotations

from typing import Any

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.audit.audit_service import AuditFilter
from shared.vault.records.new_records import BLOCK
from tests.service.vault import auditing
from tests.service.vault.auditing import RECORDS, trail_of
from tests.service.vault.objects import begin_block
from tests.service.vault.served import Api

audited = auditing.audited
TRAIL = "/audittrail/object_audit_trail"
MANY = 230
OWN = ("id", "field_name", "old_value", "new_value")
# The rows with entries of records, and the number of their entries.
ROWS = """
SELECT entries FROM platform.audit_entry
WHERE item = 'audited__c' AND (record_ids && $1::text[] OR record_id = ANY($1)) ORDER BY id
"""


@pytest.fixture
async def together(admin: Api) -> list[str]:
    """Records that one call has created, and that another one has changed in two fields."""
    await begin_block(admin, MANY)
    rows = [{"name__v": f"many {n}", "text__c": "a"} for n in range(MANY)]
    ids = (await admin.post(RECORDS, json=rows)).ids
    changes = [
        {"id": each, "text__c": f'"{n}",\\', "day__c": "2026-01-02"}
        for n, each in enumerate(ids)
    ]
    await admin.put(RECORDS, json=changes)
    return ids


async def rows_of(vault: Vault, ids: list[str]) -> list[int | None]:
    async with vault.database.connection() as connection:
        return [row["entries"] for row in await connection.fetch(ROWS, ids)]


async def pages(admin: Api, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    """All entries of the trail of records, read page by page."""
    found: list[dict[str, Any]] = []
    while True:
        params = {"limit": limit, "offset": len(found), **wanted}
        answer = await admin.get(TRAIL, params=params)
        found += answer.data
        total = answer.body["responseDetails"]["total"]
        if not answer.data:
            assert total == len(found)
            return found


async def test_many_entries_are_few_rows(vault: Vault, together: list[str]) -> None:
    assert await rows_of(vault, together) == [76, 77, 77, 92, 92, 92, 92, 92]


async def test_a_record_has_its_entries(admin: Api, together: list[str]) -> None:
    ids: set[str] = set()
    for n in (0, 76, MANY - 1):
        *edits, created = await trail_of(admin, together[n])
        assert {tuple(edit[name] for name in OWN[1:]) for edit in edits} == {
            ("text__c", "a", f'"{n}",\\'),
            ("day__c", None, "2026-01-02"),
        }
        assert {edit["event_description"] for edit in edits} == {
            f'"Text" changed from "a" to ""{n}",\\"',
            '"Day" set to "2026-01-02"',
        }
        assert (created["action"], created["field_name"], created["new_value"]) == (
            "Create",
            None,
            None,
        )
        entries = [*edits, created]
        assert {entry["record_id"] for entry in entries} == {together[n]}
        own = [int(entry["id"]) for entry in entries]
        assert own == sorted(own, reverse=True)
        ids.update(entry["id"] for entry in entries)
    assert len(ids) == 9


async def test_pages_have_each_entry_once(admin: Api, together: list[str]) -> None:
    whole = await pages(admin, 1000, objects="audited__c")
    own = [row for row in whole if row["record_id"] in set(together)]
    assert len(own) == 3 * MANY
    assert len({row["id"] for row in whole}) == len(whole)
    # The latest first, and those of a call in the order of its rows.
    moments = [(row["timestamp"], int(row["id"])) for row in whole]
    assert moments == sorted(moments, reverse=True)
    created = [row["record_id"] for row in own if row["action"] == "Create"]
    assert created == together[::-1]
    assert await pages(admin, 53, objects="audited__c") == whole
    edits = await pages(admin, 1000, objects="audited__c", events="edit")
    assert edits == [row for row in whole if row["action"] == "Edit"]


async def test_an_export_has_each_entry_once(
    admin: Api, vault: Vault, together: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.vault.audit.audit_service.PAGE", 37)
    caller = await vault.security.sessions.caller(admin.session_id)
    wanted = AuditFilter(objects=("audited__c",))
    exported = [
        row
        async for page in vault.audit.every(caller, "object_audit_trail", wanted)
        for row in page
    ]
    assert exported == await pages(admin, 1000, objects="audited__c")
    assert sum(row["record_id"] in set(together) for row in exported) == 3 * MANY


async def test_queries_find_them(admin: Api, together: list[str]) -> None:
    first, other = together[0], together[200]
    own = f"record_id BETWEEN '{first}' AND '{together[-1]}'"
    conditions = {
        f"record_id = '{first}'": 3,
        f"record_id CONTAINS ('{first}', '{other}', 'V00000000000000')": 6,
        f"record_id = '{first}' AND field_name = 'text__c'": 1,
        f"record_id = '{first}' OR record_id = '{other}'": 6,
        f"record_id != '{first}' AND record_id CONTAINS ('{first}', '{other}')": 3,
        f"{own} AND object_name = 'audited__c'": 3 * MANY,
        f"{own} AND record_id != '{first}'": 3 * (MANY - 1),
        f"{own} AND old_value = 'a'": MANY,
    }
    for condition, expected in conditions.items():
        text = f"SELECT id, record_id FROM object_audit_trail WHERE {condition}"
        for order in ("", " ORDER BY timestamp DESC, id DESC"):
            answer = await admin.query(text + order)
            assert answer.body["responseDetails"]["total"] == expected, condition
            assert len({row["id"] for row in answer.data}) == expected


async def test_records_far_from_each_other_have_rows_of_their_own(
    admin: Api, vault: Vault, together: list[str]
) -> None:
    async with vault.database.connection() as connection:
        # As many ids as other processes may have taken meanwhile.
        await connection.execute(
            "SELECT nextval('platform.record_id_block') FROM generate_series(1, 20)"
        )
    taken: list[str] = []
    while len(taken) <= BLOCK:
        rows = [{"name__v": "next"}] * 500
        taken += (await admin.post(RECORDS, json=rows)).ids
    chosen = [*together[:9], taken[-1]]
    before = await rows_of(vault, chosen)
    await admin.put(RECORDS, json=[{"id": each, "text__c": "z"} for each in chosen])
    assert (await rows_of(vault, chosen))[len(before) :] == [None] * 10
    for each in chosen:
        latest, *_ = await trail_of(admin, each)
        assert latest["new_value"] == "z"

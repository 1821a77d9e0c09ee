"""Lineage of calls with many records: stored in few rows, read and removed record by record."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from shared.vault.assembly.vault import Vault
from tests.service.vault.objects import ITEMS, begin_block, key
from tests.service.vault.served import Api
from tests.service.vault.test_lineage import CALLS, LINEAGE, lineage, upsert

MANY = 230
# The rows of a message, and the number of their records.
ROWS = """
SELECT cardinality(record_ids) AS records FROM platform.lineage l JOIN platform.lineage_call k ON k.id = l.call
WHERE k.message_id = $1 ORDER BY l.ctid
"""
AGE = "UPDATE platform.lineage_call SET written = now() - $2::interval WHERE message_id = ANY($1)"


async def written(
    api: Api, message: str, names: list[str], **fields: object
) -> list[str]:
    """The ids of records that one call has written; the last one of another origin than the others."""
    await begin_block(api, len(names))
    rows = [
        {
            "key__c": name,
            "lineage__sys": [int(name == names[-1]), message, f"of {name}"],
            **fields,
        }
        for name in names
    ]
    answer = await upsert(api, *rows)
    assert {row["responseStatus"] for row in answer.data} == {"SUCCESS"}, answer.text
    return answer.ids


async def rows_of(vault: Vault, message: str) -> list[int | None]:
    async with vault.database.connection() as connection:
        return [row["records"] for row in await connection.fetch(ROWS, message)]


async def calls_of(vault: Vault, message: str) -> int:
    async with vault.database.connection() as connection:
        return int(await connection.fetchval(CALLS, message))


async def told(admin: Api, message: str, **params: int) -> list[dict[str, Any]]:
    page = await admin.get(f"{LINEAGE}/messages/{message}", params=params)
    rows: list[dict[str, Any]] = page.data
    return rows


async def test_many_records_are_few_rows(
    vault: Vault, integration: Api, admin: Api
) -> None:
    message, names = key(), [key() for _ in range(MANY)]
    ids = await written(integration, message, names, number__c=1)
    assert sorted(await rows_of(vault, message), key=str) == [76, 76, 77, None]
    whole = await told(admin, message, limit=1000)
    assert [row["record_id"] for row in whole] == sorted(ids[:-1]) + ids[-1:]
    assert {row["record_id"]: row["source_record_id"] for row in whole} == {
        record: f"of {name}" for record, name in zip(ids, names, strict=True)
    }
    assert await told(admin, message, limit=50, offset=100) == whole[100:150]
    for n in (0, 100, MANY - 1):
        fields = await lineage(admin, ids[n])
        assert set(fields) == {"key__c", "name__v", "number__c"}
        assert {each["source_record_id"] for each in fields.values()} == {
            f"of {names[n]}"
        }
        assert {each["changed_since"] for each in fields.values()} == {None}


async def test_a_later_change_of_one_is_its_own(
    integration: Api, admin: Api, user: Api
) -> None:
    names = [key() for _ in range(20)]
    ids = await written(integration, key(), names, number__c=1)
    second = key()
    await written(integration, second, names, number__c=2)
    changes = [{"id": each, "number__c": 5 + n} for n, each in enumerate(ids[:12])]
    assert (await user.put(ITEMS, json=changes)).status == "SUCCESS"
    for n, record in enumerate(ids):
        number = (await lineage(admin, record))["number__c"]
        assert number["message_id"] == second
        assert (number["changed_since"] is not None) == (n < 12)


async def test_records_are_deleted_one_by_one(
    vault: Vault, integration: Api, admin: Api
) -> None:
    message, names = key(), [key() for _ in range(21)]
    ids = await written(integration, message, names)
    assert await calls_of(vault, message) == 2
    await admin.delete(f"{ITEMS}/{ids[3]}")
    await admin.delete(ITEMS, json=[{"id": each} for each in (*ids[5:9], ids[-1])])
    left = [*ids[:3], ids[4], *ids[9:-1]]
    rows = await told(admin, message)
    assert [row["record_id"] for row in rows] == sorted(left)
    by_id = dict(zip(ids, names, strict=True))
    assert all(
        row["source_record_id"] == f"of {by_id[row['record_id']]}" for row in rows
    )
    assert await rows_of(vault, message) == [len(left)]
    await admin.delete(ITEMS, json=[{"id": each} for each in left])
    assert await told(admin, message) == []
    assert await rows_of(vault, message) == []
    assert await calls_of(vault, message) == 0


async def test_deletions_at_once_remove_what_they_share(
    vault: Vault, integration: Api, admin: Api
) -> None:
    messages = [key(), key()]
    names = [key() for _ in range(20)]
    ids = await written(integration, messages[0], names, number__c=0)
    assert await written(integration, messages[1], names, number__c=1) == ids
    # Each of them removes records from the same rows.
    answers = await asyncio.gather(
        *(
            admin.delete(ITEMS, json=[{"id": each} for each in ids[n::5]])
            for n in range(5)
        )
    )
    assert {answer.status for answer in answers} == {"SUCCESS"}
    for message in messages:
        assert await rows_of(vault, message) == []


async def test_what_was_overwritten_is_purged_from_its_row(
    vault: Vault, integration: Api, admin: Api
) -> None:
    names = [key() for _ in range(20)]
    first, second, third = key(), key(), key()
    await written(integration, first, names, number__c=1)
    ids = await written(integration, second, names, number__c=2)
    await written(integration, third, names[:12], number__c=3)
    async with vault.database.connection() as connection:
        old = [first, second, third]
        await connection.execute(AGE, old, timedelta(days=31))
    await vault.lineage.purge()
    # The first write still tells of keys and names, the second one of the numbers of other records.
    totals = {message: len(await told(admin, message)) for message in old}
    assert totals == {first: 20, second: 8, third: 12}
    for n, record in enumerate(ids):
        number = (await lineage(admin, record))["number__c"]
        assert number["message_id"] == (third if n < 12 else second)

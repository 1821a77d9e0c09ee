"""Copies of records: an older state of the source never overwrites a newer one."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.model.field_types import array_text
from shared.vault.records.batch_values import array_of
from shared.vault.records.record_statements import update_statement
from tests.service.vault.objects import ITEMS, key, record
from tests.service.vault.served import Answer, Api

FIELD = "source_modified_date__sys"
UPSERT = f"{ITEMS}?idParam=key__c"
HOT = "SELECT pg_stat_get_xact_tuples_hot_updated('records.item__c'::regclass)"
EARLIER, NOON, LATER = (f"2025-01-31T{hour}:00:00.000Z" for hour in (11, 12, 13))


async def upsert(
    api: Api, name: str, number: int, moment: str | None
) -> dict[str, Any]:
    row = {"name__v": "item", "key__c": name, "number__c": number, FIELD: moment}
    answer = await api.post(UPSERT, json=[row])
    result: dict[str, Any] = answer.data[0]
    return result


async def stored(api: Api, name: str) -> tuple[int, str]:
    (row,) = (
        await api.query(
            f"SELECT number__c, {FIELD} FROM item__c WHERE key__c = '{name}'"
        )
    ).data
    return row["number__c"], row[FIELD]


async def test_a_later_state_is_written_and_kept(integration: Api) -> None:
    name = key()
    for number, moment in ((1, NOON), (2, LATER)):
        assert (await upsert(integration, name, number, moment))[
            "responseStatus"
        ] == "SUCCESS"
        assert await stored(integration, name) == (number, moment)


async def test_an_older_state_is_left_out(integration: Api) -> None:
    name = key()
    await upsert(integration, name, 1, NOON)
    for moment in (EARLIER, NOON):
        result = await upsert(integration, name, 2, moment)
        assert result["responseStatus"] == "WARNING"
        assert result["warnings"][0]["warning_type"] == "NEWER_SOURCE_STATE"
        assert result["data"][FIELD] == NOON
        assert await stored(integration, name) == (1, NOON)


async def version(api: Api, vault: Vault, name: str) -> tuple[str, str]:
    """Return the record's modified date, and the place of its stored version."""
    answer = await api.query(
        f"SELECT modified_date__v FROM item__c WHERE key__c = '{name}'"
    )
    async with vault.database.connection() as connection:
        place = await connection.fetchval(
            "SELECT ctid::text || xmin::text FROM records.item__c WHERE key__c = $1",
            name,
        )
    return answer.data[0]["modified_date__v"], place


@pytest.mark.parametrize(
    ("moment", "kept", "written"),
    [
        pytest.param(EARLIER, NOON, False, id="earlier"),
        pytest.param(NOON, NOON, False, id="the same"),
        pytest.param(LATER, LATER, True, id="later"),
    ],
)
async def test_the_same_values_again_are_written_for_a_later_moment_only(
    integration: Api, vault: Vault, moment: str, kept: str, *, written: bool
) -> None:
    name = key()
    await upsert(integration, name, 1, NOON)
    before, place = await version(integration, vault, name)
    result = await upsert(integration, name, 1, moment)
    after, following = await version(integration, vault, name)
    assert result["responseStatus"] == "SUCCESS"
    assert await stored(integration, name) == (1, kept)
    assert after == before, "the record itself has not changed"
    assert (following != place) is written


async def test_after_a_state_was_left_out_the_same_values_grow_the_moment_once(
    integration: Api, vault: Vault
) -> None:
    name = key()
    await upsert(integration, name, 1, NOON)
    left_out = await upsert(integration, name, 2, NOON)
    assert left_out["data"][FIELD] == NOON
    assert await stored(integration, name) == (1, NOON)
    grown = NOON[:-2] + "1Z"
    for _ in range(2):
        await upsert(integration, name, 1, NOON)
        assert await stored(integration, name) == (1, grown)
    # What its sender has read again may be a state in between.
    assert (await upsert(integration, name, 2, grown))["responseStatus"] == "WARNING"


async def test_a_value_that_came_and_went_keeps_the_states_between_out(
    integration: Api,
) -> None:
    name = key()
    await upsert(integration, name, 1, EARLIER)
    await upsert(integration, name, 1, LATER)
    assert (await upsert(integration, name, 2, NOON))["responseStatus"] == "WARNING"
    assert await stored(integration, name) == (1, LATER)


async def test_a_record_without_a_state_takes_any(integration: Api) -> None:
    name = key()
    await upsert(integration, name, 1, None)
    assert (await upsert(integration, name, 2, EARLIER))["responseStatus"] == "SUCCESS"
    assert await stored(integration, name) == (2, EARLIER)


async def test_updates_by_id_are_guarded_too(integration: Api) -> None:
    name = key()
    created = await upsert(integration, name, 1, NOON)
    row = {"id": created["data"]["id"], "number__c": 2, FIELD: EARLIER}
    answer = await integration.put(ITEMS, json=[row])
    assert answer.status == "WARNING"
    assert await stored(integration, name) == (1, NOON)


async def test_what_users_change_is_not_guarded(integration: Api, user: Api) -> None:
    name = key()
    created = await upsert(integration, name, 1, NOON)
    answer = await user.put(ITEMS, json=[{"id": created["data"]["id"], "number__c": 5}])
    assert answer.status == "SUCCESS"
    assert await stored(integration, name) == (5, NOON)


async def test_the_state_is_no_business_of_users(user: Api) -> None:
    answer = await user.post(
        ITEMS, json=[{"name__v": "item", "key__c": key(), FIELD: NOON}]
    )
    assert answer.error == "INSUFFICIENT_ACCESS"


async def test_of_many_states_sent_at_once_the_last_one_stays(integration: Api) -> None:
    names = [key() for _ in range(50)]
    moments = [
        datetime(2025, 1, 31, 12, tzinfo=UTC) + timedelta(milliseconds=n)
        for n in range(20)
    ]

    async def send(number: int) -> Answer:
        moment = (
            moments[number].isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
        mixed = random.Random(number).sample(names, len(names))
        rows = [
            {"name__v": "item", "key__c": name, "number__c": number, FIELD: moment}
            for name in mixed
        ]
        return await integration.post(UPSERT, json=rows)

    answers = await asyncio.gather(
        *(send(n) for n in random.Random(0).sample(range(20), 20))
    )
    assert {row["responseStatus"] for answer in answers for row in answer.data} <= {
        "SUCCESS",
        "WARNING",
    }
    for name in names:
        assert (await stored(integration, name))[0] == 19


async def test_every_change_has_a_later_modified_date(integration: Api) -> None:
    name = key()
    created = await upsert(integration, name, 0, None)
    dates = [
        (await record(integration, "item__c", created["data"]["id"]))[
            "modified_date__v"
        ]
    ]
    for number in range(1, 30):
        await upsert(integration, name, number, None)
        dates.append(
            (await record(integration, "item__c", created["data"]["id"]))[
                "modified_date__v"
            ]
        )
    assert dates == sorted(set(dates))


async def test_a_moment_alone_is_written_without_an_entry_in_any_index(
    integration: Api, vault: Vault
) -> None:
    rows = [{"name__v": "item", "key__c": key(), FIELD: NOON} for _ in range(10)]
    created = await integration.post(UPSERT, json=rows)
    ids = [row["data"]["id"] for row in created.data]
    target = vault.components.registry.objects["item__c"]
    sql = update_statement(target, [target.fields[FIELD]])
    async with vault.database.transaction() as connection:
        later = datetime(2025, 1, 31, 13, tzinfo=UTC)
        # What this connection has done before may not have been told to the others yet.
        before = await connection.fetchval(HOT)
        moments = array_of(target.fields[FIELD], [later] * len(ids))
        await connection.execute(sql, array_text(ids), moments)
        hot = await connection.fetchval(HOT)
    assert hot - before == len(ids)

"""Many callers at once: nothing is lost, nothing is doubled, and no caller sees the others."""

from __future__ import annotations

import asyncio
import random
from collections import Counter

from tests.service.vault.objects import ITEMS, OWNERS, items, key, outcomes, owner
from tests.service.vault.served import Answer, Api

CALLERS = 10


def counted(answers: list[Answer]) -> Counter[str]:
    return Counter(outcome for answer in answers for outcome in outcomes(answer))


async def test_upserts_of_the_same_keys_all_succeed(user: Api) -> None:
    names = [key() for _ in range(200)]
    path = f"{ITEMS}?idParam=key__c"

    def rows(caller: int) -> list[dict[str, object]]:
        mixed = random.Random(caller).sample(names, len(names))
        return [
            {"name__v": "item", "key__c": name, "number__c": caller} for name in mixed
        ]

    answers = await asyncio.gather(
        *(user.post(path, json=rows(n)) for n in range(CALLERS))
    )
    assert counted(answers) == {"SUCCESS": CALLERS * len(names)}
    events = Counter(row["data"]["event"] for answer in answers for row in answer.data)
    assert events["created__sys"] == len(names)
    assert len({record_id for answer in answers for record_id in answer.ids}) == len(
        names
    )


async def test_creates_of_the_same_keys_succeed_once_each(user: Api) -> None:
    first, second = [key() for _ in range(100)], [key() for _ in range(100)]

    def rows(caller: int) -> list[dict[str, str]]:
        mixed = random.Random(caller)
        pairs = zip(mixed.sample(first, 100), mixed.sample(second, 100), strict=True)
        return [
            {"name__v": "item", "key__c": one, "second_key__c": two}
            for one, two in pairs
        ]

    answers = await asyncio.gather(
        *(user.post(ITEMS, json=rows(n)) for n in range(CALLERS))
    )
    ids = [
        row["data"]["id"]
        for answer in answers
        for row in answer.data
        if row["responseStatus"] == "SUCCESS"
    ]
    assert len(set(ids)) == len(ids) <= 100
    assert set(counted(answers)) == {"SUCCESS", "OPERATION_NOT_ALLOWED"}


async def test_updates_in_any_order_never_wait_for_each_other_for_ever(
    user: Api,
) -> None:
    ids = await items(user, 100)

    def rows(caller: int) -> list[dict[str, object]]:
        return [
            {"id": i, "number__c": caller}
            for i in random.Random(caller).sample(ids, len(ids))
        ]

    answers = await asyncio.gather(
        *(user.put(ITEMS, json=rows(n)) for n in range(CALLERS))
    )
    assert counted(answers) == {"SUCCESS": CALLERS * len(ids)}


async def test_updates_references_and_deletions_side_by_side(admin: Api) -> None:
    owners = [await owner(admin) for _ in range(30)]
    ids = await items(admin, 60)

    def references(n: int) -> list[dict[str, object]]:
        return [
            {"id": i, "owner__c": random.Random(f"{n}{i}").choice(owners)} for i in ids
        ]

    calls = []
    for n in range(4):
        calls += [
            admin.put(ITEMS, json=references(n)),
            admin.delete(OWNERS, json=[{"id": i} for i in owners[n::4]]),
        ]
        calls += [admin.delete(ITEMS, json=[{"id": i} for i in ids[n::8]])]
    answers = await asyncio.gather(*calls)
    assert {answer.http_status for answer in answers} == {200}
    assert set(counted(answers)) <= {
        "SUCCESS",
        "WARNING",
        "INVALID_DATA",
        "OPERATION_NOT_ALLOWED",
    }
    left = await admin.query(
        "SELECT id, owner__c, owner__cr.id FROM item__c WHERE owner__c != null"
    )
    kept = {row["id"] for row in (await admin.query("SELECT id FROM owner__c")).data}
    assert {row["owner__c"] for row in left.data} <= kept

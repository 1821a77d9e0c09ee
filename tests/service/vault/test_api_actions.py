"""User actions through the public API: offered by state, run on one record or many."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.service.vault.served import Api

START = "Objectlifecyclestateuseraction.thing__c.new_state__c.start__c"

numbers = count(1)


async def things(api: Api, number: int) -> list[str]:
    rows = [
        {"name__v": "acted on", "key__c": f"A-{next(numbers)}"} for _ in range(number)
    ]
    return (await api.post("/vobjects/thing__c", json=rows)).ids


async def test_actions_of_a_record(user: Api) -> None:
    (record_id,) = await things(user, 1)
    path = f"/vobjects/thing__c/{record_id}/actions"
    (action,) = (await user.get(path)).data
    assert (action["name"], action["label"], action["type"]) == (
        START,
        "Start",
        "state_change",
    )
    links = {link["rel"]: link for link in action["links"]}
    assert links["execute"]["method"] == "POST"
    assert (await user.get(links["metadata"]["href"])).data == action
    assert (await user.get(f"{path}/{START}x")).error == "INSUFFICIENT_ACCESS"


@pytest.mark.parametrize(
    "body",
    [{"data": {"note__c": "prompted"}}, {"json": {"note__c": "prompted"}}],
    ids=["form", "json"],
)
async def test_run_on_one_record(user: Api, body: dict[str, Any]) -> None:
    (record_id,) = await things(user, 1)
    path = f"/vobjects/thing__c/{record_id}"
    answer = await user.post(f"{path}/actions/{START}", **body)
    assert answer.body == {"responseStatus": "SUCCESS"}
    record = (await user.get(path)).data
    assert (record["state__v"], record["note__c"]) == (["started_state__c"], "prompted")
    assert (await user.get(f"{path}/actions")).data == []


@pytest.mark.parametrize(
    "content_type", ["application/x-www-form-urlencoded", "application/json"]
)
async def test_an_empty_body_is_no_prompts(user: Api, content_type: str) -> None:
    (record_id,) = await things(user, 1)
    path = f"/vobjects/thing__c/{record_id}/actions/{START}"
    assert (
        await user.post(path, data=b"", headers={"Content-Type": content_type})
    ).status == "SUCCESS"
    again = await user.post(path, json={})
    assert (again.http_status, again.status) == (200, "FAILURE")


async def test_a_field_that_is_no_prompt(user: Api) -> None:
    (record_id,) = await things(user, 1)
    answer = await user.post(
        f"/vobjects/thing__c/{record_id}/actions/{START}", data={"key__c": "x"}
    )
    assert answer.error == "ATTRIBUTE_NOT_SUPPORTED"


async def test_run_on_many_records(user: Api) -> None:
    ids = await things(user, 3)
    await user.post(f"/vobjects/thing__c/{ids[1]}/actions/{START}")
    answer = await user.post(
        f"/vobjects/thing__c/actions/{START}", data={"ids": ",".join(ids)}
    )
    assert answer.status == "SUCCESS"
    assert [(row["id"], row["responseStatus"]) for row in answer.data] == list(
        zip(ids, ["SUCCESS", "FAILURE", "SUCCESS"], strict=True)
    )


async def test_run_on_none_or_too_many(user: Api) -> None:
    path = f"/vobjects/thing__c/actions/{START}"
    assert (await user.post(path)).error == "PARAMETER_REQUIRED"
    assert (
        await user.post(path, data={"ids": ",".join(["ZTH1"] * 501)})
    ).error == "INVALID_DATA"

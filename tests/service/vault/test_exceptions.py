"""User exceptions written by connectors: once, with correct counts, ignored, retried one by one and all at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

import pytest

from local.polling import answers_within
from services.connector.processing.exception_records import (
    ExceptionRecords,
    Recorded,
)
from services.connector.processing.message_failure import (
    MessageErrorType,
    MessageFailure,
)
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from shared.client import VaultClient
from shared.spark.envelope import Envelope, Message
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.jobs.job_model import Job, JobStatus
from tests.service.vault.objects import key
from tests.service.vault.served import PASSWORD, USERNAMES, Api

MESSAGES, ITEMS = "/vobjects/exception_message__sys", "/vobjects/exception_item__sys"
RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"
IGNORE = "Objectaction.exception_message__sys.ignore__sys"
IGNORE_ITEM = "Objectaction.exception_item__sys.ignore__sys"
REASON = ItemFailure(
    ItemErrorType.FIELD_VALUE, "too long", "a_rule__c", "a_field_rule__c", "a_field__c"
)


@pytest.fixture
async def connectors(api: Api) -> AsyncIterator[list[ExceptionRecords]]:
    """The exception writers of four connectors."""
    async with AsyncExitStack() as stack:
        made = [
            VaultClient(api.url, USERNAMES["integration"], PASSWORD) for _ in range(4)
        ]
        yield [
            ExceptionRecords(await stack.enter_async_context(client)) for client in made
        ]


def failure(
    message_id: str, items: dict[str, ItemFailure], queue: str = "in__c", **ids: str
) -> MessageFailure:
    names = tuple(items) or ("V4T1", "V4T2")
    now = datetime.now(UTC)
    message = Message({"object": "x__c", "integration_point": "p__c"}, names)
    return MessageFailure(
        message_id=message_id,
        queue=queue,
        error_type=MessageErrorType.PROCESSING
        if items
        else MessageErrorType.CONFIGURATION,
        text="failed",
        body=Envelope("V", "h", queue, now, now, 1, message_id, message).recorded(
            20202
        ),
        received=len(names),
        failed=len(names),
        object="x__c",
        integration=ids.get("integration"),
        integration_point=ids.get("integration_point"),
        items=items,
    )


async def message(admin: Api, message_id: str) -> dict[str, Any]:
    fields = (
        "id, error_status__sys, message_items_failed__sys, message_items_received__sys"
    )
    query = f"SELECT {fields} FROM exception_message__sys WHERE message_id__sys = '{message_id}'"
    (row,) = (await admin.query(query)).data
    return {
        **row,
        "error_status__sys": row["error_status__sys"][0].removesuffix("__sys"),
    }


async def items(admin: Api, message_id: str) -> dict[str, tuple[str, str]]:
    """Record id and status by item."""
    query = (
        "SELECT id, item__sys, error_status__sys FROM exception_item__sys "
        f"WHERE exception_message__sysr.message_id__sys = '{message_id}'"
    )
    rows = (await admin.query(query)).data
    return {
        row["item__sys"]: (row["id"], row["error_status__sys"][0].removesuffix("__sys"))
        for row in rows
    }


async def statuses(admin: Api, message_id: str) -> dict[str, str]:
    return {
        item: status for item, (_, status) in (await items(admin, message_id)).items()
    }


async def shown(admin: Api, message_id: str) -> tuple[str, int]:
    row = await message(admin, message_id)
    return row["error_status__sys"], row["message_items_failed__sys"]


async def point(admin: Api) -> dict[str, str]:
    """An integration and a point of the test's own."""
    connection = (
        await admin.query(
            "SELECT id FROM connection__sys WHERE api_name__sys = 'medical_crm__v'"
        )
    ).data[0]
    name = key().lower().replace("-", "_") + "__c"
    row = {
        "name__v": name,
        "integration_api_name__sys": name,
        "connection__sys": connection["id"],
    }
    (integration,) = (await admin.post("/vobjects/integration__sys", json=[row])).ids
    row = {
        "name__v": name,
        "integration_point_api_name__sys": name,
        "integration__sys": integration,
    }
    row["direction__sys"] = "inbound__sys"
    (made,) = (await admin.post("/vobjects/integration_point__sys", json=[row])).ids
    return {"integration": integration, "integration_point": made, "name": name}


async def run(admin: Api, path: str, record_id: str, action: str) -> str:
    answer = await admin.post(f"{path}/{record_id}/actions/{action}")
    return answer.status if answer.status == "SUCCESS" else answer.error


async def test_several_connectors_record_a_large_message_once(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    message_id = key()
    failed = {f"V4T{n:012d}": REASON for n in range(500)}
    await asyncio.gather(
        *(each.record([failure(message_id, failed)]) for each in connectors)
    )
    assert await shown(admin, message_id) == ("open", 500)
    assert len(await items(admin, message_id)) == 500


async def test_several_connectors_resolve_one_message_between_them(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    message_id, at = key(), await point(admin)
    ids = {
        "integration": at["integration"],
        "integration_point": at["integration_point"],
    }
    names = [f"V4T{message_id}{n}" for n in range(4)]
    await connectors[0].record(
        [failure(message_id, dict.fromkeys(names, REASON), **ids)]
    )
    resolving = (
        each.resolve((), ids["integration_point"], [name])
        for each, name in zip(connectors, names, strict=True)
    )
    await asyncio.gather(*resolving)
    assert await statuses(admin, message_id) == dict.fromkeys(names, "resolved")
    assert await shown(admin, message_id) == ("resolved", 0)


async def test_a_retry_sends_what_failed_and_ends_as_it_ends(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    connector, message_id, at = connectors[0], key(), await point(admin)
    ids = {
        "integration": at["integration"],
        "integration_point": at["integration_point"],
    }
    await connector.record(
        [failure(message_id, {"a": REASON, "b": REASON, "c": REASON}, **ids)]
    )
    await connector.resolve((), ids["integration_point"], ["a"])
    assert await shown(admin, message_id) == ("open", 2)
    record_id = str((await message(admin, message_id))["id"])
    assert await run(admin, MESSAGES, record_id, RETRY) == "SUCCESS"
    assert await statuses(admin, message_id) == {
        "a": "resolved",
        "b": "retrying",
        "c": "retrying",
    }
    assert await shown(admin, message_id) == ("retrying", 2)
    await connector.record([failure(message_id, {"c": REASON}, **ids)])
    await connector.resolve((), ids["integration_point"], ["b"])
    assert await statuses(admin, message_id) == {
        "a": "resolved",
        "b": "resolved",
        "c": "open",
    }
    row = await message(admin, message_id)
    assert (row["error_status__sys"], row["message_items_failed__sys"]) == ("open", 1)
    assert row["message_items_received__sys"] == 3, (
        "the first record of a message keeps what was received"
    )


async def test_a_retry_that_fails_as_a_whole_opens_the_items_again(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    connector, message_id = connectors[0], key()
    await connector.record([failure(message_id, {"a": REASON, "b": REASON})])
    await run(admin, MESSAGES, str((await message(admin, message_id))["id"]), RETRY)
    await connector.record([failure(message_id, {})])
    assert await statuses(admin, message_id) == {"a": "open", "b": "open"}
    assert await shown(admin, message_id) == ("open", 2)


async def test_what_is_ignored_stays_ignored(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    connector, message_id = connectors[0], key()
    failed = failure(message_id, {"a": REASON, "b": REASON})
    await connector.record([failed])
    by_item = await items(admin, message_id)
    assert await run(admin, ITEMS, by_item["a"][0], IGNORE_ITEM) == "SUCCESS"
    assert await shown(admin, message_id) == ("open", 1)
    await connector.record([failed])
    assert await statuses(admin, message_id) == {"a": "ignored", "b": "open"}
    record_id = str((await message(admin, message_id))["id"])
    assert await run(admin, MESSAGES, record_id, IGNORE) == "SUCCESS"
    assert await statuses(admin, message_id) == {"a": "ignored", "b": "ignored"}
    assert await shown(admin, message_id) == ("ignored", 0)
    await connector.record([failed])
    assert await shown(admin, message_id) == ("ignored", 0)
    assert await run(admin, MESSAGES, record_id, RETRY) == "OPERATION_NOT_ALLOWED"


async def test_several_connectors_find_one_record_failing_in_one_exception(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    at, names = await point(admin), [f"V4T{key()}{n}" for n in range(20)]
    ids = {"integration_point": at["integration_point"]}
    messages = [key() for _ in connectors]
    failed = dict.fromkeys(names, REASON)
    recording = (
        connector.record([failure(message_id, failed, **ids)])
        for connector, message_id in zip(connectors, messages, strict=True)
    )
    await asyncio.gather(*recording)
    query = (
        "SELECT item__sys, exception_message__sys FROM exception_item__sys WHERE error_status__sys = 'open__sys' "
        f"AND exception_message__sysr.integration_point__sys = '{at['integration_point']}'"
    )
    rows = (await admin.query(query)).data
    assert sorted(row["item__sys"] for row in rows) == sorted(names)
    query = (
        "SELECT id, message_items_failed__sys FROM exception_message__sys WHERE error_status__sys = 'open__sys' "
        f"AND integration_point__sys = '{at['integration_point']}'"
    )
    messages_open = (await admin.query(query)).data
    # A message whose items have all gone to another one is none.
    assert {row["id"] for row in messages_open} == {
        row["exception_message__sys"] for row in rows
    }
    assert sum(row["message_items_failed__sys"] for row in messages_open) == 20


async def test_a_message_of_which_one_item_is_ignored_is_ignored_when_the_rest_is_resolved(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    connector, message_id, at = connectors[0], key(), await point(admin)
    ids = {"integration_point": at["integration_point"]}
    one, other = f"V4T{key()}", f"V4T{key()}"
    failed = failure(message_id, {one: REASON, other: REASON}, **ids)
    await connector.record([failed])
    by_item = await items(admin, message_id)
    assert await run(admin, ITEMS, by_item[one][0], IGNORE_ITEM) == "SUCCESS"
    await connector.resolve((), at["integration_point"], [other])
    assert await statuses(admin, message_id) == {one: "ignored", other: "resolved"}
    assert await shown(admin, message_id) == ("ignored", 0)
    recorded = await connector.record([failure(key(), {one: REASON}, **ids)])
    assert recorded == Recorded(0, frozenset([one]))
    assert await statuses(admin, message_id) == {one: "ignored", other: "resolved"}
    await connector.resolve((), at["integration_point"], [one])
    assert await shown(admin, message_id) == ("resolved", 0)
    await connector.record([failure(again := key(), {one: REASON}, **ids)])
    assert await statuses(admin, again) == {one: "open"}
    assert await shown(admin, message_id) == ("resolved", 0)


async def test_what_is_resolved_cannot_be_ignored(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    message_id = key()
    await connectors[0].record([failure(message_id, {})])
    await connectors[0].resolve([message_id], None, ())
    assert await shown(admin, message_id) == ("resolved", 0)
    record_id = str((await message(admin, message_id))["id"])
    assert await run(admin, MESSAGES, record_id, IGNORE) == "OPERATION_NOT_ALLOWED"


async def test_a_lifecycle_of_ones_own_stops_nothing(
    connectors: list[ExceptionRecords], admin: Api
) -> None:
    lifecycle = """
    RECREATE Objectlifecycle exception_states__c ( label('States'), starting_state('new__c'),
      Objectlifecyclestate new__c ( label('New'),
        Objectlifecyclestateuseraction seen__c ( label('Seen'), action('change_state'), next_state('seen__c') ) ),
      Objectlifecyclestate seen__c ( label('Seen') ) );
    ALTER Object exception_message__sys ( lifecycle('Objectlifecycle.exception_states__c') );
    """
    answer = await admin.post("/api/mdl/execute", data=lifecycle)
    assert answer.status == "SUCCESS", answer.text
    try:
        connector, message_id, at = connectors[0], key(), await point(admin)
        ids = {
            "integration": at["integration"],
            "integration_point": at["integration_point"],
        }
        await connector.record([failure(message_id, {"a": REASON, "b": REASON}, **ids)])
        record_id = str((await message(admin, message_id))["id"])
        assert (await admin.get(f"{MESSAGES}/{record_id}")).data["state__v"] == [
            "new__c"
        ]
        seen = "Objectlifecyclestateuseraction.exception_message__sys.new__c.seen__c"
        assert await run(admin, MESSAGES, record_id, seen) == "SUCCESS"
        assert await run(admin, MESSAGES, record_id, RETRY) == "SUCCESS"
        await connector.record([failure(message_id, {"b": REASON}, **ids)])
        await connector.resolve((), ids["integration_point"], ["a", "b"])
        row = (await admin.get(f"{MESSAGES}/{record_id}")).data
        assert (row["state__v"], row["error_status__sys"]) == (
            ["seen__c"],
            ["resolved__sys"],
        )
    finally:
        await admin.post(
            "/api/mdl/execute",
            data="ALTER Object exception_message__sys ( lifecycle('') );",
        )


async def ended(vault: Vault, job_id: int) -> Job:
    found: list[Job] = []

    async def done() -> str | None:
        found[:] = [await vault.jobs.job(SYSTEM, job_id)]
        return None if found[0].run_end_date else found[0].status

    assert await answers_within(60, done) is None
    return found[0]


async def test_all_that_is_open_of_an_integration_is_retried_by_a_job(
    vault: Vault, connectors: list[ExceptionRecords], admin: Api
) -> None:
    connector, at = connectors[0], await point(admin)
    ids = {
        "integration": at["integration"],
        "integration_point": at["integration_point"],
    }
    good, bad, closed, elsewhere = [key() for _ in range(60)], key(), key(), key()
    await connector.record(
        [failure(message_id, {f"i{message_id}": REASON}, **ids) for message_id in good]
    )
    await connector.record(
        [failure(bad, {"bad": REASON}, **ids), failure(elsewhere, {"e": REASON})]
    )
    await connector.record([failure(closed, {"c": REASON}, queue="closed__c", **ids)])
    answer = await admin.post(
        "/services/exceptions/actions/retry", data={"integration": at["name"]}
    )
    assert answer.body["url"] == f"/api/v25.1/services/jobs/{answer.body['job_id']}"

    async def retried() -> str | None:
        states = [(await shown(admin, message_id))[0] for message_id in (good[-1], bad)]
        return None if states == ["retrying"] * 2 else str(states)

    assert await answers_within(60, retried) is None
    await connector.resolve(
        good, ids["integration_point"], [f"i{message_id}" for message_id in good]
    )
    await connector.record([failure(bad, {"bad": REASON}, **ids)])
    job = await ended(vault, answer.body["job_id"])
    assert job.status is JobStatus.ERRORS_ENCOUNTERED
    assert dict(job.results) == {
        "messages": 61,
        "refused": 1,
        "resolved": 60,
        "open": 1,
    }
    assert (await shown(admin, elsewhere))[0] == "open", "of another integration"
    tasks = (await admin.get(f"/services/jobs/{job.job_id}/tasks")).body["tasks"]
    assert {task["id"]: task["counts"] for task in tasks} == {
        "retry": {"messages": 61, "refused": 1},
        "outcome": {"resolved": 60, "open": 1},
    }


async def test_a_connection_without_open_exceptions_has_nothing_to_retry(
    vault: Vault, admin: Api
) -> None:
    answer = await admin.post(
        "/services/exceptions/actions/retry", data={"connection": "nothing__c"}
    )
    job = await ended(vault, answer.body["job_id"])
    assert (job.status, dict(job.results)) == (
        JobStatus.SUCCESS,
        {"messages": 0, "refused": 0},
    )
    assert (
        await admin.post("/services/exceptions/actions/retry", data={"queue": "x"})
    ).error == "ATTRIBUTE_NOT_SUPPORTED"

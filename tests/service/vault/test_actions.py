"""User actions: states, prompts, entry actions, and a result of its own for each record of a call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.service.vault.objects import (
    ITEMS,
    action,
    items,
    key,
    outcomes,
    owner,
    record,
)
from tests.service.vault.served import Answer, Api

GO = action("first__c", "go__c")
NOT_ALLOWED, INVALID, NO_ACCESS = (
    "OPERATION_NOT_ALLOWED",
    "INVALID_DATA",
    "INSUFFICIENT_ACCESS",
)
RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"


async def run(api: Api, ids: list[str], name: str, **prompts: str) -> Answer:
    return await api.post(
        f"{ITEMS}/actions/{name}", data={"ids": ",".join(ids), **prompts}
    )


async def state(api: Api, record_id: str) -> str:
    return str((await record(api, "item__c", record_id))["state__v"][0])


async def test_results_in_the_order_of_the_ids(user: Api) -> None:
    ids = await items(user, 3)
    await run(user, [ids[1]], GO)
    named = [ids[2], ids[1], "x" * 30, "a\x00b", "nobody", ids[0], ids[2]]
    answer = await run(user, named, GO)
    assert [row["id"] for row in answer.data] == named
    assert outcomes(answer) == [
        "SUCCESS",
        NOT_ALLOWED,
        INVALID,
        INVALID,
        INVALID,
        "SUCCESS",
        "SUCCESS",
    ]
    assert [await state(user, i) for i in ids] == ["second__c"] * 3


async def test_prompts_are_checked_as_any_value(user: Api) -> None:
    (record_id,) = await items(user, 1)
    for prompts in (
        {"text__c": "x" * 11},
        {"owner__c": "nobody"},
        {"sizes__c": "medium__c"},
    ):
        assert outcomes(await run(user, [record_id], GO, **prompts)) == [INVALID]
    for refused in ("key__c", "state__v", "id", "owner__cr.key__c"):
        assert (
            await run(user, [record_id], GO, **{refused: "x"})
        ).error == "ATTRIBUTE_NOT_SUPPORTED"
    wanted = await owner(user)
    assert outcomes(
        await run(user, [record_id], GO, owner__c=wanted, sizes__c="small__c,huge__c")
    ) == ["SUCCESS"]
    stored = await record(user, "item__c", record_id)
    assert (stored["owner__c"], stored["sizes__c"]) == (wanted, ["small__c", "huge__c"])


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "Objectlifecyclestateuseraction...",
        action("", "go__c"),
        action("first__c", "x"),
        f"{GO}.x",
        RETRY,
    ],
)
async def test_actions_that_are_not_there(user: Api, name: str) -> None:
    ids = await items(user, 1)
    assert (await run(user, ids, name)).error == NO_ACCESS
    assert (await user.get(f"{ITEMS}/{ids[0]}/actions/{name}")).status == "FAILURE"


async def test_an_action_by_one_name_in_two_states(user: Api) -> None:
    (record_id,) = await items(user, 1)
    await run(user, [record_id], GO)
    assert outcomes(await run(user, [record_id], GO)) == [NOT_ALLOWED]
    assert outcomes(await run(user, [record_id], action("second__c", "go__c"))) == [
        "SUCCESS"
    ]
    assert await state(user, record_id) == "first__c"


async def test_a_message_that_cannot_enter_its_queue_stops_nobody_where_the_queue_says_so(
    admin: Api,
) -> None:
    """With ``rollback_on_error`` (below) the change is refused.

    Without it an exception is recorded, and retried later.
    """
    closed = "RECREATE Queue closed__c ( label('Closed'), type('outbound'), active({}), rollback_on_error({}) );"
    await admin.post("/api/mdl/execute", data=closed.format("false", "false"))
    ids = await items(admin, 2)
    try:
        answer = await admin.post(
            f"{ITEMS}/actions/{action('first__c', 'shut__c')}",
            data={"ids": ",".join(ids)},
        )
        assert outcomes(answer) == ["SUCCESS"] * 2
        assert [(await record(admin, "item__c", i))["state__v"] for i in ids] == [
            ["shut__c"]
        ] * 2
        query = (
            "SELECT id, error_type__sys, error_message__sys, message_items_failed__sys, "
            "LONGTEXT(message_body_json__sys) FROM exception_message__sys "
            "WHERE queue__sys = 'closed__c' AND error_status__sys = 'open__sys'"
        )
        found = (await admin.query(query)).data
        (exception,) = [
            row for row in found if ids[0] in (row["message_body_json__sys"] or "")
        ]  # others have theirs
        assert exception["error_type__sys"] == ["message_delivery_error__sys"]
        assert "Queue [closed__c] is inactive" in exception["error_message__sys"]
        assert exception["message_items_failed__sys"] == 2
        assert all(i in exception["message_body_json__sys"] for i in ids)
        refused = await admin.post(
            f"/vobjects/exception_message__sys/{exception['id']}/actions/{RETRY}"
        )
        assert refused.error == "OPERATION_NOT_ALLOWED"
        await admin.post("/api/mdl/execute", data=closed.format("true", "false"))
        sent = await admin.post(
            f"/vobjects/exception_message__sys/{exception['id']}/actions/{RETRY}"
        )
        assert sent.status == "SUCCESS"
    finally:
        await admin.post("/api/mdl/execute", data=closed.format("false", "true"))


@pytest.mark.parametrize("name", ["none__c", "shut__c", "job__c", "wrong__c"])
async def test_an_action_that_the_vault_cannot_carry_out_changes_nothing(
    user: Api, name: str
) -> None:
    ids = await items(user, 2)
    answer = await run(user, ids, action("first__c", name))
    assert (answer.http_status, answer.error) == (200, NOT_ALLOWED)
    assert [await state(user, i) for i in ids] == ["first__c"] * 2


async def test_an_entry_action_that_sets_a_unique_field(user: Api, admin: Api) -> None:
    ids = await items(user, 3)
    answer = await run(user, ids, action("first__c", "same__c"))
    assert outcomes(answer) == ["SUCCESS", NOT_ALLOWED, NOT_ALLOWED]
    assert [await state(user, i) for i in ids] == ["same__c", "first__c", "first__c"]
    await admin.delete(ITEMS, json=[{"id": ids[0]}])


async def test_an_entry_action_with_a_reference_that_leads_nowhere(user: Api) -> None:
    ids = await items(user, 1)
    assert outcomes(await run(user, ids, action("first__c", "astray__c"))) == [INVALID]
    assert await state(user, ids[0]) == "first__c"


async def test_entry_actions_set_their_fields(user: Api) -> None:
    (record_id,) = await items(user, 1)
    assert outcomes(await run(user, [record_id], action("first__c", "stamp__c"))) == [
        "SUCCESS"
    ]
    stored = await record(user, "item__c", record_id)
    assert stored["sizes__c"] == ["small__c", "huge__c"]
    assert stored["moment__c"] >= stored["created_date__v"]
    assert stored["modified_by__v"] == 4


async def test_one_of_many_callers_changes_the_state(user: Api) -> None:
    ids = await items(user, 20)
    answers = await asyncio.gather(
        *(run(user, ids[n:] + ids[:n], GO) for n in range(8))
    )
    found = [outcome for answer in answers for outcome in outcomes(answer)]
    assert sorted(found) == [NOT_ALLOWED] * 140 + ["SUCCESS"] * 20


def envelope(message: Any) -> str:
    return (
        '{"vault_name":"v","vault_host_name":"h","queue_name":"q","enter_queue_timestamp":"2025-01-01T00:00:00Z",'
        f'"send_message_timestamp":"2025-01-01T00:00:00Z","send_attempt":1,"message_id":"m","message":{message}}}'
    )


async def exception(api: Api, body: str, **values: str) -> str:
    row = {
        "message_id__sys": key(),
        "queue__sys": "in__c",
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": "open__sys",
        "message_body_json__sys": body,
    }
    return (
        await api.post("/vobjects/exception_message__sys", json=[row | values])
    ).ids[0]


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "{}",
        '{"message":{"attributes":{},"items":["a"]}}',
        envelope('{"attributes":[1],"items":["a"]}'),
        envelope('{"attributes":{},"items":"abc"}'),
        envelope('{"attributes":{},"items":[]}'),
        envelope('{"attributes":{},"items":["' + "a" * 101 + '"]}'),
        envelope('{"attributes":{"a":"\\u0000"},"items":["a"]}'),
        envelope('{"attributes":{"a":"' + "x" * 260_000 + '"},"items":["a"]}'),
    ],
    ids=range(10),
)
async def test_a_message_that_cannot_be_sent_again(admin: Api, body: str) -> None:
    record_id = await exception(admin, body)
    path = f"/vobjects/exception_message__sys/{record_id}"
    answer = await admin.post(f"{path}/actions/{RETRY}")
    assert (answer.http_status, answer.error) == (200, NOT_ALLOWED)
    assert (await admin.get(path)).data["error_status__sys"] == ["open__sys"]


async def test_retry_needs_an_open_queue(admin: Api) -> None:
    body = envelope('{"attributes":{},"items":["a"]}')
    for queue in ("closed__c", "job__c", "none__c", ""):
        record_id = await exception(admin, body, queue__sys=queue)
        assert (
            await admin.post(
                f"/vobjects/exception_message__sys/{record_id}/actions/{RETRY}"
            )
        ).error == NOT_ALLOWED


async def test_retry_is_not_for_business_users(admin: Api, user: Api) -> None:
    record_id = await exception(admin, envelope('{"attributes":{},"items":["a"]}'))
    path = f"/vobjects/exception_message__sys/{record_id}/actions"
    assert (await user.get(path)).error == NO_ACCESS
    assert (await user.post(f"{path}/{RETRY}")).error == NO_ACCESS

"""Reports on deliveries: the queue log, the state of each connection, exceptions, delivery event handlers."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.polling import answers_within
from services.crm_vault.inquiries import NOT_DELIVERED
from shared.spark.envelope import Envelope, Message, format_moment
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.housekeeping import HOUSEKEEPING
from shared.vault.assembly.vault import Vault
from shared.vault.jobs.job_model import JobStatus
from tests.service.vault import inquiring
from tests.service.vault.inquiring import OBJECT, Crm
from tests.service.vault.objects import key, record
from tests.service.vault.served import Api

crm = inquiring.crm

QUEUES = "/services/queues"
MOMENT = datetime(2026, 1, 2, 12, tzinfo=UTC)


async def new_queue(admin: Api, *connections: str) -> str:
    """An outbound queue of the test's own with these connections."""
    name = f"{key().lower().replace('-', '_')}__c"
    parts = "".join(
        f", Queueconnection {c} ( connection_name('{c}'), deliver_to_queue('in__c') )"
        for c in connections
    )
    answer = await admin.post(
        "/api/mdl/execute",
        data=f"RECREATE Queue {name} ( label('Q'), type('outbound'){parts} );",
    )
    assert answer.status == "SUCCESS", answer.text
    return name


def row(
    message_id: str, connection: str, *, seconds: int = 0, **more: object
) -> dict[str, object]:
    moment = format_moment(MOMENT + timedelta(seconds=seconds))
    times = {"queue_time": moment, "send_time": moment, "attempts": 1}
    return {"message_id": message_id, "connection_name": connection, **times, **more}


def lost(
    message_id: str,
    connection: str,
    items: tuple[str, ...] = ("V4T1",),
    seconds: int = 0,
) -> dict[str, object]:
    message = Message(
        {"object": "medical_inquiry__v", "integration_point": "p__c"}, items
    )
    body = Envelope(
        "Vault", "localhost", "q", MOMENT, MOMENT, 1, message_id, message
    ).recorded(None)
    return row(
        message_id,
        connection,
        attempts=5,
        error="connection a__c is inactive",
        message=body,
        seconds=seconds,
    )


async def report(api: Api, queue: str, *rows: dict[str, object]) -> None:
    answer = await api.post(f"{QUEUES}/{queue}/deliveries", json=list(rows))
    assert answer.status == "SUCCESS", answer.text


async def log_of(admin: Api, queue: str) -> list[dict[str, Any]]:
    today = datetime.now(UTC).date().isoformat()
    found: list[dict[str, Any]] = (
        await admin.get(f"/services/queue_logs/{today}?queue={queue}")
    ).data
    return found


async def exceptions(admin: Api, message_id: str) -> list[dict[str, Any]]:
    fields = "id, error_type__sys, error_status__sys, error_message__sys, message_items_failed__sys, queue__sys"
    query = f"SELECT {fields} FROM exception_message__sys WHERE message_id__sys = '{message_id}'"
    found: list[dict[str, Any]] = (await admin.query(query)).data
    return found


async def test_each_connection_shows_its_latest_delivery(
    integration: Api, admin: Api
) -> None:
    queue, message_id = await new_queue(admin, "a__c", "b__c"), key()
    await report(
        integration, queue, row(message_id, "a__c"), lost(message_id, "b__c", seconds=5)
    )
    await report(
        integration, queue, row(key(), "b__c", seconds=1)
    )  # an earlier one, reported by another connector
    (shown,) = (await admin.get(f"{QUEUES}/{queue}")).data
    assert shown["connections"] == [
        {"name": "a__c", "last_message_delivered": "ok"},
        {
            "name": "b__c",
            "last_message_delivered": "error",
            "error": {
                "message_id": message_id,
                "date_time": "2026-01-02T12:00:05.000Z",
                "message": "connection a__c is inactive",
            },
        },
    ]
    await report(integration, queue, row(message_id, "b__c", seconds=9))
    (shown,) = (await admin.get(f"{QUEUES}/{queue}")).data
    assert [c["last_message_delivered"] for c in shown["connections"]] == ["ok", "ok"]


async def test_a_lost_message_that_is_ignored_stays_ignored(
    integration: Api, admin: Api
) -> None:
    queue, message_id, other = await new_queue(admin, "a__c"), key(), key()
    await report(integration, queue, lost(message_id, "a__c"))
    (exception,) = await exceptions(admin, message_id)
    action = "Objectaction.exception_message__sys.ignore__sys"
    path = f"/vobjects/exception_message__sys/{exception['id']}/actions/{action}"
    assert (await admin.post(path)).status == "SUCCESS"
    again = [lost(message_id, "a__c", seconds=1), lost(other, "a__c", seconds=1)]
    await report(integration, queue, *again)
    (ignored,), (new,) = (
        await exceptions(admin, message_id),
        await exceptions(admin, other),
    )
    assert ignored["error_status__sys"] == ["ignored__sys"]
    assert ignored["message_items_failed__sys"] == 0
    assert new["error_status__sys"] == ["open__sys"]


async def test_a_lost_message_is_one_exception_until_it_is_delivered(
    integration: Api, admin: Api
) -> None:
    queue, message_id = await new_queue(admin, "a__c", "b__c"), key()
    for _ in range(2):
        await report(
            integration,
            queue,
            lost(message_id, "a__c", ("V4T1", "V4T2")),
            lost(message_id, "b__c", ("V4T1", "V4T2")),
        )
    (exception,) = await exceptions(admin, message_id)
    assert exception["error_type__sys"] == ["message_delivery_error__sys"]
    assert exception["error_status__sys"] == ["open__sys"]
    assert exception["message_items_failed__sys"] == 2
    assert (
        "after 5 attempts: connection a__c is inactive. Then run Retry Transfer"
        in exception["error_message__sys"]
    )
    await report(integration, queue, row(message_id, "a__c"), lost(message_id, "b__c"))
    assert (await exceptions(admin, message_id))[0]["error_status__sys"] == [
        "open__sys"
    ], "one connection is missing"
    await report(integration, queue, row(message_id, "a__c"), row(message_id, "b__c"))
    (exception,) = await exceptions(admin, message_id)
    assert (exception["error_status__sys"], exception["message_items_failed__sys"]) == (
        ["resolved__sys"],
        0,
    )


async def test_what_is_no_message_is_kept_as_it_is(
    integration: Api, admin: Api
) -> None:
    queue, message_id = await new_queue(admin), key()
    await report(
        integration,
        queue,
        row(message_id, "", error="body is not JSON", message="nonsense"),
    )
    (exception,) = await exceptions(admin, message_id)
    assert exception["error_type__sys"] == ["malformed_message__sys"]


async def test_removals_are_logged_always_and_deliveries_while_traced(
    integration: Api, admin: Api
) -> None:
    queue, (first, second, third) = (
        await new_queue(admin, "a__c"),
        (key(), key(), key()),
    )
    await report(integration, queue, row(first, "a__c"), lost(second, "a__c"))
    (line,) = await log_of(admin, queue)
    assert line["timestamp"].endswith("Z")
    assert {name: line[name] for name in line if name != "timestamp"} == {
        "vault_id": 10101,
        "queue_name": queue,
        "connection_name": "a__c",
        "message_id": second,
        "entry_type": "REMOVAL",
        "queue_time": "2026-01-02T12:00:00.000Z",
        "send_time": "2026-01-02T12:00:00.000Z",
        "attempts": 5,
        "last_error": "connection a__c is inactive",
    }
    traced = await admin.put(f"{QUEUES}/{queue}/actions/trace_delivery")
    left = datetime.fromisoformat(traced.data["trace_ends"]) - datetime.now(UTC)
    assert timedelta(minutes=19) < left <= timedelta(minutes=20)
    await report(integration, queue, row(third, "a__c"))
    assert [(e["message_id"], e["entry_type"]) for e in await log_of(admin, queue)] == [
        (second, "REMOVAL"),
        (third, "TRACE"),
    ]


async def test_a_day_is_a_file_and_pages(integration: Api, admin: Api) -> None:
    queue = await new_queue(admin, "a__c")
    await report(
        integration,
        queue,
        *[lost(key(), "a__c") for _ in range(3)],
        lost("=1+1", "a__c"),
    )
    today = datetime.now(UTC).date().isoformat()
    listed = {
        day["log_date"]: day for day in (await admin.get("/services/queue_logs")).data
    }
    assert listed[today]["removals"] >= 4
    assert listed[today]["url"] == f"/api/v25.1/services/queue_logs/{today}"
    sheet = await admin.get(
        f"/services/queue_logs/{today}?queue={queue}", headers={"Accept": "text/csv"}
    )
    lines = list(csv.DictReader(io.StringIO(sheet.text)))
    assert [line["EntryType"] for line in lines] == ["REMOVAL"] * 4
    assert lines[3]["MessageId"] == "=1+1", "programs read what was reported"
    page = await admin.get(f"/services/queue_logs/{today}?queue={queue}&limit=3")
    rest = await admin.get(page.body["responseDetails"]["next_page"])
    assert [len(page.data), len(rest.data)] == [3, 1]
    assert (await admin.get("/services/queue_logs/2020-01-01")).data == []
    assert (await admin.get("/services/queue_logs/yesterday")).error == "INVALID_DATA"


async def test_entries_are_kept_thirty_days(
    vault: Vault, integration: Api, admin: Api
) -> None:
    queue = await new_queue(admin, "a__c")
    await report(integration, queue, lost("old", "a__c"), lost("new", "a__c"))
    async with vault.database.connection() as connection:
        older = "UPDATE platform.queue_log SET logged = now() - interval '31 days' WHERE message_id = 'old'"
        await connection.execute(older)
    job_id = await vault.jobs.submit(SYSTEM, HOUSEKEEPING, "Now", {})

    async def done() -> str | None:
        status = (await vault.jobs.job(SYSTEM, job_id)).status
        return None if status is JobStatus.SUCCESS else status

    assert await answers_within(60, done) is None
    async with vault.database.connection() as connection:
        ids = await connection.fetch(
            "SELECT message_id FROM platform.queue_log WHERE queue = $1", queue
        )
    assert [found["message_id"] for found in ids] == ["new"]


@pytest.mark.parametrize(
    "change",
    [
        {"message_id": None},
        {"message_id": "x" * 300},
        {"queue_time": "noon"},
        {"attempts": 0},
        {"attempts": "1"},
        {"error": "away"},
        {"connection_name": "\x00"},
    ],
    ids=str,
)
async def test_a_report_that_cannot_be_read_changes_nothing(
    integration: Api, admin: Api, change: dict[str, object]
) -> None:
    queue = await new_queue(admin, "a__c")
    rows = [lost(key(), "a__c"), row(key(), "a__c") | change]
    answer = await integration.post(f"{QUEUES}/{queue}/deliveries", json=rows)
    assert answer.error == "INVALID_DATA"
    assert await log_of(admin, queue) == []
    assert (
        await integration.post(f"{QUEUES}/in__c/deliveries", json=[row(key(), "a__c")])
    ).error == "INVALID_DATA"


async def test_the_handler_of_the_crm_queue_fails_the_transfer(crm: Crm) -> None:
    await crm.activate("active__v")
    ids = await crm.submitted(2)
    await crm.transfer(ids)
    await crm.succeed(ids[1])  # it came through after all: the message was sent twice
    queue, message_id = "crm_to_medical_outbound_queue__v", key()
    await report(crm.integration, queue, lost(message_id, "medical_crm__v", tuple(ids)))
    assert await crm.statuses(ids) == [["failed__v"], ["success__v"]]
    reasons = [
        (await record(crm.rep, OBJECT, each))["transfer_error__v"] for each in ids
    ]
    assert reasons == [NOT_DELIVERED, None]
    # The next transfer begins without the reason of the one before.
    await crm.transfer(ids[:1])
    assert (await record(crm.rep, OBJECT, ids[0]))["transfer_error__v"] is None
    assert len(await exceptions(crm.admin, message_id)) == 1


# Connections over which the message of an inquiry was lost → Transfer Status: Medical has it if only a receiver that is
# no Vault has not.
LOST_OVER = {
    "a receiver": (("{receiver}",), "pending__v"),
    "a receiver and Medical": (("{receiver}", "medical_crm__v"), "failed__v"),
    "the queue itself": (("",), "failed__v"),
    "a connection that is gone": (("gone__c",), "failed__v"),
}


@pytest.mark.parametrize(("over", "status"), LOST_OVER.values(), ids=LOST_OVER)
async def test_a_transfer_fails_by_what_did_not_reach_a_vault(
    crm: Crm, over: tuple[str, ...], status: str
) -> None:
    receiver, message_id = f"{key().lower().replace('-', '_')}__c", key()
    external = {"object_type__v.api_name__v": "external__sys"}
    row = {"name__v": receiver, "api_name__sys": receiver, **external}
    made = await crm.admin.post("/vobjects/connection__sys", json=[row])
    assert made.status == "SUCCESS", made.text
    await crm.activate("active__v")
    ids = await crm.submitted(1)
    await crm.transfer(ids)
    names = [name.format(receiver=receiver) for name in over]
    rows = [lost(message_id, name, tuple(ids)) for name in names]
    await report(crm.integration, "crm_to_medical_outbound_queue__v", *rows)
    assert await crm.statuses(ids) == [[status]]
    assert len(await exceptions(crm.admin, message_id)) == 1


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        (
            "message_delivery_event_handler('nothing__c')",
            "has no delivery event handler nothing__c",
        ),
        (
            "message_delivery_event_handler('Messagedeliveryeventhandler.fail_transfer__v')",
            "run Retry Transfer.",
        ),
    ],
)
async def test_an_exception_says_when_the_handler_failed(
    crm: Crm, attributes: str, said: str
) -> None:
    name = f"{key().lower().replace('-', '_')}__c"
    await crm.admin.post(
        "/api/mdl/execute",
        data=f"RECREATE Queue {name} ( label('Q'), type('outbound'), {attributes} );",
    )
    message_id = key()
    await report(crm.integration, name, lost(message_id, ""))
    (exception,) = await exceptions(crm.admin, message_id)
    assert exception["error_message__sys"].endswith(said)

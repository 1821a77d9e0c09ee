"""The steps of a message in the sending Vault, and the traffic: stored data, and pages."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from local.polling import answers_within
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.queues import traffic as picture
from shared.vault.queues.message_steps import MessageStepKind
from shared.vault.queues.outbox import put
from tests.service.vault.browsing import Browser, browser
from tests.service.vault.connector_stub import ConnectorStub, connector_stub
from tests.service.vault.objects import key
from tests.service.vault.served import Api
from tests.service.vault.test_deliveries import lost, new_queue, report, row

QUEUES = "/services/queues"


@pytest.fixture
async def visitor(api: Api) -> AsyncIterator[Browser]:
    async with browser(api.url, "admin") as made:
        yield made


async def send(vault: Vault, queue: str, record: str, message_id: str | None) -> None:
    attributes = {"object": "medical_inquiry__v", "integration_point": "p__c"}
    async with vault.database.transaction() as connection:
        known = vault.components.registry.queues[queue]
        await put(connection, known, attributes, [record], message_id)


async def taken(vault: Vault, message_id: str) -> list[MessageStepKind]:
    steps = await vault.message_steps.steps(SYSTEM, message_id)
    return [step.step for step in steps]


async def until_sent(vault: Vault, message_id: str, times: int = 1) -> None:
    """Wait until the relay has published a message so often."""

    async def unsent() -> str | None:
        steps = await taken(vault, message_id)
        return None if steps.count(MessageStepKind.SENT) == times else str(steps)

    assert await answers_within(60, unsent) is None


async def sent(vault: Vault, queue: str, message_id: str, times: int = 1) -> None:
    """Send a message, and wait until the relay has published it."""
    await send(vault, queue, "V4T1", message_id)
    vault.relay.wake()

    await until_sent(vault, message_id, times)


DRAWN_ANEW = 'hx-trigger="every 2s"'


async def test_a_message_is_followed_from_the_outbox_to_its_delivery(
    vault: Vault, admin: Api, integration: Api, visitor: Browser
) -> None:
    queue, message_id, record = await new_queue(admin, "a__c"), key(), key()
    await admin.put(f"{QUEUES}/{queue}/actions/disable_delivery")
    await send(vault, queue, record, message_id)
    assert await taken(vault, message_id) == [MessageStepKind.ENTERED]
    page = await visitor.open(f"/ui/messages/{message_id}")
    assert DRAWN_ANEW in page.html
    await admin.put(f"{QUEUES}/{queue}/actions/enable_delivery")
    await until_sent(vault, message_id)
    await report(integration, queue, row(message_id, "a__c", attempts=3))
    # Reported a second time it is delivered once.
    await report(integration, queue, row(message_id, "a__c", attempts=4))
    steps = await vault.message_steps.steps(SYSTEM, message_id)
    assert [each.step for each in steps] == [
        MessageStepKind.ENTERED,
        MessageStepKind.SENT,
        MessageStepKind.DELIVERED,
    ]
    assert (steps[2].attempts, steps[0].detail) == (
        3,
        "1 record of medical_inquiry__v",
    )
    of_queue = await visitor.open(f"/ui/queues/{queue}")
    assert f"Delivered {steps[2].date:%Y-%m-%d}" in of_queue.text, of_queue.text
    assert f"/ui/messages/{message_id}" in of_queue.links.values()
    page = await visitor.open(f"/ui/messages?record={record}")
    assert "Delivered" in page.text
    (way,) = [path for path in page.links.values() if message_id in path]
    page = await visitor.open(way)
    titles = ("Entered the queue", "Sent to the broker", "Delivered to the other Vault")
    places = [page.text.index(title) for title in titles]
    assert places == sorted(places) and "3 attempts" in page.text
    assert DRAWN_ANEW not in page.html


async def test_a_removed_message_leads_to_its_exception_and_the_log(
    vault: Vault, admin: Api, integration: Api, visitor: Browser
) -> None:
    queue, message_id = await new_queue(admin, "a__c"), key()
    await sent(vault, queue, message_id)
    await report(integration, queue, lost(message_id, "a__c"))
    page = await visitor.open(f"/ui/messages/{message_id}")
    assert "Given up" in page.text and "connection a__c is inactive" in page.text
    assert DRAWN_ANEW not in page.html
    assert page.links["Queue log"].startswith("/ui/queue-log/")
    shown = await visitor.click(page, "User exception")
    assert shown.links["Way of the message"] == f"/ui/messages/{message_id}"
    log = await visitor.click(page, "Queue log")
    assert log.links[message_id] == f"/ui/messages/{message_id}"


async def test_a_retry_is_a_second_way_of_the_same_message(
    vault: Vault, admin: Api, integration: Api
) -> None:
    queue, message_id = await new_queue(admin, "a__c"), key()
    await sent(vault, queue, message_id)
    await report(integration, queue, lost(message_id, "a__c"))
    await sent(vault, queue, message_id, times=2)
    await report(integration, queue, row(message_id, "a__c"))
    steps = await taken(vault, message_id)
    assert [each for each in steps if each is not MessageStepKind.LOGGED] == [
        MessageStepKind.ENTERED,
        MessageStepKind.SENT,
        MessageStepKind.REMOVED,
        MessageStepKind.ENTERED,
        MessageStepKind.SENT,
        MessageStepKind.DELIVERED,
    ]


async def test_a_reset_ends_the_ways_of_what_it_deletes(
    vault: Vault, admin: Api, visitor: Browser
) -> None:
    queue, message_id = await new_queue(admin, "a__c"), key()
    await sent(vault, queue, message_id)
    page = await visitor.open(f"/ui/queues/{queue}/reset")
    await visitor.press(page, "Delete all 1 message")
    page = await visitor.open(f"/ui/messages/{message_id}")
    assert "The queue was reset" in page.text


async def test_an_unknown_message_has_no_way(visitor: Browser) -> None:
    page = await visitor.open("/ui/messages/nothing%00here")
    assert page.status == 200 and "has no message" in page.text


async def test_ways_are_kept_for_30_days(vault: Vault, admin: Api) -> None:
    queue, old, new = await new_queue(admin, "a__c"), key(), key()
    await sent(vault, queue, old)
    await sent(vault, queue, new)
    async with vault.database.connection() as connection:
        await connection.execute(
            "UPDATE platform.sent_message SET sent = now() - interval '31 days' WHERE message_id = $1",
            old,
        )
    await vault.message_steps.purge()
    assert await taken(vault, old) == []
    assert MessageStepKind.SENT in await taken(vault, new)


async def test_the_picture_counts_what_waits_and_says_what_is_wrong(
    vault: Vault,
    admin: Api,
    visitor: Browser,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(picture, "CACHE_SECONDS", 0)
    queue, message_id = await new_queue(admin, "a__c"), key()
    await sent(vault, queue, message_id)
    seen = (await vault.traffic.read(SYSTEM)).of(queue)
    assert seen is not None
    assert (seen.waiting, seen.sent, seen.consumers) == (1, 1, 0)
    assert seen.oldest is not None
    assert seen.fault == "no consumer takes its messages"
    await admin.put(f"{QUEUES}/{queue}/actions/disable_delivery")
    page = await visitor.open("/ui/queues")
    assert "Delivery is disabled" in page.text
    page = await visitor.click(page, "Live picture")
    assert "Delivery is disabled" in page.text
    await admin.put(f"{QUEUES}/{queue}/actions/enable_delivery")
    await admin.put(f"{QUEUES}/{queue}/actions/reset")


async def test_who_looks_does_not_wait_for_a_broker_that_does_not_answer(
    vault: Vault, admin: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture, "CACHE_SECONDS", 0)
    monkeypatch.setattr(picture, "BROKER_TIMEOUT", 0)
    queue = await new_queue(admin, "a__c")
    seen = (await vault.traffic.read(SYSTEM)).of(queue)
    assert seen is not None
    assert (seen.waiting, seen.fault) == (None, "the broker does not answer")


async def test_one_picture_is_for_all_who_look(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, api: Api
) -> None:
    del api
    monkeypatch.setattr(picture, "CACHE_SECONDS", 3600)
    first = await vault.traffic.read(SYSTEM)
    assert await vault.traffic.read(SYSTEM) is first


@pytest.fixture
async def connector(
    api: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConnectorStub]:
    del api
    async with connector_stub(vault, monkeypatch) as made:
        yield made


async def test_the_picture_has_the_other_vaults_and_the_connector(
    visitor: Browser, connector: ConnectorStub
) -> None:
    there = {
        "name": "crm_to_medical_outbound_queue__v",
        "type": "outbound",
        "status": "active",
        "delivery": "disabled",
        "messages_in_queue": 12,
        "failing": False,
    }
    vaults = [
        {"vault_id": 20202, "name": "crm", "queues": [there]},
        {"vault_id": 20203, "name": "crm2", "queues": None},
    ]
    connector.succeed("traffic", {"connector": None, "vaults": vaults})
    page = await visitor.open("/ui/live")
    assert "Takes messages" in page.text and "It does not answer" in page.text
    assert (
        "Outbound 12 waiting crm_to_medical_outbound_queue__v Delivery is disabled"
        in (page.text)
    )
    # Asked once for all who look.
    await visitor.open("/ui/live")
    assert len(connector.asked) == 1


async def test_who_may_not_ask_the_connector_sees_the_own_queues_alone(
    api: Api, connector: ConnectorStub
) -> None:
    async with browser(api.url, "integration") as visitor:
        page = await visitor.open("/ui/live")
    assert page.status == 200 and "Live picture" in page.text
    assert connector.asked == []


async def test_processes_of_an_earlier_version_use_the_earlier_names(
    admin: Api, vault: Vault
) -> None:
    queue, message_id = await new_queue(admin), key()
    async with vault.database.transaction() as connection:
        await connection.execute(
            "INSERT INTO platform.message_way (message_id, queue, records, entered) VALUES ($1, $2, 1, now())",
            message_id,
            queue,
        )
        way = await connection.fetchval(
            "SELECT way FROM platform.message_way WHERE message_id = $1 FOR UPDATE",
            message_id,
        )
        await connection.execute(
            "UPDATE platform.message_way SET delivered = now() WHERE way = $1", way
        )
        locked = "SELECT platform.hold_tables($1) = platform.lock_for_writing($1)"
        assert await connection.fetchval(locked, ["records.case__v"])
    assert set(await taken(vault, message_id)) == {
        MessageStepKind.ENTERED,
        MessageStepKind.SENT,
        MessageStepKind.DELIVERED,
    }

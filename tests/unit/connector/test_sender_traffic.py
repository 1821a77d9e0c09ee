"""Changes that the sender is transferring, or could not deliver, are no findings, and a slice waits for transfers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.connector.messages.units import Inbound
from services.connector.reconciliation import slice_work
from services.connector.reconciliation.sender_traffic import SenderTraffic
from services.connector.reconciliation.slice_work import SliceWork
from shared.runtime.waiting import KeyLocks
from shared.spark.envelope import Envelope, Message, format_moment
from tests.unit.connector.example_records import ACCOUNT, ACCOUNTS
from tests.unit.connector.standard_vaults import CONNECTION, CRM_ID, Pair, pair
from tests.unit.connector.test_reconciliation import (
    LOST,
    Lines,
    compared,
    plant,
    transferred,
)

OUTBOUND = "crm_to_medical_outbound_queue__v"


async def waiting(vaults: Pair, since: timedelta | None, messages: int = 1) -> None:
    """Set the waiting messages of the sender, the oldest in its outbox since a time."""
    now = datetime.fromisoformat((await vaults.crm.clock()).date_time)
    row: dict[str, object] = {
        "connections": [{"name": CONNECTION}],
        "messages_in_queue": messages,
    }
    if since is not None:
        row["waiting_since"] = format_moment(now - since)
    vaults.crm.queue_rows[OUTBOUND] = row


async def lost(records: KeyLocks | None = None) -> tuple[Pair, str, SenderTraffic]:
    """Vaults with an account whose Source Data is lost, and the traffic of the sender."""
    vaults, of, items = await transferred(3)
    plant(vaults, LOST, of[1], items[1])
    traffic = SenderTraffic(vaults.crm.as_client, CONNECTION, records or KeyLocks())
    return vaults, of[1], traffic


WAITS: list[tuple[timedelta | None, int, bool]] = [
    # the oldest message of the outbox is so old, messages on the queue, whether the difference is a finding
    (None, 0, True),
    (timedelta(0), 1, True),
    (timedelta(hours=1), 1, False),
    (None, 1, False),
]


@pytest.mark.parametrize(("since", "messages", "is_found"), WAITS)
async def test_a_change_whose_message_may_wait_is_under_way(
    since: timedelta | None, messages: int, is_found: bool
) -> None:
    vaults, of, traffic = await lost()
    await waiting(vaults, since, messages)
    found = await compared(vaults, traffic=traffic)
    assert bool(found) is is_found, (of, found)


async def test_a_change_before_the_oldest_message_is_not() -> None:
    vaults, of, traffic = await lost()
    # Its country is read with it, and would be a change of it.
    read = [vaults.crm.get(ACCOUNT, of), *vaults.crm.all_of("country__v")]
    for record in read:
        record["modified_date__v"] = "2000-01-01T00:00:00.000Z"
    await waiting(vaults, timedelta(hours=1))
    assert len(await compared(vaults, traffic=traffic)) == 1


async def test_a_change_of_what_is_read_with_it_is_one() -> None:
    vaults, of, traffic = await lost()
    vaults.crm.get(ACCOUNT, of)["modified_date__v"] = "2000-01-01T00:00:00.000Z"
    await waiting(vaults, timedelta(hours=1))
    assert await compared(vaults, traffic=traffic) == set()


async def test_another_connection_says_nothing() -> None:
    vaults, _, traffic = await lost()
    await waiting(vaults, timedelta(hours=1))
    vaults.crm.queue_rows[OUTBOUND]["connections"] = [{"name": "other__c"}]
    assert len(await compared(vaults, traffic=traffic)) == 1


async def test_what_this_connector_has_in_hand_is_under_way() -> None:
    records = KeyLocks()
    vaults, of, traffic = await lost(records)
    async with records.hold([(CRM_ID, ACCOUNT, of)]):
        assert await compared(vaults, traffic=traffic) == set()
    assert len(await compared(vaults, traffic=traffic)) == 1


def message_of(*items: str, **attributes: str) -> Envelope:
    now = datetime.now(UTC)
    return Envelope(
        vault_name="CRM",
        vault_host_name="crm.example",
        queue_name=OUTBOUND,
        enter_queue_timestamp=now,
        send_message_timestamp=now,
        send_attempt=3,
        message_id="m-1",
        message=Message(attributes, items),
    )


def undelivered(
    vaults: Pair, *items: str, point: str = ACCOUNTS, status: str = "open__sys"
) -> None:
    """Record at the sender that a message was not delivered."""
    attributes = {"object": ACCOUNT, "event": "x", "integration_point": point}
    envelope = message_of(*items, **attributes)
    vaults.crm.add(
        "exception_message__sys",
        message_id__sys="m-1",
        error_type__sys="message_delivery_error__sys",
        error_status__sys=status,
        message_body_json__sys=envelope.encode().decode(),
    )


EXCEPTIONS: dict[str, tuple[Callable[[Pair, str], None], bool]] = {
    # … and whether it explains the difference
    "open": (undelivered, True),
    "ignored": (lambda v, i: undelivered(v, i, status="ignored__sys"), True),
    "resolved": (lambda v, i: undelivered(v, i, status="resolved__sys"), False),
    "of another record": (lambda v, _: undelivered(v, "V4A9"), False),
    "of another point": (lambda v, i: undelivered(v, i, point="other__c"), False),
}


@pytest.mark.parametrize("case", EXCEPTIONS)
async def test_an_exception_of_the_sender_explains(case: str) -> None:
    record, explains = EXCEPTIONS[case]
    vaults, of, traffic = await lost()
    record(vaults, of)
    found: Lines = await compared(vaults, traffic=traffic)
    assert (found == set()) is explains


async def yielding(records: KeyLocks) -> asyncio.Task[None]:
    """Start a slice's wait for transfers, and return its task after the first check."""
    vaults = pair()
    message = Inbound(message_of(), CRM_ID)
    work = SliceWork(vaults.vaults, vaults.medical_end, message, 1, records)
    task = asyncio.create_task(work.yield_to_units())
    await asyncio.sleep(0)
    return task


async def test_a_slice_waits_for_transfers_that_are_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slice_work, "YIELD_SECONDS", 3600)
    records = KeyLocks()
    async with records.hold(["a"]):
        task = await yielding(records)
        assert not task.done()
    await task
    await (await yielding(records))


async def test_a_slice_does_not_wait_for_traffic_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slice_work, "YIELD_SECONDS", 0)
    records = KeyLocks()
    async with records.hold(["a"]):
        await (await yielding(records))

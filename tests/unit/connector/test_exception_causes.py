"""User exceptions are a work list: one open item for each record at an integration point, by whichever message."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from shared.client.errors import VaultRefused
from shared.spark.envelope import Envelope
from tests.unit.connector.example_records import INQUIRY, account, inquiry
from tests.unit.connector.messages import (
    delivery,
    envelope,
    exceptions,
    handle,
    inbox,
    items,
    logged,
)
from tests.unit.connector.standard_vaults import CRM_ID, MEDICAL_ID, Pair, pair

MESSAGE, ITEM = "exception_message__sys", "exception_item__sys"
OPEN, IGNORED, RESOLVED = "open__sys", "ignored__sys", "resolved__sys"
MISSING = "P-1005"


@pytest.fixture
def vaults() -> Pair:
    return pair()


def lacking(vaults: Pair, key: str = MISSING) -> str:
    """A product that the Medical Vault lacks."""
    known = vaults.crm.rows("product__v", "id", "external_id__v")
    same = [str(row["id"]) for row in known if row["external_id__v"] == key]
    return (
        same[0]
        if same
        else vaults.crm.add("product__v", external_id__v=key, name__v=key)
    )


def failing(vaults: Pair) -> str:
    """An inquiry about a product that the Medical Vault lacks."""
    of = account(vaults.crm)
    return inquiry(vaults.crm, of, product__v=lacking(vaults))


def mend(vaults: Pair) -> None:
    """Add the product that the Medical Vault lacks."""
    vaults.medical.add("product__v", external_id__v=MISSING, name__v=MISSING)


def batch(run: int, *ids: str) -> Envelope:
    """The first batch of a run."""
    attributes: dict[str, Any] = {
        "event": "run_batch",
        "integration": "medical_inquiry_details__v",
        "run": run,
        "batch": 1,
        "source_vault_id": CRM_ID,
    }
    return envelope(*ids, message_id=f"{MEDICAL_ID}-run-{run}-1", **attributes)


async def run_over(vaults: Pair, run: int, *ids: str) -> Mapping[str, int]:
    """Let a run read these records, and return its counts."""
    with logged():
        await inbox(vaults).handle([delivery(batch(run, *ids), MEDICAL_ID)])
    return vaults.medical.batches[-1][2]


def set_status(vaults: Pair, object_name: str, status: str) -> None:
    """Change the status of all exceptions of an object, as the Vault's actions do."""
    for row in vaults.medical.rows(object_name, "id"):
        vaults.medical.change(object_name, str(row["id"]), error_status__sys=status)


def ignore(vaults: Pair) -> None:
    set_status(vaults, MESSAGE, IGNORED)
    set_status(vaults, ITEM, IGNORED)


def refuse_all(vaults: Pair) -> None:
    """Refuse every query for products in the Medical Vault, so that a message fails as a whole."""
    refusals = [VaultRefused("INSUFFICIENT_ACCESS", "no")] * 1000
    vaults.medical.fail_calls("query product__v", *refusals)


def statuses(vaults: Pair) -> tuple[list[object], list[object]]:
    """The statuses of messages and of items."""
    messages = [row["error_status"] for row in exceptions(vaults, "error_status")]
    return messages, [row[0] for row in items(vaults, "error_status")]


@pytest.mark.parametrize("first", ["a message", "a run"])
@pytest.mark.parametrize("again", ["a message", "a run"])
@pytest.mark.parametrize("whole", [False, True], ids=["item", "whole"])
async def test_what_fails_again_refreshes_its_exception(
    vaults: Pair, first: str, again: str, *, whole: bool
) -> None:
    item = failing(vaults)
    if first == "a run":
        await run_over(vaults, 1, item)
    else:
        await handle(vaults, envelope(item))
    (known,) = exceptions(vaults, "message_id", "error_message")
    if whole:
        refuse_all(vaults)
    else:
        vaults.crm.change(INQUIRY, item, product__v=lacking(vaults, "P-1006"))
    if again == "a run":
        await run_over(vaults, 2, item)
    else:
        await handle(vaults, envelope(item))
    (refreshed,) = exceptions(vaults, "message_id", "error_message")
    assert refreshed["message_id"] == known["message_id"]
    assert refreshed["error_message"] != known["error_message"]
    assert statuses(vaults) == ([OPEN], [OPEN])
    (reason,) = items(vaults, "error_message")
    assert str(reason[0]) in str(refreshed["error_message"])


@pytest.mark.parametrize("whole", [False, True], ids=["items", "whole"])
async def test_one_cause_of_many_records_of_a_run_is_one_message(
    vaults: Pair, *, whole: bool
) -> None:
    many = [failing(vaults) for _ in range(30)]
    if whole:
        refuse_all(vaults)
    for run in (1, 2):
        counted = await run_over(vaults, run, *many)
        assert (counted["failed"], counted["skipped"]) == (30, 0)
    assert len(exceptions(vaults, "message_id")) == 1
    assert [row[0] for row in items(vaults, "item")] == many


async def test_only_what_is_new_is_a_new_exception(vaults: Pair) -> None:
    old, new = failing(vaults), failing(vaults)
    await run_over(vaults, 1, old)
    await run_over(vaults, 2, old, new)
    fields = ("message_id", "message_items_failed")
    assert exceptions(vaults, *fields) == [
        {"message_id": f"{MEDICAL_ID}-run-1-1", "message_items_failed": 1},
        {"message_id": f"{MEDICAL_ID}-run-2-1", "message_items_failed": 1},
    ]
    assert [row[0] for row in items(vaults, "item")] == [old, new]


@pytest.mark.parametrize("whole", [False, True], ids=["item", "whole"])
async def test_what_is_ignored_stays_ignored_and_holds_no_run_back(
    vaults: Pair, *, whole: bool
) -> None:
    item = failing(vaults)
    counted = await run_over(vaults, 1, item)
    assert (counted["failed"], counted["skipped"]) == (1, 0)
    ignore(vaults)
    if whole:
        refuse_all(vaults)
    for run in (2, 3):
        counted = await run_over(vaults, run, item)
        assert (counted["failed"], counted["skipped"]) == (0, 1)
    assert statuses(vaults) == ([IGNORED], [IGNORED])


async def test_with_ignored_exceptions_the_other_failures_still_fail_a_run(
    vaults: Pair,
) -> None:
    ignored = failing(vaults)
    await run_over(vaults, 1, ignored)
    ignore(vaults)
    counted = await run_over(vaults, 2, ignored, failing(vaults))
    assert (counted["failed"], counted["skipped"]) == (1, 1)
    assert statuses(vaults) == ([IGNORED, OPEN], [IGNORED, OPEN])


@pytest.mark.parametrize("before", [OPEN, IGNORED])
async def test_what_fails_after_a_success_is_a_new_exception(
    vaults: Pair, before: str
) -> None:
    item = failing(vaults)
    await run_over(vaults, 1, item)
    set_status(vaults, MESSAGE, before)
    set_status(vaults, ITEM, before)
    vaults.crm.change(INQUIRY, item, product__v=None)
    await run_over(vaults, 2, item)
    assert statuses(vaults) == ([RESOLVED], [RESOLVED])
    vaults.crm.remove(INQUIRY, item)
    await handle(vaults, envelope(item))
    assert statuses(vaults) == ([RESOLVED, OPEN], [RESOLVED, OPEN])
    held = [row[0] for row in items(vaults, "exception_message")]
    assert held == [row["id"] for row in vaults.medical.rows(MESSAGE, "id")]


async def test_an_ignored_message_that_then_fails_as_a_whole_stays_ignored(
    vaults: Pair,
) -> None:
    message = envelope(failing(vaults))
    await handle(vaults, message)
    ignore(vaults)
    unread = envelope(*message.message.items, point="", message_id=message.message_id)
    await handle(vaults, unread)
    assert statuses(vaults) == ([IGNORED], [IGNORED])


async def test_two_messages_about_one_record_are_one_exception(vaults: Pair) -> None:
    item, other = failing(vaults), failing(vaults)
    await handle(vaults, envelope(item), envelope(item, other))
    assert [row[0] for row in items(vaults, "item")] == [item, other]
    await handle(vaults, envelope(item), envelope(other))
    assert len(exceptions(vaults, "message_id")) == 2
    mend(vaults)
    await handle(vaults, envelope(item, other))
    assert statuses(vaults) == ([RESOLVED] * 2, [RESOLVED] * 2)


async def test_mending_the_cause_and_one_retry_resolves_all(vaults: Pair) -> None:
    many = [failing(vaults) for _ in range(5)]
    for run in (1, 2):
        await run_over(vaults, run, *many)
    mend(vaults)
    retry = batch(1, *many)
    await inbox(vaults).handle([delivery(retry, MEDICAL_ID)])
    assert statuses(vaults) == ([RESOLVED], [RESOLVED] * 5)


async def test_a_message_whose_records_are_in_another_exception_is_resolved(
    vaults: Pair,
) -> None:
    item = failing(vaults)
    unread = envelope(item, point="")
    await handle(vaults, unread)
    set_status(vaults, MESSAGE, "retrying__sys")
    await run_over(vaults, 1, item)
    await handle(vaults, envelope(item, message_id=unread.message_id))
    assert statuses(vaults) == ([RESOLVED, OPEN], [OPEN])

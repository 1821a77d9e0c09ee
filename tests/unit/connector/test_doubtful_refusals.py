"""Refusals that may be the Vault's own fault are retried before an exception is recorded, and only a limited time."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from services.connector.messages.units import Inbound
from services.connector.processing.isolation import MAX_ALONE
from services.connector.reconciliation.slice_work import SliceWork
from services.connector.vaults.vaults import Patience
from shared.client.errors import (
    ExpiredPage,
    QueryTimeout,
    VaultRefused,
    VaultUnavailable,
)
from shared.runtime.retry_policies import DOUBTFUL_REFUSAL
from tests.unit.connector.example_records import (
    ACCOUNT,
    INQUIRY,
    REQUEST,
    account,
    inquiry,
    status,
)
from tests.unit.connector.messages import (
    delivery,
    envelope,
    exceptions,
    handle,
    inbox,
    items,
    logged,
    slots,
)
from tests.unit.connector.standard_vaults import Pair, pair
from tests.unit.connector.test_run_reading import begun, published, read

TIMEOUT = QueryTimeout("OPERATION_NOT_ALLOWED", "stopped [query timeout]")
EXPIRED = ExpiredPage("INVALID_DATA", "There is no such query page")
UNEXPECTED = VaultRefused("UNEXPECTED_ERROR", "oops")
DOUBTFUL = pytest.mark.parametrize(
    "fault", [TIMEOUT, EXPIRED, UNEXPECTED], ids=["timeout", "expired", "unexpected"]
)
LAST = DOUBTFUL_REFUSAL.attempts


@pytest.fixture
def vaults(monkeypatch: pytest.MonkeyPatch) -> Pair:
    monkeypatch.setattr(asyncio, "timeout", _at_once)
    return pair()


def _at_once(_delay: float | None) -> asyncio.Timeout:
    return asyncio.Timeout(0)


class Hasty(Patience):
    """Fails a test in which something is waited for."""

    async def pause(self, seconds: float) -> None:
        raise AssertionError(seconds)


def submitted(vaults: Pair, number: int) -> list[str]:
    of = account(vaults.crm)
    return [inquiry(vaults.crm, of) for _ in range(number)]


@DOUBTFUL
@pytest.mark.parametrize("times", [1, 2, LAST - 1])
@pytest.mark.parametrize(
    ("end", "call"),
    [
        ("crm", "query"),
        ("crm", f"query {INQUIRY}"),
        ("crm", f"query {ACCOUNT}"),
        ("medical", "query"),
        ("medical", "query case__v"),
        ("medical", "query integration__sys"),
    ],
)
async def test_what_passes_in_time_is_nobodys_exception(
    vaults: Pair, fault: Exception, times: int, end: str, call: str
) -> None:
    ends = {"crm": vaults.crm, "medical": vaults.medical}
    ends[end].fail_calls(call, *[fault] * times)
    sent = submitted(vaults, 3)
    await handle(vaults, envelope(*sent[:2]), envelope(sent[2]))
    assert [status(vaults.crm, item) for item in sent] == ["success__v"] * 3
    assert exceptions(vaults, "message_id") == []


@DOUBTFUL
async def test_what_does_not_pass_is_an_exception(
    vaults: Pair, fault: VaultRefused
) -> None:
    (item,) = submitted(vaults, 1)
    vaults.crm.fail_calls(f"query {INQUIRY}", *[fault] * LAST)
    await handle(vaults, envelope(item))
    (found,) = exceptions(vaults, "error_message")
    assert fault.type in str(found["error_message"])
    assert items(vaults, "item") == [(item,)]
    # The last one is that of the mark.
    assert vaults.crm.queries_of(INQUIRY) == LAST + 1


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("sizes", [[8], [1] * 8, [3, 5], [7, 1]])
async def test_a_query_that_names_too_much_is_divided_without_a_pause(
    monkeypatch: pytest.MonkeyPatch, sizes: list[int], most: int
) -> None:
    monkeypatch.setattr(asyncio, "timeout", _at_once)
    vaults = pair()
    vaults.crm.stop_queries(INQUIRY, most)
    sent = submitted(vaults, 8)
    left = iter(sent)
    messages = [envelope(*(next(left) for _ in range(size))) for size in sizes]
    shared = slots(patience=Hasty())
    await inbox(vaults, shared).handle([delivery(message) for message in messages])
    assert [status(vaults.crm, item) for item in sent] == ["success__v"] * 8
    assert exceptions(vaults, "message_id") == []


async def test_records_do_not_fail_with_others_for_a_query_that_was_stopped(
    vaults: Pair,
) -> None:
    vaults.crm.stop_queries(ACCOUNT, MAX_ALONE // 2)
    vaults.medical.poison(REQUEST, "bad", VaultRefused("INVALID_DATA", "no"))
    texts = ["good"] * MAX_ALONE + ["bad"] * MAX_ALONE
    sent = [
        inquiry(vaults.crm, account(vaults.crm), inquiry_text__v=each) for each in texts
    ]
    good, bad = sent[:MAX_ALONE], sent[MAX_ALONE:]
    await handle(vaults, envelope(*sent))
    assert [status(vaults.crm, item) for item in good] == ["success__v"] * len(good)
    assert {row[0] for row in items(vaults, "item")} == set(bad)


@pytest.mark.parametrize("sizes", [[2], [1, 1]])
async def test_records_fail_for_reasons_of_their_own_when_their_query_was_stopped(
    vaults: Pair, sizes: list[int]
) -> None:
    vaults.crm.stop_queries(ACCOUNT, 1)
    vaults.medical.poison(REQUEST, "", VaultRefused("INVALID_DATA", "no"))
    sent = [inquiry(vaults.crm, account(vaults.crm)) for _ in range(2)]
    left = iter(sent)
    await handle(vaults, *(envelope(*(next(left) for _ in range(n))) for n in sizes))
    reasons = items(vaults, "item", "error_message")
    assert [row[0] for row in reasons] == sent
    assert all("INVALID_DATA" in str(row[1]) for row in reasons)


@pytest.mark.parametrize("size", [1, 40])
async def test_a_vault_that_stops_every_query_is_left_in_time(
    vaults: Pair, size: int
) -> None:
    vaults.crm.stop_queries(ACCOUNT, 0)
    sent = submitted(vaults, 40)
    parts = [sent[start : start + size] for start in range(0, 40, size)]
    with logged():
        await handle(vaults, *(envelope(*part) for part in parts))
    assert len(exceptions(vaults, "message_id")) == len(parts)
    assert {row[0] for row in items(vaults, "item")} == set(sent)
    # Each time down to one record: halves of 40, 20, 10, 5, 2 and the record alone, some of them twice.
    assert vaults.crm.queries_of(INQUIRY) < LAST * 8 + 4 * MAX_ALONE


@DOUBTFUL
async def test_a_run_is_read_after_its_source_had_trouble(
    vaults: Pair, fault: VaultRefused
) -> None:
    begun(vaults)
    account(vaults.crm)
    vaults.crm.fail_calls(f"query {ACCOUNT}", *[fault] * (LAST - 1))
    run = await read(vaults)
    assert "error" not in run
    assert run["ended"] is True
    assert len(published(vaults)) == 1


@DOUBTFUL
async def test_a_run_that_cannot_be_read_ends_with_the_reason(
    vaults: Pair, fault: VaultRefused
) -> None:
    begun(vaults)
    vaults.crm.fail_calls(f"query {ACCOUNT}", *[fault] * LAST)
    run = await read(vaults)
    assert fault.type in str(run["error"])


class Refusing:
    """A Vault that refuses to return a reconciliation's progress, and accepts its end."""

    def __init__(self, fault: VaultRefused) -> None:
        self.fault = fault
        self.told: list[dict[str, Any]] = []

    async def reconciliation(self, _job: int) -> None:
        raise self.fault

    async def report_reconciliation(self, _job: int, told: dict[str, Any]) -> None:
        self.told.append(told)


@DOUBTFUL
async def test_a_slice_is_begun_again_before_its_reconciliation_ends(
    vaults: Pair, fault: VaultRefused
) -> None:
    client: Any = Refusing(fault)
    own = replace(vaults.medical_end, client=client)
    work = SliceWork(vaults.vaults, own, Inbound(envelope(), None), 7)
    for _ in range(LAST - 1):
        with pytest.raises(VaultUnavailable):
            await work.run()
    assert client.told == []
    await work.run()
    assert fault.type in client.told[0]["error"]

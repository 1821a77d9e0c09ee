"""A unit that fails as a whole is divided: only records that fail separately fail, by whichever message."""

from __future__ import annotations

import asyncio

import pytest

from services.connector.processing.isolation import MAX_ALONE
from shared.client.errors import VaultRefused
from tests.unit.connector.example_records import REQUEST, account, inquiry, status
from tests.unit.connector.messages import (
    delivery,
    envelope,
    exceptions,
    handle,
    inbox,
    items,
    logged,
)
from tests.unit.connector.standard_vaults import Pair, pair

BAD = "a record that breaks its call"
REFUSED = VaultRefused("INVALID_DATA", "The body cannot be read")
UNEXPECTED = VaultRefused("UNEXPECTED_ERROR", "oops")


@pytest.fixture
def vaults() -> Pair:
    return pair()


def inquiries(of: Pair, kinds: str) -> list[str]:
    """Inquiries by a text of kinds: ``g`` is good, ``b`` breaks every call that it is part of."""
    account_id = account(of.crm)
    texts = {"g": "How often?", "b": BAD}
    return [inquiry(of.crm, account_id, inquiry_text__v=texts[kind]) for kind in kinds]


@pytest.mark.parametrize(
    "messages",
    [
        ["g", "b"],
        ["b", "g", "g", "g"],
        ["gg", "gbg", "gg"],
        ["b", "g", "b", "g", "b"],
        ["gggggggggggggggb"],
        ["b" * MAX_ALONE + "g" * MAX_ALONE],
        ["g" * MAX_ALONE + "b" * MAX_ALONE],
        ["b" * (MAX_ALONE + 4), "g"],
    ],
)
@pytest.mark.parametrize("fault", [REFUSED, UNEXPECTED, KeyError("Ann Lee")])
async def test_neighbours_of_a_bad_record_are_transferred(
    monkeypatch: pytest.MonkeyPatch,
    vaults: Pair,
    messages: list[str],
    fault: Exception,
) -> None:
    monkeypatch.setattr(asyncio, "timeout", _at_once)
    vaults.medical.poison(REQUEST, BAD, fault)
    kinds = "".join(messages)
    ids = inquiries(vaults, kinds)
    left = iter(ids)
    sent = [envelope(*(next(left) for _ in kinds)) for kinds in messages]
    with logged():
        await handle(vaults, *sent)
    told = {"g": "success__v", "b": "failed__v"}
    assert [status(vaults.crm, item) for item in ids] == [told[kind] for kind in kinds]
    bad = {item for item, kind in zip(ids, kinds, strict=True) if kind == "b"}
    assert {row[0] for row in items(vaults, "item")} == bad
    assert len(exceptions(vaults, "message_id")) == sum(
        "b" in each for each in messages
    )


async def test_a_fault_of_all_records_is_recorded_once_for_each_message(
    vaults: Pair,
) -> None:
    vaults.medical.poison(REQUEST, "", REFUSED)
    first, second = inquiries(vaults, "gg")
    await handle(vaults, envelope(first), envelope(second))
    assert len(exceptions(vaults, "message_id")) == 2
    assert items(vaults, "item") == [(first,), (second,)]


@pytest.mark.parametrize("bad", ["V4T\x00", "V" * 101, ""])
async def test_neighbours_of_an_id_that_no_text_holds_are_transferred(
    vaults: Pair, bad: str
) -> None:
    (item,) = inquiries(vaults, "g")
    body = envelope("?").encode().replace(b'"?"', f'"{bad}"'.encode())
    body = body.replace(b"\x00", rb"\u0000")
    await inbox(vaults).handle([delivery(body), delivery(envelope(item))])
    assert status(vaults.crm, item) == "success__v"
    (found,) = exceptions(vaults, "error_type")
    assert found == {"error_type": "malformed_message__sys"}


def _at_once(_delay: float | None) -> asyncio.Timeout:
    return asyncio.Timeout(0)

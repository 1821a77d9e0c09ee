"""Messages that were put back: an outage is not counted, and one that crashes its connector is given up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.client.errors import VaultUnavailable
from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.consumer import Delivery
from shared.spark.topology import BEGUN_HEADER, MAX_BEGUN, ROUNDS_HEADER
from tests.unit.connector.example_records import CASE, account, inquiry, status
from tests.unit.connector.messages import QUEUE, delivery, envelope, exceptions, inbox
from tests.unit.connector.standard_vaults import CRM_ID, Pair, pair


@pytest.fixture
def vaults() -> Pair:
    return pair()


def put_back(
    of: Pair, begun: int, *, redelivered: bool = False
) -> tuple[str, Delivery]:
    """An inquiry, and its message as it comes after it was put back."""
    item = inquiry(of.crm, account(of.crm))
    first = delivery(envelope(item, message_id="m"))
    headers = {**first.headers, ROUNDS_HEADER: 1, "x-delivery-count": 3}
    if begun:
        headers[BEGUN_HEADER] = begun
    return item, replace(first, headers=headers, redelivered=redelivered)


@pytest.mark.parametrize("begun", [0, 1, MAX_BEGUN - 1])
async def test_it_is_processed_as_any_other(vaults: Pair, begun: int) -> None:
    item, message = put_back(vaults, begun)
    await inbox(vaults).handle([message])
    assert status(vaults.crm, item) == "success__v"
    assert vaults.medical_publisher.published == []


@pytest.mark.parametrize("begun", [0, 1, MAX_BEGUN - 1])
async def test_one_that_comes_back_again_is_marked_before_it_begins(
    vaults: Pair, begun: int
) -> None:
    item, message = put_back(vaults, begun, redelivered=True)
    # Not before the Vaults are reachable: an outage never counts.
    away = [VaultUnavailable("away"), BrokerUnavailable("away")]
    vaults.medical.fail_calls("clock", *away)
    vaults.crm.fail_calls("clock", *away)
    await inbox(vaults).handle([message])
    assert status(vaults.crm, item) == "pending__v"
    (copy,) = vaults.medical_publisher.published
    assert (copy.queue, copy.body, copy.message_id) == (QUEUE, message.body, "m")
    assert copy.headers == {
        "vault_id": CRM_ID,
        ROUNDS_HEADER: 1,
        BEGUN_HEADER: begun + 1,
    }


@pytest.mark.parametrize("away", [VaultUnavailable("away"), BrokerUnavailable("away")])
async def test_an_outage_in_between_sets_the_count_back(
    vaults: Pair, away: Exception
) -> None:
    item, message = put_back(vaults, MAX_BEGUN - 1)
    vaults.medical.fail_calls(f"upsert {CASE}", away)
    await inbox(vaults).handle([message])
    assert status(vaults.crm, item) == "pending__v"
    assert exceptions(vaults, "message_id") == []
    (copy,) = vaults.medical_publisher.published
    assert copy.headers[BEGUN_HEADER] == 0


@pytest.mark.parametrize("redelivered", [False, True])
async def test_one_that_began_too_often_is_given_up(
    vaults: Pair, redelivered: bool
) -> None:
    item, message = put_back(vaults, MAX_BEGUN, redelivered=redelivered)
    await inbox(vaults).handle([message])
    assert status(vaults.crm, item) == "failed__v"
    assert vaults.medical.rows(CASE) == []
    (found,) = exceptions(vaults, "message_id", "error_type", "error_message")
    assert (found["message_id"], found["error_type"]) == (
        "m",
        "message_processing_error__sys",
    )
    assert "never came to an end" in str(found["error_message"])

"""Messages of an outbound queue: their destinations, the number of attempts, and the reports."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from services.connector.delivery import external
from services.connector.delivery.external import Receivers
from services.connector.delivery.outbound_queue import Attempts, Outbound
from services.connector.delivery.receiver_breakers import Breakers, Unreachable
from services.connector.vaults.vaults import Patience
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.spark.broker_errors import BrokerUnavailable, Unroutable
from shared.spark.envelope import Envelope
from tests.unit.connector.messages import delivery, envelope
from tests.unit.connector.standard_vaults import (
    CONNECTION,
    CRM_ID,
    MEDICAL_ID,
    Pair,
    pair,
)

QUEUE, REMOTE = "medical_crm_outbound_queue__v", "medical_to_crm_inbound__v"
ADDRESS = "https://receiver.example/messages"
PARTNER = "partner__c"
TIME_LIMIT = 30.0


@pytest.fixture
def vaults() -> Pair:
    return pair()


@dataclass
class Outside:
    """External receivers: ``answers`` are statuses or faults, one a message; 200 afterwards.

    By their clock, which nothing else moves, each answer takes ``seconds``.
    """

    answers: list[int | Exception] = field(default_factory=list)
    posted: list[tuple[str, Mapping[str, str], Envelope]] = field(default_factory=list)
    seconds: float = 0
    now: float = 0

    def __post_init__(self) -> None:
        self.breakers = Breakers(TIME_LIMIT, lambda: self.now)

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Accept a message."""
        self.posted.append((url, headers, Envelope.parse(body)))
        self.now += self.seconds
        answer = self.answers.pop(0) if self.answers else 200
        if isinstance(answer, Exception):
            raise answer
        return answer


async def handle(
    vaults: Pair, *messages: Envelope | bytes, outside: Outside | None = None
) -> list[Mapping[str, object]]:
    """Deliver messages of the Medical Vault; return the reported rows."""
    outbound = Outbound(
        vaults.vaults,
        vaults.medical_end,
        QUEUE,
        Attempts(3, 0.001),
        Patience(),
        cast("Receivers", outside or Outside()),
    )
    await outbound.handle([delivery(each, None) for each in messages])
    return vaults.medical.reported


def message(**attributes: Any) -> Envelope:
    return envelope("V5R1", queue=QUEUE, **attributes)


async def test_a_message_is_put_on_the_queue_of_the_other_vault(vaults: Pair) -> None:
    sent = message()
    (report,) = await handle(vaults, sent)
    (taken,) = vaults.crm_publisher.published
    assert (taken.queue, taken.message_id) == (REMOTE, sent.message_id)
    assert taken.headers == {"vault_id": MEDICAL_ID, "x-attempt": 1}
    assert Envelope.parse(taken.body).queue_name == REMOTE
    assert (report["connection_name"], report["attempts"]) == (CONNECTION, 1)
    assert "error" not in report


async def test_a_second_copy_of_a_message_is_delivered_once(vaults: Pair) -> None:
    sent = message()
    await handle(vaults, sent, sent)
    assert len(vaults.crm_publisher.published) == 1


async def test_a_body_that_is_no_message_is_reported(vaults: Pair) -> None:
    (report,) = await handle(vaults, b"\x00odd")
    assert report["error"] == "body is not JSON"
    assert (report["message"], report["connection_name"]) == ("odd", "")


async def test_an_empty_body_is_reported_as_such(vaults: Pair) -> None:
    (report,) = await handle(vaults, b"")
    assert report["message"] == "(empty)"


async def test_a_queue_that_the_other_vault_does_not_have_gives_the_message_up(
    vaults: Pair,
) -> None:
    sent = message()
    faults = [Unroutable(REMOTE, (sent.message_id,)) for _ in range(3)]
    vaults.crm_publisher.faults += faults
    (report,) = await handle(vaults, sent)
    assert report["attempts"] == 3
    assert report["error"] == (
        f"Vault crm has no queue {REMOTE}; correct the queue connection"
    )


async def test_a_queue_that_is_added_meanwhile_takes_the_message(vaults: Pair) -> None:
    sent = message()
    vaults.crm_publisher.faults.append(Unroutable(REMOTE, (sent.message_id,)))
    (report,) = await handle(vaults, sent)
    assert (report["attempts"], "error" in report) == (2, False)


async def test_a_broker_that_is_away_is_waited_for(vaults: Pair) -> None:
    vaults.crm_publisher.faults.append(BrokerUnavailable("away"))
    (report,) = await handle(vaults, message())
    assert (report["attempts"], "error" in report) == (1, False)


async def test_a_vault_that_is_not_the_connectors_gives_the_message_up(
    vaults: Pair,
) -> None:
    del vaults.vaults.by_id[CRM_ID]
    (report,) = await handle(vaults, message())
    assert report["error"] == (
        f"Vault {CRM_ID} is not among the connector's Vaults; add it"
    )


async def test_an_inactive_connection_gives_the_message_up(vaults: Pair) -> None:
    (row,) = vaults.medical.rows("connection__sys", "id")
    connection = str(row["id"])
    vaults.medical.change("connection__sys", connection, state__v="inactive_state__sys")
    (report,) = await handle(vaults, message())
    assert report["error"] == f"connection {CONNECTION} is inactive; activate it"


async def test_a_configuration_that_may_not_be_read_gives_the_message_up(
    vaults: Pair,
) -> None:
    refusals = [VaultRefused("INSUFFICIENT_ACCESS", "no") for _ in range(3)]
    vaults.medical.fail_calls("configuration", *refusals)
    (report,) = await handle(vaults, message())
    assert "cannot be read: INSUFFICIENT_ACCESS" in str(report["error"])


@pytest.mark.parametrize(
    ("wanted", "error"),
    [(CRM_ID, None), (30303, "no active connection with Vault 30303")],
)
async def test_a_message_for_one_vault_goes_there_only(
    vaults: Pair, wanted: int, error: str | None
) -> None:
    (report,) = await handle(vaults, message(destination_vault_id=wanted))
    assert (error or "None") in str(report.get("error"))
    assert len(vaults.crm_publisher.published) == (error is None)


async def test_a_report_waits_for_the_vault(vaults: Pair) -> None:
    vaults.medical.fail_calls("report_deliveries", VaultUnavailable("away"))
    assert len(await handle(vaults, message())) == 1


async def test_a_report_that_is_not_taken_keeps_the_deliveries(vaults: Pair) -> None:
    refused = VaultRefused("INVALID_DATA", "no")
    vaults.medical.fail_calls("report_deliveries", refused)
    with pytest.raises(VaultRefused):
        await handle(vaults, message())


# Over an External connection.


@pytest.fixture
def outward(vaults: Pair) -> Pair:
    """Vaults of which the Medical one has only an External connection."""
    (row,) = vaults.medical.rows("connection__sys", "id")
    vaults.medical.change(
        "connection__sys", str(row["id"]), object_type__v="external__sys"
    )
    vaults.medical.receivers[CONNECTION] = ADDRESS
    return vaults


async def test_a_message_is_posted_with_its_signature(outward: Pair) -> None:
    outside, sent = Outside(), message()
    (report,) = await handle(outward, sent, outside=outside)
    ((url, headers, posted),) = outside.posted
    assert (url, headers) == (ADDRESS, {"X-Number": "0"})
    assert (posted.message_id, posted.send_attempt) == (sent.message_id, 1)
    assert "error" not in report


async def test_only_what_a_receiver_did_not_take_is_posted_again(
    outward: Pair,
) -> None:
    outside = Outside([200, 500])
    first, second = message(), message()
    reports = await handle(outward, first, second, outside=outside)
    posted = [each.message_id for _, _, each in outside.posted]
    assert posted == [first.message_id, second.message_id, second.message_id]
    assert not any("error" in report for report in reports)


async def test_a_message_that_a_receiver_never_takes_is_given_up(
    outward: Pair,
) -> None:
    (report,) = await handle(outward, message(), outside=Outside([500, 404, 301]))
    expected = f"the receiver of connection {CONNECTION} answered with status 301"
    assert report["error"] == expected


async def test_a_receiver_that_is_out_of_reach_is_asked_once_a_try(
    outward: Pair,
) -> None:
    outside = Outside([Unreachable("no answer in time")] * 3)
    reports = await handle(outward, message(), message(), outside=outside)
    assert len(outside.posted) == 3
    assert {str(report["error"]) for report in reports} == {
        f"the receiver of connection {CONNECTION} cannot be reached: no answer in time"
    }


async def test_a_receiver_that_hangs_holds_up_one_message_and_no_other_receiver() -> (
    None
):
    both = pair(f"""
        ALTER Queue {QUEUE} ( ADD Queueconnection {PARTNER} ( connection_name('{PARTNER}') ) );
    """)
    both.medical.add(
        "connection__sys",
        api_name__sys=PARTNER,
        object_type__v="external__sys",
        state__v="active_state__sys",
        status__v="active__v",
    )
    both.medical.receivers[PARTNER] = ADDRESS
    hanging = [Unreachable("no answer in time")] * 20
    outside = Outside([*hanging], seconds=TIME_LIMIT)
    first, second = [message(), message()], [message()]
    await handle(both, *first, outside=outside)
    reports = await handle(both, *second, outside=outside)
    (posted,) = outside.posted
    assert (posted[2].message_id, outside.now) == (first[0].message_id, TIME_LIMIT)
    # What is tried again at the one is not sent to the other once more.
    everything = [each.message_id for each in first + second]
    taken = [each.message_id for each in both.crm_publisher.published]
    assert taken == everything
    lost = [row for row in reports if "error" in row]
    assert [row["message_id"] for row in lost] == everything
    assert {(row["connection_name"], row["attempts"]) for row in lost} == {(PARTNER, 3)}
    assert {str(row["error"]) for row in lost} == {
        f"the receiver of connection {PARTNER} cannot be reached: it has hung, and is tried again later"
    }


async def test_a_receiver_that_hangs_has_nothing_signed(outward: Pair) -> None:
    outside = Outside([Unreachable("no answer in time")], seconds=TIME_LIMIT)
    await handle(outward, message(), outside=outside)
    refusals = [VaultRefused("INVALID_DATA", "asked") for _ in range(3)]
    outward.medical.fail_calls("sign_messages", *refusals)
    *_, report = await handle(outward, message(), outside=outside)
    assert "it has hung" in str(report["error"])


async def test_a_connection_that_signs_nothing_gives_the_message_up(
    outward: Pair,
) -> None:
    refusals = [VaultRefused("INVALID_DATA", "Pending") for _ in range(3)]
    outward.medical.fail_calls("sign_messages", *refusals)
    (report,) = await handle(outward, message())
    assert "cannot be used: INVALID_DATA: Pending" in str(report["error"])


async def test_a_message_goes_on_when_its_address_is_allowed_again(
    outward: Pair,
) -> None:
    reason = "The address of the connection is not among those that are allowed"
    outward.medical.fail_calls(
        "sign_messages", VaultRefused("OPERATION_NOT_ALLOWED", reason)
    )
    outside = Outside()
    (report,) = await handle(outward, message(), outside=outside)
    assert "error" not in report
    ((_, _, posted),) = outside.posted
    assert posted.send_attempt == 2


async def test_many_messages_are_signed_in_parts(
    outward: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external, "SIGNED_AT_ONCE", 2)
    outside = Outside()
    await handle(outward, *(message() for _ in range(3)), outside=outside)
    numbers = [headers["X-Number"] for _, headers, _ in outside.posted]
    assert numbers == ["0", "1", "0"]


async def test_an_address_without_tls_is_not_asked() -> None:
    with pytest.raises(Unreachable, match="not https"):
        await Receivers(1).post("http://receiver.example", {}, b"")


async def test_an_address_where_nobody_listens_is_out_of_reach() -> None:
    receivers = Receivers(1)
    with pytest.raises(Unreachable, match="Connector"):
        await receivers.post("https://127.0.0.1:1/", {}, b"")
    await receivers.close()
    await receivers.close()


async def test_a_receiver_that_does_not_answer_in_time_is_out_of_reach() -> None:
    receivers = Receivers(0.0001)
    with pytest.raises(Unreachable):
        await receivers.post("https://127.0.0.1:1/", {}, b"")
    await receivers.close()


def test_a_file_of_authorities_that_cannot_be_read_is_an_error(tmp_path: Any) -> None:
    with pytest.raises(OSError, match="No such file"):
        Receivers(1, tmp_path / "none.pem")

"""Runs of an integration: changed records are read stage by stage, published as batches, and counted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.connector.points.hcp import COUNTRIES
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.spark.broker_errors import BrokerUnavailable
from shared.spark.envelope import Envelope, RunEvent
from tests.unit.connector.example_records import (
    ACCOUNT,
    ACCOUNTS,
    INQUIRIES,
    INQUIRY,
    account,
    inquiry,
    status,
)
from tests.unit.connector.messages import delivery, envelope, inbox, logged
from tests.unit.connector.standard_vaults import (
    CRM_ID,
    MEDICAL_ID,
    Pair,
    country,
    pair,
)

INTEGRATION = "medical_inquiry_details__v"
METADATA = "crm_metadata_sync_product_content__v"
RUN = 7


@pytest.fixture
def vaults() -> Pair:
    return pair()


def begun(vaults: Pair, integration: str = INTEGRATION, /, **fields: object) -> None:
    """Start a run in the Medical Vault."""
    vaults.medical.runs[integration, RUN] = {
        "status": "RUNNING",
        "paged": False,
        "stage": 0,
        "batches": 0,
        "position": "",
        "changed_since": "1970-01-01T00:00:00.000Z",
        **fields,
    }


def request(integration: str = INTEGRATION, message_id: str = "run") -> Envelope:
    """The message that requests to read the records of a stage."""
    attributes: dict[str, Any] = {
        "event": "run",
        "integration": integration,
        "run": RUN,
    }
    return envelope(
        point="", of="", message_id=message_id, source_vault_id=CRM_ID, **attributes
    )


async def read(vaults: Pair, integration: str = INTEGRATION) -> dict[str, object]:
    """Read the due stage; return the run."""
    await inbox(vaults).handle([delivery(request(integration), MEDICAL_ID)])
    return vaults.medical.runs[integration, RUN]


def published(vaults: Pair) -> list[Envelope]:
    """The batches that were published."""
    sent = vaults.medical_publisher.published
    return [Envelope.parse(message.body) for message in sent]


async def test_the_first_stage_reads_accounts(vaults: Pair) -> None:
    begun(vaults)
    of = account(vaults.crm)
    account(vaults.crm, "CH")
    inquiry(vaults.crm, of)
    run = await read(vaults)
    (batch,) = published(vaults)
    assert batch.message.items == (of,)
    assert batch.message.attributes == {
        "object": ACCOUNT,
        "event": RunEvent.BATCH,
        "integration_point": ACCOUNTS,
        "source_vault_id": CRM_ID,
        "integration": INTEGRATION,
        "run": RUN,
        "batch": 1,
    }
    assert batch.message_id == f"{MEDICAL_ID}-run-{RUN}-1"
    assert (run["batches"], run["ended"], run["more_stages"]) == (1, True, True)


async def test_the_second_stage_reads_inquiries_that_have_not_arrived(
    vaults: Pair,
) -> None:
    begun(vaults, stage=1, source_time="2026-12-31T00:00:00.000Z")
    of = account(vaults.crm)
    wanted = [
        inquiry(vaults.crm, of, transfer_status__v=each)
        for each in ("pending__v", "success__v", "failed__v")
    ]
    run = await read(vaults)
    (batch,) = published(vaults)
    assert batch.message.items == (wanted[0], wanted[2])
    assert run["more_stages"] is False


@pytest.mark.parametrize(
    ("object_name", "changed", "listed"),
    [
        ("address__v", {"city_cda__v": "Troy"}, 1),
        ("country__v", {"name__v": "States"}, 2),
        # No agreement is known of what the country is now: its own account may not be listed.
        ("country__v", {"country_code__v": "XX"}, 1),
        (ACCOUNT, {"name__v": "Ann Lees"}, 1),
    ],
)
async def test_a_change_of_a_record_that_is_read_with_others_is_a_change_of_them(
    vaults: Pair, object_name: str, changed: dict[str, str], listed: int
) -> None:
    of, near = account(vaults.crm), account(vaults.crm, "DE")
    far = account(vaults.crm, "DE")
    there = country(vaults.crm, "US")
    address = vaults.crm.add(
        "address__v", account__v=near, name__v="Street", country__v=there
    )
    # Made last, so that its date is later than those of what is read.
    vaults.crm.add("product__v", name__v="Last", external_id__v="P-9")
    read_until = (await vaults.crm.clock()).date_time
    named = {"address__v": address, "country__v": there, ACCOUNT: of}
    vaults.crm.change(object_name, named[object_name], **changed)
    begun(vaults, changed_since=read_until, continues=True)
    await read(vaults)
    items = [item for batch in published(vaults) for item in batch.message.items]
    # Each once, and nothing that has not changed.
    assert len(items) == len(set(items)) == listed
    assert far not in items


async def test_the_window_ends_at_the_sources_clock_and_is_kept(vaults: Pair) -> None:
    begun(vaults)
    clock = await vaults.crm.clock()
    run = await read(vaults)
    assert run["source_time"] == clock.date_time
    assert run["complete_until"] == clock.complete_until


@pytest.mark.parametrize(
    ("continues", "since"),
    [
        (True, "2026-06-01T12:00:00.000Z"),
        (False, "2026-06-01T11:58:00.000Z"),
        (None, "2026-06-01T11:58:00.000Z"),
    ],
    ids=["continues a run", "begins anew", "a Vault that does not say"],
)
async def test_the_overlap_is_for_runs_that_continue_none(
    vaults: Pair, continues: bool | None, since: str
) -> None:
    begun(
        vaults,
        changed_since="2026-06-01T12:00:00.000Z",
        source_time="2026-12-31T00:00:00.000Z",
        continues=continues,
    )
    await read(vaults)
    asked = [each for each in vaults.crm.asked if "modified_date__v >=" in each]
    assert asked
    assert all(f"modified_date__v >= '{since}'" in each for each in asked)


async def test_a_source_that_cannot_tell_reports_its_clock_alone(vaults: Pair) -> None:
    vaults.crm.tells_completeness = False
    begun(vaults)
    run = await read(vaults)
    assert run["source_time"]
    assert "complete_until" not in run


@pytest.mark.parametrize(
    ("records", "sizes"),
    [(500, [500]), (501, [500, 1]), (1000, [500, 500]), (1001, [500, 500, 1])],
)
async def test_pages_follow_each_other_to_the_end_in_batches(
    vaults: Pair, records: int, sizes: list[int]
) -> None:
    begun(vaults)
    ids = [account(vaults.crm) for _ in range(records)]
    run = await read(vaults)
    batches = [batch.message.items for batch in published(vaults)]
    assert [len(items) for items in batches] == sizes
    assert [item for items in batches for item in items] == ids
    assert run["batches"] == len(sizes)


async def test_an_agreement_is_asked_for_once_for_all_readings(vaults: Pair) -> None:
    begun(vaults)
    account(vaults.crm)
    await read(vaults)
    assert vaults.medical.asked.count(COUNTRIES) == 1


async def test_what_was_deleted_in_the_source_is_read_too(vaults: Pair) -> None:
    begun(vaults, METADATA)
    vaults.crm.deleted["content_group__v"] = [{"id": "V4G1"}, {"id": "V4G1"}]
    await read(vaults, METADATA)
    gone = [batch.message.items for batch in published(vaults)]
    assert ("V4G1",) in gone


async def test_a_page_is_published_before_it_is_reported(vaults: Pair) -> None:
    begun(vaults)
    account(vaults.crm)
    vaults.medical_publisher.faults.append(BrokerUnavailable("away"))
    run = await read(vaults)
    assert (len(published(vaults)), run["batches"]) == (1, 1)


@pytest.mark.parametrize(
    "state", [{"status": "CANCELLED"}, {"paged": True}, {"error": "stopped"}]
)
async def test_a_run_that_does_not_go_on_is_not_read(
    vaults: Pair, state: dict[str, object]
) -> None:
    begun(vaults, **state)
    account(vaults.crm)
    await read(vaults)
    assert published(vaults) == []


async def test_a_stage_that_another_connector_has_ended_is_left(vaults: Pair) -> None:
    begun(vaults, source_time="2026-12-31T00:00:00.000Z")
    account(vaults.crm)

    async def ahead() -> None:
        vaults.medical.runs[INTEGRATION, RUN]["stage"] = 1

    vaults.medical.before("report_run", ahead)
    run = await read(vaults)
    assert (len(published(vaults)), run["stage"]) == (1, 1)
    assert "ended" not in run


async def test_a_run_of_fewer_stages_than_it_began_with_ends(vaults: Pair) -> None:
    begun(vaults, stage=9)
    run = await read(vaults)
    assert (run["ended"], run["more_stages"]) == (True, False)


async def test_a_request_that_is_delivered_twice_is_read_once(vaults: Pair) -> None:
    begun(vaults)
    account(vaults.crm)
    twice = [delivery(request(), MEDICAL_ID)] * 2
    await inbox(vaults).handle(twice)
    assert len(published(vaults)) == 1


async def test_a_vault_that_is_away_is_waited_for(vaults: Pair) -> None:
    begun(vaults)
    account(vaults.crm)
    vaults.crm.fail_calls("clock", VaultUnavailable("away"))
    await read(vaults)
    assert len(published(vaults)) == 1


# Runs that cannot be read.


async def test_a_run_of_an_integration_that_is_gone_ends_with_the_reason(
    vaults: Pair,
) -> None:
    begun(vaults, "gone__c")
    run = await read(vaults, "gone__c")
    assert run["error"] == "Integration gone__c does not exist in this Vault"


async def test_a_run_whose_rule_cannot_be_read_ends_with_the_reason() -> None:
    broken = """ALTER Integrationrule medical_inquiries__v (
        MODIFY Fieldrule request_email__v (query_field('no_such__c')));"""
    vaults = pair(broken)
    begun(vaults)
    assert "no field no_such__c" in str((await read(vaults))["error"])


async def test_a_refused_read_ends_the_run_without_the_values_of_its_text(
    vaults: Pair,
) -> None:
    begun(vaults)
    vaults.crm.fail_calls("clock", VaultRefused("INSUFFICIENT_ACCESS", "[a=b] no"))
    run = await read(vaults)
    expected = "A Vault refused the call: INSUFFICIENT_ACCESS: [a] no"
    assert run["error"] == expected


async def test_a_run_of_a_vault_that_is_not_known_ends_with_the_reason(
    vaults: Pair,
) -> None:
    begun(vaults)
    del vaults.vaults.by_id[CRM_ID]
    run = await read(vaults)
    assert "not among the connector's Vaults" in str(run["error"])


async def test_nobody_waits_for_the_error_of_a_run_that_is_gone(vaults: Pair) -> None:
    begun(vaults)
    vaults.crm.fail_calls("clock", VaultRefused("INSUFFICIENT_ACCESS", "no"))
    vaults.medical.fail_calls("report_run", VaultRefused("INVALID_DATA", "gone"))
    await read(vaults)
    assert published(vaults) == []


async def test_an_answer_without_a_moment_ends_the_run(vaults: Pair) -> None:
    begun(vaults, changed_since="yesterday")
    run = await read(vaults)
    assert "UNEXPECTED_ANSWER" in str(run["error"])


# Batches.


def batch_of(*ids: str, number: int = 1, **route: str) -> Envelope:
    """A batch of a run."""
    attributes: dict[str, Any] = {
        "event": "run_batch",
        "integration": INTEGRATION,
        "run": RUN,
        "batch": number,
        "source_vault_id": CRM_ID,
    }
    return envelope(*ids, message_id=f"b-{number}", **route, **attributes)


async def test_a_batch_is_transferred_and_counted(vaults: Pair) -> None:
    begun(vaults)
    of = account(vaults.crm)
    right = inquiry(vaults.crm, of)
    wrong = inquiry(vaults.crm, account(vaults.crm, specialty_1__v="alchemy__v"))
    message = batch_of(right, wrong, "V4T9")
    await inbox(vaults).handle([delivery(message, MEDICAL_ID)])
    counted = {"read": 3, "mapped": 1, "skipped": 1, "written": 1, "failed": 1}
    counted["unchanged"] = 0
    assert vaults.medical.batches == [(1, INQUIRIES, counted)]
    assert status(vaults.crm, right) == "success__v"


async def test_records_that_are_stored_already_are_counted_as_unchanged(
    vaults: Pair,
) -> None:
    begun(vaults)
    agreed = country(vaults.medical, "US")
    vaults.medical.change(
        "country__v", agreed, pull_accounts_rule__v="pull_accounts__v"
    )
    first, second = account(vaults.crm), account(vaults.crm)
    message = batch_of(first, second, point=ACCOUNTS, of=ACCOUNT)
    await inbox(vaults).handle([delivery(message, MEDICAL_ID)])
    vaults.crm.change(ACCOUNT, second, last_name_cda__v="Changed")
    await inbox(vaults).handle([delivery(message, MEDICAL_ID)])
    counted = [counts for _, _, counts in vaults.medical.batches]
    assert [each["written"] for each in counted] == [2, 2]
    assert [each["unchanged"] for each in counted] == [0, 1]


async def test_of_a_batch_that_fails_as_a_whole_all_records_have_failed(
    vaults: Pair,
) -> None:
    begun(vaults)
    vaults.medical.fail_calls("upsert person__sys", ValueError("odd"))
    item = inquiry(vaults.crm, account(vaults.crm))
    with logged():
        await inbox(vaults).handle([delivery(batch_of(item), MEDICAL_ID)])
    ((_, _, counted),) = vaults.medical.batches
    assert (counted["read"], counted["failed"]) == (1, 1)


async def test_a_batch_of_a_run_that_is_gone_is_transferred_all_the_same(
    vaults: Pair,
) -> None:
    vaults.medical.fail_calls("report_batch", VaultRefused("INVALID_DATA", "gone"))
    item = inquiry(vaults.crm, account(vaults.crm))
    await inbox(vaults).handle([delivery(batch_of(item), MEDICAL_ID)])
    assert status(vaults.crm, item) == "success__v"


async def test_the_lineage_of_a_batch_names_its_run(vaults: Pair) -> None:
    begun(vaults)
    item = inquiry(vaults.crm, account(vaults.crm))
    await inbox(vaults).handle([delivery(batch_of(item), MEDICAL_ID)])
    (row,) = [each for each in vaults.crm.written if each.object == INQUIRY]
    assert row.lineage is not None
    assert json.dumps(row.lineage["run"]) == str(RUN)

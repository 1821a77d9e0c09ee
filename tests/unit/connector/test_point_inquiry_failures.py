"""Inquiries that fail or are raced, their Preferred Contact Information, and messages that are refused."""

from __future__ import annotations

import pytest

from services.connector.points import inquiry as inquiry_point
from services.connector.points import points
from services.connector.points.point import Reading
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.errors import VaultUnavailable
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRIES,
    INQUIRY,
    PERSON,
    REQUEST,
    SOURCE_DATA,
    account,
    contact,
    inquiries,
    inquiry,
    reason,
    status,
)
from tests.unit.connector.standard_vaults import (
    CRM_ID,
    MEDICAL_ID,
    Pair,
    pair,
)


@pytest.fixture
def vaults() -> Pair:
    return pair()


# Failures of some.


@pytest.mark.parametrize(
    ("object_name", "left"),
    [(PERSON, "Case Contact"), (SOURCE_DATA, ""), (CASE, ""), (REQUEST, "")],
)
async def test_a_row_that_is_refused_fails_its_inquiry_and_no_other(
    vaults: Pair, object_name: str, left: str
) -> None:
    right = inquiry(vaults.crm, account(vaults.crm))
    of = account(vaults.crm, name__v="Refused")
    wrong = inquiry(vaults.crm, of)
    key = wrong if object_name in (CASE, REQUEST) else of
    vaults.medical.refuse_rows(object_name, link__sys=f"{CRM_ID}_{key}")
    outcome = await inquiries(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    # Values that an error text shows may be personal.
    assert reason(outcome, wrong).startswith(
        f"The target Vault did not save {object_name}: INVALID_DATA: [name__v] is no {object_name}"
    )
    statuses = [status(vaults.crm, item) for item in (right, wrong)]
    assert statuses == ["success__v", "failed__v"]


async def test_an_inquiry_that_does_not_exist_fails(vaults: Pair) -> None:
    right = inquiry(vaults.crm, account(vaults.crm))
    outcome = await inquiries(vaults, "V4T9", right)
    assert outcome.failures["V4T9"].error_type is ItemErrorType.SOURCE
    assert outcome.done == {right}


async def test_in_a_run_an_inquiry_that_was_deleted_is_skipped(vaults: Pair) -> None:
    outcome = await inquiries(vaults, "V4T9", of_run=True)
    assert (outcome.skipped, outcome.failures) == ({"V4T9"}, {})


async def test_an_account_that_does_not_exist_fails_its_inquiry(vaults: Pair) -> None:
    item = inquiry(vaults.crm, "V4A9")
    outcome = await inquiries(vaults, item)
    assert outcome.failures[item].error_type is ItemErrorType.SOURCE
    assert "account__v V4A9" in reason(outcome, item)


async def test_a_reference_without_its_record_fails_the_inquiry(vaults: Pair) -> None:
    odd = vaults.crm.add("product__v", external_id__v="P-9", name__v="P-9")
    item = inquiry(vaults.crm, account(vaults.crm), product__v=odd)
    outcome = await inquiries(vaults, item)
    assert outcome.failures[item].error_type is ItemErrorType.REFERENCE
    assert outcome.failures[item].target_field == "product__v"
    assert status(vaults.crm, item) == "failed__v"


async def test_a_product_without_the_key_of_its_counterpart_fails_the_inquiry(
    vaults: Pair,
) -> None:
    blank = vaults.crm.add("product__v", name__v="Without a key")
    item = inquiry(vaults.crm, account(vaults.crm), product__v=blank)
    none = inquiry(vaults.crm, account(vaults.crm), product__v=None)
    outcome = await inquiries(vaults, item, none)
    assert outcome.done == {none}
    assert outcome.failures[item].error_type is ItemErrorType.REFERENCE
    assert "exists and has no product__vr.external_id__v" in reason(outcome, item)


async def test_a_value_that_the_target_refuses_names_the_rule_that_gave_it(
    vaults: Pair,
) -> None:
    item = inquiry(vaults.crm, account(vaults.crm), delivery_method__v="email__v")
    message = "Field [priority__v] takes values of picklist [priority__v]"
    vaults.medical.refuse_rows(CASE, message=message)
    failure = (await inquiries(vaults, item)).failures[item]
    assert failure.field_rule == "case_priority__v"
    assert failure.target_field == "priority__v"
    assert failure.message.endswith(
        "The value is of integration rule medical_inquiries__v, field rule case_priority__v, source field "
        "delivery_method__v, reference lookup delivery_method_to_priority__v"
    )


async def test_a_missing_lookup_of_the_account_fails_the_inquiry(vaults: Pair) -> None:
    of = account(vaults.crm, specialty_1__v="alchemy__v")
    item = inquiry(vaults.crm, of)
    outcome = await inquiries(vaults, item)
    assert outcome.failures[item].error_type is ItemErrorType.LOOKUP


async def test_a_missing_lookup_that_only_warns_leaves_the_field_unset() -> None:
    warns = """ALTER Integrationrule account__v (
        MODIFY Fieldrule person_specialty__v (missing_lookup('warning')));"""
    vaults = pair(warns)
    item = inquiry(vaults.crm, account(vaults.crm, specialty_1__v="alchemy__v"))
    outcome = await inquiries(vaults, item)
    assert (outcome.done, set(outcome.warnings)) == ({item}, {item})
    assert outcome.settled == set()
    assert vaults.medical.rows(PERSON, "specialty__v") == [{"specialty__v": None}]


async def test_an_account_that_a_filter_leaves_out_fails_the_inquiry() -> None:
    filtered = """ALTER Integrationrule account__v ( ADD Queryobjectrule doctors__v (
        query_object('account__v'), filter_clause('credentials__v = ''MD''')));"""
    vaults = pair(filtered)
    item = inquiry(vaults.crm, account(vaults.crm))
    outcome = await inquiries(vaults, item)
    assert "left out by a query object rule" in reason(outcome, item)


async def test_an_inquiry_that_a_filter_leaves_out_is_skipped() -> None:
    filtered = """ALTER Integrationrule medical_inquiries__v ( ADD Queryobjectrule mine__v (
        query_object('medical_inquiry__v'), filter_clause('group_identifier__v = ''mine''')));"""
    vaults = pair(filtered)
    mine = inquiry(vaults.crm, account(vaults.crm), group_identifier__v="mine")
    other = inquiry(vaults.crm, account(vaults.crm))
    outcome = await inquiries(vaults, mine, other)
    assert (outcome.done, outcome.skipped) == ({mine}, {other})
    assert status(vaults.crm, other) == "pending__v"


async def test_a_status_that_the_source_does_not_take_is_a_failure(
    vaults: Pair,
) -> None:
    item = inquiry(vaults.crm, account(vaults.crm))
    vaults.crm.refuse_rows(INQUIRY, "INSUFFICIENT_ACCESS")
    outcome = await inquiries(vaults, item)
    assert outcome.failures[item].target_field == "transfer_status__v"
    assert len(vaults.medical.rows(REQUEST)) == 1


async def test_nothing_is_written_back_into_production_from_a_sandbox(
    vaults: Pair,
) -> None:
    (connection,) = vaults.medical.rows("connection__sys", "id")
    vaults.medical.change(
        "connection__sys",
        str(connection["id"]),
        domain_type__sys="sandbox__sys",
        remote_domain_type__sys="production__sys",
    )
    item = inquiry(vaults.crm, account(vaults.crm))
    assert (await inquiries(vaults, item)).done == {item}
    assert status(vaults.crm, item) == "pending__v"


# Races.


async def test_rows_that_another_transaction_was_changing_are_written_again(
    vaults: Pair,
) -> None:
    vaults.medical.refuse_rows(CASE, "RACE_CONDITION", times=3)
    item = inquiry(vaults.crm, account(vaults.crm))
    assert (await inquiries(vaults, item)).done == {item}


async def test_a_race_that_is_lost_again_and_again_fails_the_inquiry(
    vaults: Pair,
) -> None:
    vaults.medical.refuse_rows(CASE, "RACE_CONDITION")
    item = inquiry(vaults.crm, account(vaults.crm))
    outcome = await inquiries(vaults, item)
    assert "RACE_CONDITION" in reason(outcome, item)
    calls = [each for each in vaults.medical.written if each.object == CASE]
    assert len(calls) == 4


async def test_what_another_connector_stored_meanwhile_is_read_again(
    vaults: Pair,
) -> None:
    item = inquiry(vaults.crm, account(vaults.crm))
    await inquiries(vaults, item)
    vaults.crm.change(
        INQUIRY, item, transfer_status__v="failed__v", inquiry_text__v="New?"
    )
    (request,) = vaults.medical.rows(REQUEST, "id")
    ahead = {"source_modified_date__sys": "2026-06-01T00:00:00.000Z"}
    vaults.medical.change(REQUEST, str(request["id"]), question__v="Newer?", **ahead)
    assert (await inquiries(vaults, item)).done == {item}
    # It was read after the stored state was met, so it is newer.
    fields = ("question__v", "source_modified_date__sys")
    assert vaults.medical.rows(REQUEST, *fields) == [
        {
            "question__v": "New?",
            "source_modified_date__sys": "2026-06-01T00:00:00.001Z",
        }
    ]


async def test_a_unit_that_is_outdated_every_time_waits_as_for_a_vault_that_is_away(
    vaults: Pair,
) -> None:
    item = inquiry(vaults.crm, account(vaults.crm))
    await inquiries(vaults, item)
    vaults.crm.change(
        INQUIRY, item, transfer_status__v="failed__v", inquiry_text__v="New?"
    )
    (request,) = vaults.medical.rows(REQUEST, "id")

    async def again(number: int) -> None:
        moment = f"2026-06-01T00:{number:02d}:00.000Z"
        name = str(request["id"])
        vaults.medical.change(REQUEST, name, source_modified_date__sys=moment)
        vaults.medical.before(f"upsert {REQUEST}", lambda: again(number + 1))

    await again(0)
    with pytest.raises(VaultUnavailable, match="written all the time"):
        await inquiries(vaults, item)


# Preferred Contact Information.


@pytest.mark.parametrize(
    ("kind", "value", "fields"),
    [
        (
            "email__v",
            "ANN@hcp.example",
            {"delivery_method__v": "email__v", "email__v": "ann@hcp.example"},
        ),
        (
            "phone__v",
            "+1 (555) 01",
            {"delivery_method__v": "phone__v", "phone_number__v": "+155501"},
        ),
        (
            "fax__v",
            "555-02",
            {"delivery_method__v": "fax__v", "fax_number__v": "555 02"},
        ),
        (
            "address__v",
            "1 Main Street, Oslo",
            {
                "delivery_method__v": "mail__v",
                "address_line_1__v": "1 Main  Street",
                "city__v": "oslo",
            },
        ),
    ],
)
async def test_the_case_has_the_contact_information_that_equals_the_delivery_detail(
    vaults: Pair, kind: str, value: str, fields: dict[str, object]
) -> None:
    person = contact(vaults.medical, veeva_id__v="V-1")
    wanted = vaults.medical.add(
        "person_information__v",
        person__v=person,
        information_type__v=kind,
        value__v=value,
    )
    item = inquiry(vaults.crm, account(vaults.crm, veevaid__v="V-1"), **fields)
    await inquiries(vaults, item)
    assert vaults.medical.rows(CASE, "preferred_contact_information__v") == [
        {"preferred_contact_information__v": wanted}
    ]


async def test_without_an_equal_detail_the_case_has_none(vaults: Pair) -> None:
    person = contact(vaults.medical, veeva_id__v="V-1")
    for value, record_status in (("b@b.example", "active__v"), ("a@b.example", "inactive__v")):  # fmt: skip
        vaults.medical.add(
            "person_information__v",
            person__v=person,
            information_type__v="email__v",
            value__v=value,
            status__v=record_status,
        )
    item = inquiry(
        vaults.crm,
        account(vaults.crm, veevaid__v="V-1"),
        delivery_method__v="email__v",
        email__v="a@b.example",
    )
    await inquiries(vaults, item)
    assert vaults.medical.rows(CASE, "preferred_contact_information__v") == [
        {"preferred_contact_information__v": None}
    ]


# The message as a whole.


async def test_messages_about_another_object_are_refused(vaults: Pair) -> None:
    with pytest.raises(ConfigurationFault, match="exactly one active integration rule"):
        await vaults.transfer(vaults.medical, INQUIRIES, ACCOUNT, "V4A1")


async def test_a_message_without_records_has_nothing_to_do(vaults: Pair) -> None:
    assert (await inquiries(vaults)).settled == set()


async def test_a_refused_message_sets_failed_on_all_but_those_that_have_arrived(
    vaults: Pair,
) -> None:
    items = [
        inquiry(vaults.crm, None, transfer_status__v=each)
        for each in ("pending__v", "success__v", "failed__v", None)
    ]
    mark = points.mark_refused(INQUIRY)
    assert mark is not None
    await mark(vaults.crm, dict.fromkeys(items, ""), None)
    statuses = [status(vaults.crm, item) for item in items]
    assert statuses == ["failed__v", "success__v", "failed__v", "failed__v"]


@pytest.mark.parametrize("keeps", [True, False])
async def test_who_sent_an_inquiry_reads_why_it_failed_and_what_to_do(
    keeps: bool,
) -> None:
    without = "ALTER Object medical_inquiry__v ( DROP Field transfer_error__v );"
    vaults = pair(crm="" if keeps else without)
    product = vaults.crm.add("product__v", name__v="New", external_id__v="P-NEW")
    item = inquiry(vaults.crm, account(vaults.crm), product__v=product)
    await inquiries(vaults, item)
    stored = vaults.crm.get(INQUIRY, item)
    assert stored["transfer_status__v"] == "failed__v"
    if not keeps:
        assert "transfer_error__v" not in stored
        return
    told = str(stored["transfer_error__v"])
    assert told.startswith("Something that it refers to, such as the product,")
    assert "no product__v with external_id__v P-NEW" in told
    # Administrators know the rules, senders do not.
    assert "Integration rule" not in told
    # What has been told is not told again: each change would be read by the next run.
    changed = stored["modified_date__v"]
    await inquiries(vaults, item)
    assert vaults.crm.get(INQUIRY, item)["modified_date__v"] == changed


@pytest.mark.parametrize("kind", ItemErrorType)
def test_every_reason_says_what_to_do(kind: ItemErrorType) -> None:
    told = ItemFailure(kind, "Too long").for_sender
    assert "ransfer again" in told and told.endswith("Details: Too long")


async def test_a_run_reads_the_inquiries_that_have_not_arrived(vaults: Pair) -> None:
    reading = Reading(INQUIRIES, INQUIRY)
    narrowed = await inquiry_point.POINT.narrow(vaults.medical, reading)
    assert narrowed is not None
    assert (
        narrowed.condition == "transfer_status__v CONTAINS ('pending__v','failed__v')"
    )
    assert vaults.medical.vault_id == MEDICAL_ID

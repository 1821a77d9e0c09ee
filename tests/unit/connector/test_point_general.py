"""Points that only follow their rules: results that return to Vault CRM, and custom points of any object."""

from __future__ import annotations

from itertools import permutations

import pytest

from services.connector.points import inquiry_return
from services.connector.points.on_demand import CRM_LOOKUP
from services.connector.points.point import Reading
from services.connector.points.transfer import Outcome
from services.connector.rules.item_failures import ItemErrorType
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import ConfigurationFault
from shared.client.errors import VaultUnavailable
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRY,
    REQUEST,
    RETURNS,
    inquiry,
    reason,
)
from tests.unit.connector.standard_vaults import CONNECTION, CRM_ID, Pair, id_of, pair

CUSTOM = "custom__c"


# What returns to Vault CRM.


def request(vaults: Pair, item: str | None, **fields: object) -> str:
    """A Case Request of an inquiry of this Vault CRM."""
    link = f"{CRM_ID}_{item}" if item else None
    case = vaults.medical.add(CASE)
    return vaults.medical.add(REQUEST, case__v=case, link__sys=link, **fields)


async def returned(vaults: Pair, *ids: str, of_run: bool = False) -> Outcome:
    return await vaults.transfer(vaults.crm, RETURNS, REQUEST, *ids, of_run=of_run)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("new_state__v", "transferred__v"),
        ("in_progress_state__v", "in_progress__v"),
        ("closed_state__v", "closed__v"),
        ("cancelled_state__v", "cancelled__v"),
    ],
)
async def test_the_state_of_a_request_is_the_status_of_its_inquiry(
    state: str, expected: str
) -> None:
    vaults = pair()
    item = inquiry(vaults.crm, None)
    made = request(vaults, item, state__v=state)
    assert (await returned(vaults, made)).done == {made}
    assert vaults.crm.get(INQUIRY, item)["inquiry_status__v"] == expected


async def test_the_response_returns_whole() -> None:
    vaults = pair()
    item = inquiry(vaults.crm, None)
    notes = "Twice. " * 100
    await returned(vaults, request(vaults, item, response_notes__v=notes))
    assert vaults.crm.get(INQUIRY, item)["response__v"] == notes


async def test_what_was_emptied_in_an_answer_is_empty_in_crm() -> None:
    vaults = pair()
    item = inquiry(vaults.crm, None)
    link = "https://packages.example/1"
    made = request(
        vaults, item, response_notes__v="One.", response_package_link__v=link
    )
    await returned(vaults, made)
    corrected = {"response_notes__v": "Two.", "response_package_link__v": None}
    vaults.medical.change(REQUEST, made, **corrected)
    await returned(vaults, made)
    stored = vaults.crm.get(INQUIRY, item)
    assert (stored["response__v"], stored["response_package_link__v"]) == ("Two.", None)


async def test_a_request_of_no_inquiry_is_skipped() -> None:
    vaults = pair()
    made = request(vaults, None)
    outcome = await returned(vaults, made)
    assert (outcome.skipped, vaults.crm.written) == ({made}, [])


async def test_an_inquiry_that_does_not_exist_is_not_made_of_a_request() -> None:
    vaults = pair()
    made = request(vaults, "V4T9")
    outcome = await returned(vaults, made)
    assert "did not save medical_inquiry__v: INVALID_DATA" in reason(outcome, made)
    assert vaults.crm.rows(INQUIRY) == []


async def test_a_state_without_a_lookup_fails_that_request_only() -> None:
    vaults = pair()
    items = [inquiry(vaults.crm, None) for _ in range(2)]
    right = request(vaults, items[0])
    wrong = request(vaults, items[1], state__v="odd_state__c")
    outcome = await returned(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert outcome.failures[wrong].error_type is ItemErrorType.LOOKUP


async def test_a_request_that_does_not_exist_fails_and_in_a_run_is_skipped() -> None:
    vaults = pair()
    assert set((await returned(vaults, "V5R9")).failures) == {"V5R9"}
    assert (await returned(vaults, "V5R9", of_run=True)).skipped == {"V5R9"}


async def test_a_run_reads_the_requests_of_this_vault_crm_only() -> None:
    vaults = pair()
    narrow = inquiry_return.POINT.narrow
    narrowed = await narrow(vaults.crm, Reading(RETURNS, REQUEST))
    assert narrowed is not None
    assert narrowed.condition == f"link__sys LIKE '{CRM_ID}_%'"


# Custom points.


def rule(*field_rules: str, primary: str = ACCOUNT, more: str = "") -> str:
    """MDL of a rule of a custom point in the Medical Vault."""
    parts = ", ".join(
        f"Fieldrule f{number}__c ({each})" for number, each in enumerate(field_rules)
    )
    return f"""RECREATE Integrationrule custom__c (label('Custom'), connection('{CONNECTION}'),
        integration_point('{CUSTOM}'), primary_query_object('{primary}'){more}, {parts});"""


def filled(target: str, query: str, more: str = "", of: str = ACCOUNT) -> str:
    """One field rule."""
    object_name, _, field = target.partition(".")
    return (
        f"target_object('Object.{object_name}'), target_object_field('Field.{field}'), "
        f"query_object('{of}'), query_field('{query}'){more}"
    )


LINKED = (
    filled("case__v.link__sys", "global_id__sys"),
    filled("case_request__v.link__sys", "global_id__sys"),
    filled("case_request__v.question__v", "name__v"),
)


def custom(mdl: str) -> Pair:
    """Vaults with a custom point that has this rule."""
    vaults = pair(mdl)
    (first, *_) = vaults.medical.rows("integration__sys", "id")
    vaults.medical.add(
        "integration_point__sys",
        integration_point_api_name__sys=CUSTOM,
        integration__sys=first["id"],
        name__v="Custom",
    )
    return vaults


async def transferred(vaults: Pair, *ids: str, of: str = ACCOUNT) -> Outcome:
    return await vaults.transfer(vaults.medical, CUSTOM, of, *ids)


def accounts(vaults: Pair, *names: str | None) -> list[str]:
    return [vaults.crm.add(ACCOUNT, name__v=name, external_id__v=name) for name in names]  # fmt: skip


async def test_rows_of_one_source_record_are_linked_parent_first() -> None:
    vaults = custom(rule(*LINKED))
    items = accounts(vaults, "A", "B")
    assert (await transferred(vaults, *items)).done == set(items)
    cases = [row["id"] for row in vaults.medical.rows(CASE, "id")]
    assert vaults.medical.rows(REQUEST, "question__v", "case__v") == [
        {"question__v": "A", "case__v": cases[0]},
        {"question__v": "B", "case__v": cases[1]},
    ]


async def test_a_record_that_fails_at_one_object_goes_no_further() -> None:
    vaults = custom(rule(*LINKED))
    right, wrong = accounts(vaults, "A", "B")
    vaults.medical.refuse_rows(CASE, link__sys=f"{CRM_ID}_{wrong}")
    outcome = await transferred(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert len(vaults.medical.rows(REQUEST)) == 1


async def test_a_record_without_a_value_for_its_key_fails() -> None:
    fields = (
        filled("product__v.external_id__v", "link__sys"),
        filled("product__v.name__v", "name__v"),
    )
    vaults = custom(rule(*fields))
    right, wrong = accounts(vaults, "A", "B")
    vaults.crm.change(ACCOUNT, right, link__sys="L")
    outcome = await transferred(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert "has no value for product__v.external_id__v" in reason(outcome, wrong)


async def test_a_rule_without_a_key_for_its_target_is_an_error() -> None:
    vaults = custom(rule(filled("product__v.name__v", "name__v")))
    (item,) = accounts(vaults, "A")
    with pytest.raises(RuleError, match="no field rule gives product__v a key"):
        await transferred(vaults, item)


async def test_of_several_source_records_with_one_key_the_last_modified_counts() -> (
    None
):
    fields = (
        filled("product__v.external_id__v", "link__sys"),
        filled("product__v.name__v", "name__v"),
    )
    vaults = custom(rule(*fields))
    items = [
        vaults.crm.add(ACCOUNT, name__v=name, link__sys="K") for name in ("A", "B")
    ]
    vaults.crm.change(ACCOUNT, items[0], name__v="C")
    assert (await transferred(vaults, *items)).done == set(items)
    made = id_of(vaults.medical, "product__v", external_id__v="K")
    assert vaults.medical.get("product__v", made)["name__v"] == "C"


PLACE = "place__c"
PLACES = """RECREATE Object place__c (label('Place'), prefix('ZPL'),
    Field code__c (label('Code'), type('String'), max_length(40), unique(true)),
    Field above__c (label('Above'), type('Object'), object('Object.place__c')));"""


def places(**above: str) -> tuple[Pair, dict[str, str]]:
    """Vaults in which accounts become places; an account's credentials contain the name of its place."""
    fields = (
        filled("place__c.code__c", "link__sys"),
        filled("place__c.name__v", "name__v"),
        filled("place__c.above__c", "credentials__v", ", target_field_lookup('code__c')"),
    )  # fmt: skip
    vaults = custom(PLACES + rule(*fields))
    known = dict(zip(above, accounts(vaults, *above), strict=True))
    for name, item in known.items():
        upper = above[name] or None
        vaults.crm.change(ACCOUNT, item, link__sys=name, credentials__v=upper)
    return vaults, known


@pytest.mark.parametrize("order", list(permutations("ABCD")))
async def test_records_of_one_unit_that_refer_to_each_other_come_in_any_order(
    order: tuple[str, ...],
) -> None:
    vaults, items = places(A="", B="A", C="B", D="B")
    wanted = [items[name] for name in order]
    assert (await transferred(vaults, *wanted)).done == set(wanted)
    made = {row["id"]: row for row in vaults.medical.rows(PLACE)}
    named = {
        row["code__c"]: made[row["above__c"]]["code__c"] if row["above__c"] else None
        for row in made.values()
    }
    assert named == {"A": None, "B": "A", "C": "B", "D": "B"}
    assert len(made) == 4


@pytest.mark.parametrize(
    ("above", "done"),
    [
        ({"A": "B", "B": "A"}, set()),
        ({"A": "A"}, set()),
        ({"A": "", "B": "nowhere", "C": "A", "D": "B"}, {"A", "C"}),
    ],
)
async def test_what_belongs_to_a_record_that_does_not_come_fails_with_the_reason(
    above: dict[str, str], done: set[str]
) -> None:
    vaults, items = places(**above)
    outcome = await transferred(vaults, *items.values())
    assert outcome.done == {items[name] for name in done}
    assert set(outcome.failures) == {items[name] for name in above if name not in done}
    for failure in outcome.failures.values():
        assert failure.error_type is ItemErrorType.REFERENCE
    # Nothing is tried again when nothing has come.
    assert len(vaults.medical.rows(PLACE)) == len(done)


async def test_records_that_a_filter_leaves_out_are_skipped() -> None:
    only = """, Queryobjectrule only__c (query_object('account__v'),
        filter_clause('name__v = ''A'''))"""
    vaults = custom(rule(*LINKED, more=only))
    shown, left = accounts(vaults, "A", "B")
    outcome = await transferred(vaults, shown, left)
    assert (outcome.done, outcome.skipped) == ({shown}, {left})


async def test_a_message_about_an_object_that_no_rule_reads_is_refused() -> None:
    vaults = custom(rule(*LINKED))
    with pytest.raises(ConfigurationFault, match="reads medical_inquiry__v"):
        await transferred(vaults, "V4T1", of=INQUIRY)


async def test_a_point_without_rules_is_refused() -> None:
    vaults = custom("")
    with pytest.raises(ConfigurationFault, match="no active integration rule"):
        await transferred(vaults, "V4A1")


async def test_a_rule_that_reads_an_unknown_field_is_an_error() -> None:
    vaults = custom(rule(filled("case__v.link__sys", "no_such__c")))
    with pytest.raises(RuleError, match="no field no_such__c"):
        await transferred(vaults, "V4A1")


async def test_records_that_are_read_on_demand_take_no_messages() -> None:
    vaults = pair()
    with pytest.raises(ConfigurationFault, match="read on demand"):
        await vaults.transfer(vaults.medical, CRM_LOOKUP, ACCOUNT, "V4A1")


# Documents as targets.

DOCUMENT = (
    "target_docfield('link__sys'), query_object('account__v'), query_field('global_id__sys')",
    "target_docfield('name__v'), query_object('account__v'), query_field('name__v')",
    "target_docfield('title__v'), query_object('account__v'), query_field('credentials__v')",
    "target_docfield('type__v'), field_default('medical_response__v')",
    "target_docfield('lifecycle__v'), field_default('content_lifecycle__v')",
)


async def test_a_document_is_created_and_then_changed() -> None:
    vaults = custom(rule(*DOCUMENT))
    (item,) = accounts(vaults, "A")
    assert (await transferred(vaults, item)).done == {item}
    vaults.crm.change(ACCOUNT, item, credentials__v="MD")
    assert (await transferred(vaults, item)).done == {item}
    fields = ("name__v", "title__v", "type__v")
    assert vaults.medical.rows("documents", *fields) == [
        {
            "name__v": "A",
            "title__v": "MD",
            "type__v": "medical_response__v",
        }
    ]
    # What is chosen when a document is created is not sent again.
    assert "type__v" not in vaults.medical.written[-1].row


async def test_two_documents_with_one_key_fail_that_record_only() -> None:
    vaults = custom(rule(*DOCUMENT))
    wrong, right = accounts(vaults, "A", "B")
    for _ in range(2):
        link = f"{CRM_ID}_{wrong}"
        vaults.medical.add("documents", link__sys=link, name__v="A")
    outcome = await transferred(vaults, wrong, right)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})
    assert "several documents have this [link__sys]" in reason(outcome, wrong)


async def test_a_document_that_was_created_meanwhile_is_changed() -> None:
    vaults = custom(rule(*DOCUMENT))
    (item,) = accounts(vaults, "A")

    async def another() -> None:
        link = f"{CRM_ID}_{item}"
        vaults.medical.add("documents", link__sys=link, name__v="Old")

    vaults.medical.before("create_documents", another)
    assert (await transferred(vaults, item)).done == {item}
    assert vaults.medical.rows("documents", "name__v") == [{"name__v": "A"}]


async def test_a_source_record_that_changes_meanwhile_is_read_again() -> None:
    vaults = custom(rule(*DOCUMENT))
    (item,) = accounts(vaults, "A")

    async def change() -> None:
        vaults.crm.change(ACCOUNT, item, credentials__v="MD")

    vaults.medical.before("create_documents", change)
    await transferred(vaults, item)
    assert vaults.medical.rows("documents", "title__v") == [{"title__v": "MD"}]


async def test_a_source_record_that_changes_all_the_time_is_waited_for() -> None:
    vaults = custom(rule(*DOCUMENT))
    (item,) = accounts(vaults, "A")

    async def change() -> None:
        vaults.crm.change(ACCOUNT, item, credentials__v="MD")
        vaults.medical.before("update_documents", change)

    vaults.medical.before("create_documents", change)
    with pytest.raises(VaultUnavailable):
        await transferred(vaults, item)


async def test_points_with_code_of_their_own_fill_no_documents() -> None:
    wrong = """ALTER Integrationrule medical_inquiries__v ( ADD Fieldrule odd__c (
        target_docfield('title__v'), field_default('x')));"""
    vaults = pair(wrong)
    with pytest.raises(RuleError, match="fills no fields of documents"):
        await vaults.transfer(
            vaults.medical, "medical_inquiry_details_inbound__v", INQUIRY, "V4T1"
        )

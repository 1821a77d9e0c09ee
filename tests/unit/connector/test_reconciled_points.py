"""Surplus records in the target are found at every point whose records refer to their source, and no others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.unit.connector import test_point_clm as clm
from tests.unit.connector import test_point_country as countries
from tests.unit.connector import test_point_crm_metadata as metadata
from tests.unit.connector import test_point_general as general
from tests.unit.connector import test_point_medical_case as cases
from tests.unit.connector.example_records import (
    ACCOUNT,
    CASE,
    INQUIRY,
    REQUEST,
    account,
)
from tests.unit.connector.standard_vaults import Pair, pair
from tests.unit.connector.test_reconciliation import Lines, compared

Planted = tuple[Pair, Lines]
"""Vaults in which something is too much, and the lines of a report that tell of it."""

WITHOUT_B = """, Queryobjectrule only__c (query_object('account__v'),
    filter_clause('name__v != ''B'''))"""
OTHER = """RECREATE Integrationrule other__c (label('Other'), connection('medical_crm__v'),
    integration_point('other__c'), primary_query_object('account__v'),
    Queryobjectrule rest__c (query_object('account__v'), filter_clause('name__v = ''B''')),
    Fieldrule f1__c ({link}));"""


def passed(vaults: Pair) -> None:
    """Let time pass: the clock of a Vault in memory advances only with its changes."""
    for vault in (vaults.crm, vaults.medical):
        vault.add("product__v", external_id__v="P-9", name__v="P-9")


async def custom_record_is_gone() -> Planted:
    vaults = general.custom(general.rule(*general.LINKED))
    items = general.accounts(vaults, "A", "B", "C", "D")
    await general.transferred(vaults, *items)
    vaults.crm.remove(ACCOUNT, items[1])
    return vaults, {f"extra {items[1]} {CASE} {REQUEST}"}


async def custom_record_is_filtered_out() -> Planted:
    vaults = general.custom(general.rule(*general.LINKED, more=WITHOUT_B))
    items = general.accounts(vaults, "A", "C")
    await general.transferred(vaults, *items)
    vaults.crm.change(ACCOUNT, items[1], name__v="B")
    return vaults, {f"extra {items[1]} {CASE} {REQUEST}"}


async def record_of_another_point_is_no_finding() -> Planted:
    link = general.filled("case__v.link__sys", "global_id__sys")
    vaults = general.custom(
        general.rule(link, more=WITHOUT_B) + OTHER.format(link=link)
    )
    (first, *_) = vaults.medical.rows("integration__sys", "id")
    vaults.medical.add(
        "integration_point__sys",
        integration_point_api_name__sys="other__c",
        integration__sys=first["id"],
        name__v="Other",
    )
    shown, rest = general.accounts(vaults, "A", "B")
    await general.transferred(vaults, shown)
    await vaults.transfer(vaults.medical, "other__c", ACCOUNT, rest)
    return vaults, set()


async def document_of_a_gone_record() -> Planted:
    vaults = general.custom(general.rule(*general.DOCUMENT))
    items = general.accounts(vaults, "A", "B")
    await general.transferred(vaults, *items)
    vaults.crm.remove(ACCOUNT, items[0])
    return vaults, {f"extra {items[0]} documents"}


async def metadata_record_is_gone() -> Planted:
    vaults = pair()
    items = [metadata.a_product(vaults, name) for name in "ABCDE"]
    await metadata.transferred(vaults, *items)
    flagged, gone = items[1], items[3]
    vaults.crm.remove(metadata.PRODUCT, flagged)
    await metadata.transferred(vaults, flagged)
    vaults.crm.remove(metadata.PRODUCT, gone)
    fields = "deleted_in_source__v", "source_status__v"
    details = " ".join(f"{metadata.COPY}.{field}" for field in fields)
    return vaults, {f"extra {gone} {details}"}


async def settings_are_gone() -> Planted:
    vaults = pair()
    items = [countries.settings(vaults, "US", "DE") for _ in range(3)]
    await countries.transferred(vaults, *items)
    flagged, gone = items[:2]
    vaults.crm.remove(countries.SETTINGS, flagged)
    await countries.transferred(vaults, flagged)
    vaults.crm.remove(countries.SETTINGS, gone)
    fields = "deleted_in_source__v", "source_status__v", "status__v"
    details = " ".join(f"{countries.COUNTRIES}.{field}" for field in fields)
    return vaults, {f"extra {gone} {details}"}


async def document_is_gone() -> Planted:
    vaults = pair()
    clm.used(vaults, "clm__v", "US")
    items = [clm.document(vaults) for _ in range(7)]
    await clm.transferred(vaults, *items)
    flagged, gone = items[0], items[5]
    vaults.medical.remove(clm.DOCUMENTS, flagged)
    await clm.transferred(vaults, flagged)
    vaults.medical.remove(clm.DOCUMENTS, gone)
    return vaults, {f"extra {gone} {clm.PRESENTATION}.status__v"}


async def document_is_wanted_nowhere_any_more() -> Planted:
    vaults = pair()
    country = clm.used(vaults, "clm__v", "US")
    items = [clm.document(vaults) for _ in range(2)]
    await clm.transferred(vaults, *items)
    vaults.medical.change("connection_country__v", country, status__v="inactive__v")
    return vaults, {f"extra {item} {clm.PRESENTATION}.status__v" for item in items}


async def request_of_an_inquiry_is_gone() -> Planted:
    vaults = pair()
    person = cases.tied(vaults, account(vaults.crm))
    kept, gone = [cases.request(vaults, person) for _ in range(2)]
    await cases.transferred(vaults, kept, gone)
    vaults.medical.remove(REQUEST, gone)
    return vaults, {f"extra {gone} {INQUIRY}"}


PLANTED: dict[Callable[[], Awaitable[Planted]], bool] = {
    # … and whether it is Vault CRM that is compared
    custom_record_is_gone: False,
    custom_record_is_filtered_out: False,
    record_of_another_point_is_no_finding: False,
    document_of_a_gone_record: False,
    metadata_record_is_gone: False,
    settings_are_gone: False,
    document_is_gone: True,
    document_is_wanted_nowhere_any_more: True,
    request_of_an_inquiry_is_gone: True,
}


@pytest.mark.parametrize("plant", PLANTED)
async def test_what_is_too_much_is_found(
    plant: Callable[[], Awaitable[Planted]],
) -> None:
    vaults, planted = await plant()
    passed(vaults)
    found = await compared(vaults, None, back=PLANTED[plant])
    assert {line for line in found if line.startswith("extra")} == planted


async def test_what_a_rule_leaves_out_while_another_one_does_not_is_found() -> None:
    link = general.filled("product__v.link__sys", "global_id__sys")
    second = general.rule(link, more=WITHOUT_B).replace(
        "Integrationrule custom__c", "Integrationrule second__c"
    )
    vaults = general.custom(general.rule(*general.LINKED) + second)
    items = general.accounts(vaults, "A", "C")
    await general.transferred(vaults, *items)
    vaults.crm.change(ACCOUNT, items[1], name__v="B")
    await general.transferred(vaults, *items)
    passed(vaults)
    found = await compared(vaults, None)
    assert f"extra {items[1]} product__v" in found


async def test_a_deletion_whose_run_is_still_to_come_is_under_way() -> None:
    vaults = pair()
    items = [metadata.a_product(vaults, name) for name in "AB"]
    await metadata.transferred(vaults, *items)
    vaults.crm.remove(metadata.PRODUCT, items[0])
    vaults.crm.deleted[metadata.PRODUCT] = [{"id": items[0]}]
    found = await compared(vaults, None, window=10)
    assert not any(line.startswith("extra") for line in found)

"""Metadata of Vault CRM becomes records of the Medical Vault: matched, linked, and flagged when deleted."""

from __future__ import annotations

import pytest

from services.connector.points.crm_metadata import POINTS
from services.connector.points.point import FIRST
from services.connector.points.transfer import Outcome
from services.connector.rules.item_failures import ItemErrorType
from tests.unit.connector.example_records import reason
from tests.unit.connector.standard_vaults import CRM_ID, Pair, id_of, pair

PRODUCTS, PRODUCT, COPY = "crm_product_inbound__v", "product__v", "crm_product__v"
ORG = "crm_org__v"


@pytest.fixture
def vaults() -> Pair:
    return pair()


async def transferred(vaults: Pair, *ids: str, of_run: bool = False) -> Outcome:
    return await vaults.transfer(vaults.medical, PRODUCTS, PRODUCT, *ids, of_run=of_run)


def a_product(vaults: Pair, name: str, external_id: str | None = None) -> str:
    return vaults.crm.add(PRODUCT, name__v=name, external_id__v=external_id)


def org(vaults: Pair, vault_id: int = CRM_ID) -> str:
    """The org of a Vault CRM."""
    return vaults.medical.add(ORG, name__v="CRM", vault_id__v=str(vault_id))


def copies(vaults: Pair, *fields: str) -> list[dict[str, object]]:
    return vaults.medical.rows(COPY, *fields)


async def test_a_record_is_copied_with_link_org_and_crm_id(vaults: Pair) -> None:
    item = a_product(vaults, "Corbanyl", "C-1")
    assert (await transferred(vaults, item)).done == {item}
    fields = ("name__v", "link__sys", "crm_id__v", "external_id__v", "crm_org__v")
    assert copies(vaults, *fields, "deleted_in_source__v") == [
        {
            "name__v": "Corbanyl",
            "link__sys": f"{CRM_ID}_{item}",
            "crm_id__v": item,
            "external_id__v": "C-1",
            "crm_org__v": id_of(vaults.medical, ORG, vault_id__v=str(CRM_ID)),
            "deleted_in_source__v": False,
        }
    ]


async def test_a_group_is_found_by_its_link(vaults: Pair) -> None:
    group = vaults.crm.add("content_group__v", name__v="G")
    point = "crm_content_group_inbound__v"
    await vaults.transfer(vaults.medical, point, "content_group__v", group)
    item = a_product(vaults, "A")
    vaults.crm.change(PRODUCT, item, content_group__v=group)
    await transferred(vaults, item)
    made = id_of(vaults.medical, "crm_content_group__v", crm_id__v=group)
    assert copies(vaults, "content_group__v") == [{"content_group__v": made}]


async def test_a_group_that_has_not_come_fails_the_record(vaults: Pair) -> None:
    group = vaults.crm.add("content_group__v", name__v="G")
    item = a_product(vaults, "A")
    vaults.crm.change(PRODUCT, item, content_group__v=group)
    outcome = await transferred(vaults, item)
    assert outcome.failures[item].error_type is ItemErrorType.REFERENCE


@pytest.mark.parametrize(
    ("known", "external_id"),
    [
        ({"crm_id__v": "own"}, None),
        ({"external_id__v": "C-1"}, "C-1"),
        ({"crm_id__v": "own", "external_id__v": "C-1"}, "C-1"),
    ],
)
async def test_a_record_without_a_link_is_matched_and_linked(
    vaults: Pair, known: dict[str, str], external_id: str | None
) -> None:
    item = a_product(vaults, "New", external_id)
    if "crm_id__v" in known:
        known = {**known, "crm_id__v": item}
    copy = vaults.medical.add(COPY, name__v="Old", crm_org__v=org(vaults), **known)
    assert (await transferred(vaults, item)).done == {item}
    assert copies(vaults, "id", "name__v", "link__sys") == [
        {"id": copy, "name__v": "New", "link__sys": f"{CRM_ID}_{item}"}
    ]


async def test_a_record_of_another_org_with_the_same_identifiers_is_another_one(
    vaults: Pair,
) -> None:
    item = a_product(vaults, "New", "C-1")
    other = org(vaults, 30303)
    vaults.medical.add(
        COPY, name__v="Other", crm_org__v=other, crm_id__v=item, external_id__v="C-1"
    )
    outcome = await transferred(vaults, item)
    assert outcome.done == {item}
    assert [row["name__v"] for row in copies(vaults, "name__v")] == ["Other", "New"]


async def test_identifiers_of_two_records_fail_the_source_record(vaults: Pair) -> None:
    own = org(vaults)
    item = a_product(vaults, "New", "C-1")
    vaults.medical.add(COPY, name__v="1", crm_org__v=own, crm_id__v=item)
    vaults.medical.add(COPY, name__v="2", crm_org__v=own, external_id__v="C-1")
    outcome = await transferred(vaults, item)
    assert outcome.failures[item].error_type is ItemErrorType.MATCH
    assert "lead to the records" in reason(outcome, item)


async def test_two_source_records_that_lead_to_one_record_both_fail(
    vaults: Pair,
) -> None:
    one, two = a_product(vaults, "A"), a_product(vaults, "B", "C-1")
    vaults.medical.add(
        COPY, name__v="X", crm_org__v=org(vaults), crm_id__v=one, external_id__v="C-1"
    )
    assert set((await transferred(vaults, one, two)).failures) == {one, two}


async def test_a_row_that_is_refused_fails_its_record_only(vaults: Pair) -> None:
    right, wrong = a_product(vaults, "A"), a_product(vaults, "B")
    vaults.medical.refuse_rows(COPY, crm_id__v=wrong)
    outcome = await transferred(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})


async def test_of_a_record_that_is_gone_the_copy_is_flagged(vaults: Pair) -> None:
    item = a_product(vaults, "A")
    await transferred(vaults, item)
    vaults.crm.remove(PRODUCT, item)
    assert (await transferred(vaults, item)).done == {item}
    fields = ("deleted_in_source__v", "source_status__v", "status__v")
    assert copies(vaults, *fields) == [
        {
            "deleted_in_source__v": True,
            "source_status__v": "inactive__v",
            "status__v": "active__v",
        }
    ]


async def test_a_record_that_is_gone_and_never_came_is_skipped(vaults: Pair) -> None:
    assert (await transferred(vaults, "V4P9")).skipped == {"V4P9"}


async def test_a_record_that_is_gone_while_it_is_written_is_flagged(
    vaults: Pair,
) -> None:
    item = a_product(vaults, "A")

    async def remove() -> None:
        vaults.crm.remove(PRODUCT, item)

    vaults.medical.before(f"upsert {COPY}", remove)
    await transferred(vaults, item)
    flags = copies(vaults, "deleted_in_source__v")
    assert flags == [{"deleted_in_source__v": True}]


async def test_a_record_that_comes_back_is_flagged_no_more(vaults: Pair) -> None:
    item = a_product(vaults, "A")
    await transferred(vaults, item)
    (copy,) = copies(vaults, "id")
    vaults.medical.change(COPY, str(copy["id"]), deleted_in_source__v=True)
    vaults.crm.change(PRODUCT, item, name__v="B")
    await transferred(vaults, item)
    flags = copies(vaults, "deleted_in_source__v")
    assert flags == [{"deleted_in_source__v": False}]


@pytest.mark.parametrize("point", POINTS, ids=lambda point: point.name)
async def test_every_point_of_metadata_copies_its_records(point: object) -> None:
    vaults = pair()
    name = getattr(point, "name", "")
    configuration = await vaults.configuration(vaults.medical)
    route = configuration.route(name, CRM_ID)
    (rule,) = configuration.rules_of(route)
    source, (target,) = rule.primary_query_object, rule.target_objects
    item = vaults.crm.add(source, name__v="A", external_id__v="X-1")
    outcome = await vaults.transfer(vaults.medical, name, source, item)
    assert outcome.done == {item}
    assert vaults.medical.rows(target, "name__v", "crm_id__v") == [
        {"name__v": "A", "crm_id__v": item}
    ]


def test_groups_are_read_before_their_members() -> None:
    first = {point.name for point in POINTS if point.order == FIRST}
    assert "crm_content_group_inbound__v" in first
    assert "crm_product_inbound__v" not in first

"""Documents of the Medical Vault are published in Vault CRM where a feature is used, and withdrawn where it is not."""

from __future__ import annotations

import pytest

from services.connector.points.transfer import Outcome
from services.connector.rules.item_failures import ItemErrorType
from services.connector.vaults.configuration import ConfigurationFault
from tests.unit.connector.standard_vaults import (
    CRM_ID,
    MEDICAL_ID,
    Pair,
    country,
    pair,
    product,
)

POINT, DOCUMENTS = "clm_inbound__v", "documents"
PRESENTATION, EMAIL = "clm_presentation__v", "approved_document__v"


@pytest.fixture
def vaults() -> Pair:
    """Vaults of which the CRM uses CLM in the USA, and approved email nowhere."""
    made = pair()
    used(made, "clm__v", "US")
    return made


def used(vaults: Pair, feature: str, code: str, vault_id: int = CRM_ID) -> str:
    """Record that a Vault CRM uses a feature in a country."""
    medical = vaults.medical
    org = medical.add("crm_org__v", name__v="CRM", vault_id__v=str(vault_id))
    return medical.add(
        "connection_country__v",
        name__v=code,
        feature__v=feature,
        country__v=country(medical, code),
        crm_org__v=org,
    )


def document(
    vaults: Pair,
    code: str | None = "US",
    state: str = "approved__v",
    kind: str = "presentation__v",
) -> str:
    """A document of a country."""
    medical = vaults.medical
    return medical.add(
        DOCUMENTS,
        name__v="Deck",
        type__v=kind,
        status__v=state,
        country__v=country(medical, code) if code else None,
        product__v=product(medical, "P-1"),
        title__v="New data",
    )


async def transferred(vaults: Pair, *ids: str, of_run: bool = False) -> Outcome:
    return await vaults.transfer(vaults.crm, POINT, DOCUMENTS, *ids, of_run=of_run)


def statuses(vaults: Pair, object_name: str = PRESENTATION) -> list[object]:
    return [row["status__v"] for row in vaults.crm.rows(object_name, "status__v")]


async def test_an_approved_document_becomes_a_presentation(vaults: Pair) -> None:
    item = document(vaults)
    assert (await transferred(vaults, item)).done == {item}
    fields = ("link__sys", "title__v", "status__v", "document_status__v", "product__v")
    assert vaults.crm.rows(PRESENTATION, *fields) == [
        {
            "link__sys": f"{MEDICAL_ID}_{item}",
            "title__v": "New data",
            "status__v": "active__v",
            "document_status__v": "approved__v",
            "product__v": product(vaults.crm, "P-1"),
        }
    ]
    assert vaults.crm.rows(EMAIL) == []


async def test_an_email_template_becomes_an_approved_document(vaults: Pair) -> None:
    used(vaults, "approved_email__v", "DE")
    item = document(vaults, "DE", kind="email_template__v")
    assert (await transferred(vaults, item)).done == {item}
    assert statuses(vaults, EMAIL) == ["active__v"]
    assert vaults.crm.rows(PRESENTATION) == []


@pytest.mark.parametrize(
    ("code", "kind", "published"),
    [
        pytest.param("US", "presentation__v", True, id="used in its country"),
        pytest.param("DE", "presentation__v", False, id="not used in its country"),
        pytest.param(None, "presentation__v", True, id="of no country"),
        pytest.param("US", "email_template__v", False, id="another feature"),
        pytest.param(None, "email_fragment__v", False, id="a feature not used at all"),
        pytest.param("US", "medical_response__v", False, id="of no such type"),
    ],
)
async def test_a_document_is_published_where_its_feature_is_used(
    vaults: Pair, code: str | None, kind: str, published: bool
) -> None:
    item = document(vaults, code, kind=kind)
    outcome = await transferred(vaults, item)
    done = (outcome.done, outcome.skipped)
    assert done == (({item}, set()) if published else (set(), {item}))


async def test_what_another_vault_crm_uses_does_not_count() -> None:
    vaults = pair()
    used(vaults, "clm__v", "US", vault_id=30303)
    item = document(vaults)
    assert (await transferred(vaults, item)).skipped == {item}


@pytest.mark.parametrize("state", ["draft__v", "expired__v", "obsolete__v"])
async def test_a_document_that_is_not_approved_is_not_brought(
    vaults: Pair, state: str
) -> None:
    item = document(vaults, state=state)
    assert (await transferred(vaults, item)).skipped == {item}
    assert vaults.crm.rows(PRESENTATION) == []


@pytest.mark.parametrize("state", ["expired__v", "obsolete__v", "superseded__v"])
async def test_a_document_that_is_withdrawn_is_inactivated(
    vaults: Pair, state: str
) -> None:
    item = document(vaults)
    await transferred(vaults, item)
    vaults.medical.change(DOCUMENTS, item, status__v=state)
    assert (await transferred(vaults, item)).done == {item}
    assert statuses(vaults) == ["inactive__v"]


async def test_a_country_that_uses_the_feature_no_more_withdraws_its_documents() -> (
    None
):
    vaults = pair()
    use = used(vaults, "clm__v", "US")
    item = document(vaults)
    await transferred(vaults, item)
    vaults.medical.change("connection_country__v", use, status__v="inactive__v")
    assert (await transferred(vaults, item)).done == {item}
    assert statuses(vaults) == ["inactive__v"]


async def test_a_document_that_is_gone_is_inactivated(vaults: Pair) -> None:
    item = document(vaults)
    await transferred(vaults, item)
    vaults.medical.remove(DOCUMENTS, item)
    assert (await transferred(vaults, item)).done == {item}
    assert statuses(vaults) == ["inactive__v"]


async def test_a_document_that_is_gone_and_never_came_fails_or_in_a_run_is_skipped(
    vaults: Pair,
) -> None:
    outcome = await transferred(vaults, "99")
    assert outcome.failures["99"].error_type is ItemErrorType.SOURCE
    assert (await transferred(vaults, "99", of_run=True)).skipped == {"99"}


async def test_a_row_that_is_refused_fails_its_document_only(vaults: Pair) -> None:
    right, wrong = document(vaults), document(vaults)
    vaults.crm.refuse_rows(PRESENTATION, link__sys=f"{MEDICAL_ID}_{wrong}")
    outcome = await transferred(vaults, right, wrong)
    assert (outcome.done, set(outcome.failures)) == ({right}, {wrong})


async def test_a_document_that_changes_while_it_is_written_is_read_again(
    vaults: Pair,
) -> None:
    item = document(vaults)

    async def change() -> None:
        vaults.medical.change(DOCUMENTS, item, status__v="expired__v")

    vaults.crm.before(f"upsert {PRESENTATION}", change)
    await transferred(vaults, item)
    assert statuses(vaults) == ["inactive__v"]


async def test_a_use_that_ends_while_a_document_is_written_is_seen() -> None:
    vaults = pair()
    use = used(vaults, "clm__v", "US")
    item = document(vaults)

    async def end() -> None:
        vaults.medical.change("connection_country__v", use, status__v="inactive__v")

    vaults.crm.before(f"upsert {PRESENTATION}", end)
    await transferred(vaults, item)
    assert statuses(vaults) == ["inactive__v"]


async def test_messages_about_another_object_are_refused(vaults: Pair) -> None:
    with pytest.raises(ConfigurationFault, match="takes documents"):
        await vaults.transfer(vaults.crm, POINT, "case__v", "V5A1")


# How content is used comes back by rules alone.


async def test_metrics_of_content_come_back(vaults: Pair) -> None:
    item = document(vaults)
    await transferred(vaults, item)
    (presentation,) = vaults.crm.rows(PRESENTATION, "id")
    metric = vaults.crm.add(
        "content_metric__v",
        name__v="M",
        clm_presentation__v=presentation["id"],
        metric_date__v="2026-01-31",
        views__v=7,
    )
    outcome = await vaults.transfer(
        vaults.medical, "clm_outbound__v", "content_metric__v", metric
    )
    assert outcome.done == {metric}
    fields = ("crm_id__v", "presentation__v", "views__v")
    assert vaults.medical.rows("crm_content_metric__v", *fields) == [
        {
            "crm_id__v": metric,
            "presentation__v": f"{MEDICAL_ID}_{item}",
            "views__v": 7,
        }
    ]

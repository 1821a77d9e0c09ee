"""CRM Lookup over a connection: the found accounts, their shown fields, and the contact of each."""

from __future__ import annotations

import json
from typing import Any

import pytest

from services.connector.asking.access import LOOK_UP_ACCOUNTS
from services.connector.asking.answers import Answers
from services.connector.crm_lookup import lookup_routes
from shared.client.errors import VaultRefused
from tests.unit.connector.asgi import Reply, application, call
from tests.unit.connector.example_records import account, contact, inquiries, inquiry
from tests.unit.connector.standard_vaults import CONNECTION, Pair, pair
from tests.unit.connector.test_asking import SESSION, signed_in


@pytest.fixture
def vaults() -> Pair:
    made = pair()
    signed_in(made.medical, LOOK_UP_ACCOUNTS)
    return made


async def searched(vaults: Pair, connection: str = CONNECTION, **asked: Any) -> Reply:
    return await call(
        application(lookup_routes.router(Answers(lambda: vaults.vaults))),
        "POST",
        f"/crm-lookups/medical/{connection}",
        headers=SESSION,
        body=json.dumps(asked).encode(),
    )


async def found(vaults: Pair, **asked: Any) -> list[str]:
    data = (await searched(vaults, **asked)).json["data"]
    return [each["id"] for each in data["accounts"]]


async def test_accounts_are_found_by_words_of_their_name(vaults: Pair) -> None:
    ann = account(vaults.crm, name__v="Ann Lee")
    account(vaults.crm, name__v="Eva Ray")
    assert await found(vaults, name="le AN") == [ann]


@pytest.mark.parametrize(
    "asked", [{"veeva_id": "V-1"}, {"external_id": "E-1"}, {"ids": ["V4A000000000001"]}]
)
async def test_accounts_are_found_by_identifiers(
    vaults: Pair, asked: dict[str, object]
) -> None:
    ann = account(vaults.crm, veevaid__v="V-1", external_id__v="E-1")
    account(vaults.crm, veevaid__v="V-2", external_id__v="E-2")
    assert await found(vaults, **asked) == [ann]


async def test_only_accounts_that_the_agreement_lets_be_seen_are_found(
    vaults: Pair,
) -> None:
    ids = {code: account(vaults.crm, code) for code in ("US", "DE", "CH", "JP")}
    assert await found(vaults, ids=list(ids.values())) == [ids["US"]]
    await inquiries(vaults, inquiry(vaults.crm, ids["DE"], "DE"))
    assert await found(vaults, ids=list(ids.values())) == [ids["US"], ids["DE"]]
    assert await found(vaults, ids=list(ids.values()), country="DE") == [ids["DE"]]
    assert await found(vaults, ids=list(ids.values()), country="CH") == []


async def test_an_account_is_shown_by_the_rules_fields(vaults: Pair) -> None:
    account(vaults.crm, credentials__v="MD", veevaid__v="V-1", email_cda__v="a@b.c")
    data = (await searched(vaults, name="Ann")).json["data"]
    (shown,) = data["accounts"]
    assert shown["fields"]["credentials__v"] == "MD"
    assert shown["fields"]["primary_country__vr.country_code__v"] == "US"
    assert "email_cda__v" not in shown["fields"]
    assert data["complete"] is True


async def test_an_account_that_is_a_case_contact_names_it(vaults: Pair) -> None:
    person = contact(vaults.medical, veeva_id__v="V-1")
    account(vaults.crm, veevaid__v="V-1")
    (shown,) = (await searched(vaults, name="Ann")).json["data"]["accounts"]
    assert (shown["case_contact"], shown["error"]) == (person, None)


async def test_an_account_of_two_contacts_says_so(vaults: Pair) -> None:
    contact(vaults.medical, veeva_id__v="V-1")
    contact(vaults.medical, external_id__v="E-1")
    account(vaults.crm, veevaid__v="V-1", external_id__v="E-1")
    (shown,) = (await searched(vaults, name="Ann")).json["data"]["accounts"]
    assert shown["case_contact"] is None
    assert "merge the two" in shown["error"]


async def test_more_accounts_than_are_shown_are_said_to_be_there(vaults: Pair) -> None:
    for name in ("B", "A", "C"):
        account(vaults.crm, name__v=f"Ann {name}")
    data = (await searched(vaults, name="Ann", limit=2)).json["data"]
    names = [each["fields"]["name__v"] for each in data["accounts"]]
    assert (names, data["complete"]) == (["Ann A", "Ann B"], False)


async def test_a_refused_search_does_not_say_what_was_searched_for(
    vaults: Pair,
) -> None:
    vaults.crm.fail_calls("query", VaultRefused("INVALID_DATA", "no [name__v=Ann]"))
    # The first query of Vault CRM is the search itself.
    reply = await searched(vaults, name="Ann")
    expected = (
        "INVALID_DATA",
        "Vault CRM refused the search; see its log for the reason",
    )
    assert reply.error == expected


async def test_a_connection_without_the_point_cannot_be_searched() -> None:
    vaults = pair("ALTER Integrationrule crm_lookup__v (active(false));")
    signed_in(vaults.medical, LOOK_UP_ACCOUNTS)
    assert (await searched(vaults, name="Ann")).error[0] == "INVALID_DATA"
    for row in vaults.medical.rows("integration_point__sys", "id"):
        vaults.medical.remove("integration_point__sys", str(row["id"]))
    assert "needs one integration point" in (await searched(vaults, name="A B")).error[1]  # fmt: skip

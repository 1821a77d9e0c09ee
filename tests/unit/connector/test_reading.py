"""Answers of the connector show records only to users who may read them, in both Vaults."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping

import pytest
from fastapi import FastAPI

from services.connector.asking.access import LOOK_UP_ACCOUNTS, MANAGE_INTEGRATIONS
from services.connector.asking.answers import Answers
from services.connector.crm_lookup import lookup_routes
from services.connector.preview import preview_routes, sweep_routes
from services.connector.rules.rows import literal
from tests.unit.connector.asgi import Reply, application, call
from tests.unit.connector.example_records import INQUIRIES, account, inquiry
from tests.unit.connector.standard_vaults import CONNECTION, CRM_ID, Pair, pair
from tests.unit.connector.test_asking import BOTH_SESSIONS, SESSION, signed_in

MARKER = "zqmarker"
INTEGRATION = "medical_inquiry_details__v"
DENIED, NO_SESSION = "INSUFFICIENT_ACCESS", "INVALID_SESSION_ID"
ROUTES = {
    "preview": ("POST", "/previews/medical", ""),
    "dry run": ("GET", f"/dry-runs/medical/{INTEGRATION}", ""),
    "missing lookups": (
        "GET",
        f"/missing-lookups/medical/{CONNECTION}",
        f"integration={INTEGRATION}",
    ),
    "missing lookups as CSV": (
        "GET",
        f"/missing-lookups/medical/{CONNECTION}",
        f"integration={INTEGRATION}&format=csv",
    ),
}
ASKERS: Mapping[str, tuple[Mapping[str, str], dict[str, str], str]] = {
    "no session of the source": (SESSION, {}, DENIED),
    "a session of nobody there": (
        {**SESSION, "X-Source-Authorization": "made up"},
        {},
        NO_SESSION,
    ),
    "may not read the records": (BOTH_SESSIONS, {"crm": "account__v"}, DENIED),
    "may not read related records": (BOTH_SESSIONS, {"crm": "country__vr"}, DENIED),
    "may not read what is written": (BOTH_SESSIONS, {"medical": "person__sys"}, DENIED),
}


@pytest.fixture
def vaults() -> Pair:
    made = pair()
    signed_in(made.medical, MANAGE_INTEGRATIONS, LOOK_UP_ACCOUNTS)
    made.crm.users["another-session"] = {"security_profile__v": "business__c"}
    return made


def app_of(vaults: Pair) -> FastAPI:
    answers = Answers(lambda: vaults.vaults)
    return application(
        preview_routes.router(answers),
        sweep_routes.router(answers),
        lookup_routes.router(answers),
    )


async def asked(
    vaults: Pair, route: str, headers: Mapping[str, str], item: str
) -> Reply:
    method, path, query = ROUTES[route]
    asked_for = {"ids": [item], "integration_point": INQUIRIES}
    body = json.dumps(asked_for).encode() if method == "POST" else b""
    return await call(
        app_of(vaults), method, path, query=query, headers=headers, body=body
    )


def planted(vaults: Pair, specialty: str = MARKER) -> str:
    """An inquiry with the marker in fields that are shown."""
    of = account(vaults.crm, specialty_1__v=specialty, last_name_cda__v=MARKER)
    return inquiry(vaults.crm, of)


@pytest.mark.parametrize("route", ROUTES)
async def test_an_answer_shows_what_the_asker_may_read(
    vaults: Pair, route: str
) -> None:
    reply = await asked(vaults, route, BOTH_SESSIONS, planted(vaults))
    assert MARKER in reply.body.decode()


@pytest.mark.parametrize("asker", ASKERS)
@pytest.mark.parametrize("route", ROUTES)
async def test_an_answer_is_refused_to_those_who_may_not(
    vaults: Pair, route: str, asker: str
) -> None:
    headers, shut, expected = ASKERS[asker]
    if "crm" in shut:
        vaults.crm.shut["another-session"] = {shut["crm"]}
    if "medical" in shut:
        vaults.medical.shut["a-session"] = {shut["medical"]}
    reply = await asked(vaults, route, headers, planted(vaults, "oncology__v"))
    text = reply.body.decode()
    assert reply.error[0] == expected, text
    # Nothing that tells of the record: neither its values nor what would become of it.
    assert MARKER not in text
    assert set(reply.json) == {"responseStatus", "errors"}


async def test_the_refusal_names_the_vault_and_the_header(vaults: Pair) -> None:
    reply = await asked(vaults, "preview", SESSION, planted(vaults))
    kind, message = reply.error
    assert kind == DENIED
    assert str(CRM_ID) in message
    assert "X-Source-Authorization" in message


async def test_a_rule_in_the_request_is_no_way_to_guess_values(vaults: Pair) -> None:
    """Its filter decides the record's result, which would reveal the value."""
    item = planted(vaults)
    (rule, *_) = [
        component
        for component in await vaults.medical.configuration("Integrationrule")
        if component["name"] == "medical_inquiries__v"
    ]
    guess = f"account__vr.last_name_cda__v = {literal(MARKER)}"
    filtered = {**rule, "query_object_filter": guess}
    body = json.dumps({"ids": [item], "rule": filtered}).encode()
    reply = await call(
        app_of(vaults), "POST", "/previews/medical", headers=SESSION, body=body
    )
    assert reply.json["responseStatus"] == "FAILURE"
    assert MARKER not in reply.body.decode()


@pytest.mark.parametrize("headers", [SESSION, BOTH_SESSIONS])
async def test_that_nothing_has_changed_is_shown_to_those_who_may_read(
    vaults: Pair, headers: Mapping[str, str]
) -> None:
    """A moment in the request would else reveal when records have changed."""
    vaults.crm.shut["another-session"] = {"account__v"}
    path, query = f"/dry-runs/medical/{INTEGRATION}", "since=2099-01-01"
    reply = await call(app_of(vaults), "GET", path, query=query, headers=headers)
    assert reply.error[0] == DENIED


async def test_exceptions_are_looked_through_by_those_who_may_read_them(
    vaults: Pair,
) -> None:
    vaults.medical.shut["a-session"] = {"exception_item__sys"}
    path = f"/missing-lookups/medical/{CONNECTION}"
    reply = await call(app_of(vaults), "GET", path, headers=BOTH_SESSIONS)
    assert reply.error[0] == DENIED


@pytest.mark.parametrize("key", ["=cmd|calc!A1", "@SUM(1)", "-1+1", "+cmd"])
async def test_a_key_from_the_source_is_no_formula(vaults: Pair, key: str) -> None:
    item = planted(vaults, key)
    reply = await asked(vaults, "missing lookups as CSV", BOTH_SESSIONS, item)
    rows = list(csv.DictReader(io.StringIO(reply.body.decode(), newline="")))
    assert f"'{key}" in {row["source_key__sys"] for row in rows}


async def test_a_lookup_takes_sight_of_case_contacts(vaults: Pair) -> None:
    vaults.medical.shut["a-session"] = {"person__sys"}
    account(vaults.crm, veevaid__v="V-1")
    path = f"/crm-lookups/medical/{CONNECTION}"
    body = json.dumps({"veeva_id": "V-1"}).encode()
    app = app_of(vaults)
    reply = await call(app, "POST", path, headers=SESSION, body=body)
    assert reply.error[0] == DENIED

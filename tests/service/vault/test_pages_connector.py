"""Pages that ask the connector: their display of its answers, their links, and the sessions of their questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from yarl import URL

from shared.protocol.readiness_steps import ReadinessStep
from shared.vault.admin.readiness_pages import STEPS
from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import Browser, browser
from tests.service.vault.connector_stub import ConnectorStub, connector_stub
from tests.service.vault.objects import key
from tests.service.vault.served import Api

REMOTE = 20202


@pytest.fixture
async def connector(
    api: Api, vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConnectorStub]:
    del api
    async with connector_stub(vault, monkeypatch) as made:
        yield made


@pytest.fixture
async def visitor(api: Api) -> AsyncIterator[Browser]:
    async with browser(api.url, "admin") as made:
        yield made


@pytest.fixture
async def connection(admin: Api) -> str:
    where = "WHERE api_name__sys = 'medical_crm__v'"
    found = await admin.query(f"SELECT id FROM connection__sys {where}")
    return str(found.data[0]["id"])


# Readiness.

# Of each step: the name of what is found, and the beginning of the page where it is mended; empty where there is none.
MENDS: dict[ReadinessStep, tuple[str, str]] = {
    ReadinessStep.CONNECTION: ("medical_crm__v", "/ui/connections/"),
    ReadinessStep.REMOTE_VAULT: ("medical_crm__v", "/ui/objects/connection__sys/"),
    ReadinessStep.USER_RIGHTS: ("case__v", "/ui/components/Permissionset"),
    ReadinessStep.INTEGRATIONS: ("clm__v", "/ui/integrations/"),
    ReadinessStep.POINTS: ("clm_outbound__v", "/ui/objects/integration_point__sys/"),
    ReadinessStep.RULES: ("medical_inquiries__v", "/ui/rules/medical_inquiries__v"),
    ReadinessStep.QUEUES: (
        "medical_to_crm_inbound__v",
        "/ui/queues",
    ),
    ReadinessStep.CONSUMERS: ("connector", ""),
    ReadinessStep.EXCEPTIONS: ("exception_message__sys", "/ui/exceptions?connection="),
}


def finding(
    step: ReadinessStep, vault_id: int, *, prevents: bool = True
) -> dict[str, Any]:
    return {
        "step": step,
        "vault_id": vault_id,
        "name": MENDS[step][0],
        "message": f"Something is amiss at {step}",
        "prevents_transfer": prevents,
    }


def test_each_step_has_words_and_a_mend() -> None:
    assert set(STEPS) == set(MENDS) == set(ReadinessStep)


@pytest.mark.parametrize("step", ReadinessStep)
async def test_what_is_found_leads_to_where_it_is_mended(
    visitor: Browser,
    connector: ConnectorStub,
    vault: Vault,
    connection: str,
    step: ReadinessStep,
) -> None:
    here = finding(step, vault.vault_id)
    connector.succeed("readiness", {"ready": False, "findings": [here]})
    page = await visitor.open(f"/ui/connections/{connection}/readiness")
    assert page.status == 200
    assert "Messages cannot be transferred yet" in page.text
    assert f"Something is amiss at {step}" in page.text
    name, path = MENDS[step]
    assert page.links.get("Correct it", "").startswith(path or "")
    assert bool(page.links.get("Correct it")) == bool(path)
    if path:
        assert (await visitor.click(page, "Correct it")).status == 200
    first = step in (ReadinessStep.CONNECTION, ReadinessStep.REMOTE_VAULT)
    assert ("Not checked yet" in page.text) is first
    assert name in page.text
    (asked,) = connector.asked
    assert asked.url.path == f"/readiness/{vault.vault_id}/medical_crm__v"


async def test_what_the_other_vault_has_to_mend_leads_nowhere_here(
    visitor: Browser, connector: ConnectorStub, connection: str
) -> None:
    there = finding(ReadinessStep.QUEUES, REMOTE, prevents=False)
    connector.succeed("readiness", {"ready": True, "findings": [there]})
    page = await visitor.open(f"/ui/connections/{connection}/readiness")
    assert "Messages can be transferred." in page.text
    assert f"in Vault {REMOTE}" in page.text and "Correct it" not in page.links
    assert "Spark queues To check" in page.text


async def test_the_connector_is_asked_in_the_visitors_session_alone(
    visitor: Browser, connector: ConnectorStub, connection: str, api: Api
) -> None:
    connector.succeed("readiness", {"ready": True, "findings": []})
    await visitor.open(f"/ui/connections/{connection}/readiness")
    (asked,) = connector.asked
    session = asked.headers["authorization"]
    own = await Api(api.http, api.url, session).get("/objects/users/me")
    assert own.data if "data" in own.body else own.body["users"]
    # No record is shown, so no session of the other Vault is passed on.
    assert "x-source-authorization" not in asked.headers


@pytest.mark.parametrize(
    ("refusal", "shown"),
    [
        (None, "The connector does not answer"),
        (("INSUFFICIENT_ACCESS", "No permission."), "INSUFFICIENT_ACCESS"),
        (("INVALID_SESSION_ID", "Ended."), "Ended. INSUFFICIENT_ACCESS"),
        (("OF_A_LATER_VERSION", "New."), "New. UNEXPECTED_ERROR"),
    ],
)
async def test_without_an_answer_the_page_says_what_to_do(
    visitor: Browser,
    connector: ConnectorStub,
    connection: str,
    refusal: tuple[str, str] | None,
    shown: str,
) -> None:
    if refusal is not None:
        connector.refuse("readiness", *refusal)
    page = await visitor.open(f"/ui/connections/{connection}/readiness")
    assert page.status == 200
    assert shown in page.text


async def test_without_an_address_the_page_names_the_setting(
    visitor: Browser, connection: str
) -> None:
    page = await visitor.open(f"/ui/connections/{connection}/readiness")
    assert "set VAULT_CONNECTOR_URL" in page.text


# Missing rows of reference lookups.

MISSING = "/ui/lookups/missing"


def remember(visitor: Browser, session: str) -> None:
    """Store a session of the other Vault, which is on the same host, in the browser."""
    cookies = {f"vault_{REMOTE}_session": session}
    visitor.jar.update_cookies(cookies, URL(visitor.url))


def missing(name: str, key: str, **parts: str | None) -> dict[str, Any]:
    return {
        "reference_lookup_name__sys": name,
        "reference_lookup_type__sys": "generic__sys",
        "target_object__sys": None,
        "target_key_field__sys": None,
        "source_key__sys": key,
        "count": 3,
        **parts,
    }


@pytest.fixture(scope="module")
async def missing_rows(admin: Api) -> str:
    """The page of the connection that has a remote Vault; other tests have created further connections."""
    found = await admin.query(
        "SELECT id FROM connection__sys WHERE api_name__sys = 'medical_crm__v'"
    )
    return f"{MISSING}?connection={found.data[0]['id']}"


async def test_without_a_session_of_the_other_vault_nothing_of_its_records_is_asked(
    visitor: Browser, connector: ConnectorStub, missing_rows: str
) -> None:
    page = await visitor.open(missing_rows)
    assert page.status == 200
    assert (
        f"(Vault {REMOTE})" in page.text
        and "in another tab of this browser" in page.text
    )
    assert connector.asked == []


async def test_a_missing_row_is_added_with_one_click(
    visitor: Browser,
    connector: ConnectorStub,
    admin: Api,
    vault: Vault,
    missing_rows: str,
) -> None:
    remember(visitor, "a-session-there")
    name, source_key = f"missing_{key().lower()}__c".replace("-", "_"), key()
    rows = [missing(name, source_key)]
    answer = {"read": 3, "complete": False, "missing_lookups": rows}
    connector.succeed("missing-lookups", answer)
    page = await visitor.open(missing_rows)
    assert source_key in page.text and "more records than were checked" in page.text
    (asked,) = connector.asked
    assert asked.url.path == f"/missing-lookups/{vault.vault_id}/medical_crm__v"
    assert asked.headers["x-source-authorization"] == "a-session-there"
    refused = await visitor.press(page, "Add")
    assert "Type the target key first" in refused.text
    page = await visitor.press(page, "Add", target_key__sys="pharmacy__c")
    assert "The row was added." in page.text
    where = f"WHERE reference_lookup_name__sys = '{name}'"
    stored = await admin.query(
        f"SELECT source_key__sys, target_key__sys, reference_lookup_type__sys FROM reference_lookup__sys {where}"
    )
    assert stored.data == [
        {
            "source_key__sys": source_key,
            "target_key__sys": "pharmacy__c",
            "reference_lookup_type__sys": ["generic__sys"],
        }
    ]
    # Sent again it is refused, as there is one: in words, the type last.
    again = await visitor.press(page, "Add", target_key__sys="pharmacy__c")
    assert "INVALID_DATA)" in again.text or "OPERATION_NOT_ALLOWED)" in again.text


async def test_a_set_that_fills_a_picklist_offers_its_values(
    visitor: Browser, connector: ConnectorStub, missing_rows: str
) -> None:
    remember(visitor, "a-session-there")
    rows = [missing("delivery_method_to_priority__v", "Owl")]
    answer = {"read": 3, "complete": True, "missing_lookups": rows}
    connector.succeed("missing-lookups", answer)
    page = await visitor.open(missing_rows)
    options = page.form("Add").options["target_key__sys"]
    assert "Choose" in options and len(options) > 2


async def test_a_session_that_is_none_is_not_passed_on(
    visitor: Browser, connector: ConnectorStub, missing_rows: str
) -> None:
    remember(visitor, "x" * 501)
    page = await visitor.open(missing_rows)
    assert page.status == 200 and connector.asked == []

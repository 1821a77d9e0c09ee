"""Questions to the connector: who may ask, refusals, and the selected traffic."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest
from fastapi import FastAPI, Request, Response
from pydantic import BaseModel

from services.connector.asking import answers as asking
from services.connector.asking import bodies
from services.connector.asking.access import (
    LOOK_UP_ACCOUNTS,
    MANAGE_INTEGRATIONS,
    require_permission,
)
from services.connector.asking.answers import Answers, csv_file, success
from services.connector.asking.traffic import traffic
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.vaults import ConnectedVault, Vaults
from shared.client.errors import VaultRefused, VaultUnavailable
from tests.unit.connector.asgi import Reply, call
from tests.unit.connector.memory_client import MemoryClient
from tests.unit.connector.standard_vaults import CONNECTION, CRM_ID, Pair, pair

SESSION = {"Authorization": "a-session"}
BOTH_SESSIONS = {**SESSION, "X-Source-Authorization": "another-session"}


@pytest.fixture
def vaults() -> Pair:
    made = pair()
    signed_in(made.medical, MANAGE_INTEGRATIONS)
    return made


def signed_in(vault: MemoryClient, *permissions: str) -> None:
    """Let the session of SESSION be that of a user with these permissions."""
    vault.users["a-session"] = {"security_profile__v": "business__c"}
    vault.components["Securityprofile"] = [
        {"name": "business__c", "permission_sets": "Permissionset.own__c"},
        {"name": "other__c", "permission_sets": ["Permissionset.other__c"]},
    ]
    vault.components["Permissionset"] = [
        {"name": "own__c", "permissions": list(permissions), "active": True},
        {"name": "other__c", "permissions": "everything", "active": True},
    ]


# Permissions.


async def test_a_user_with_the_permission_may_ask(vaults: Pair) -> None:
    await require_permission(vaults.medical.as_client, "a-session", MANAGE_INTEGRATIONS)


@pytest.mark.parametrize("permission", [LOOK_UP_ACCOUNTS, "everything"])
async def test_a_user_without_the_permission_may_not(
    vaults: Pair, permission: str
) -> None:
    with pytest.raises(VaultRefused) as refused:
        await require_permission(vaults.medical.as_client, "a-session", permission)
    assert refused.value.type == "INSUFFICIENT_ACCESS"


async def test_an_inactive_permission_set_grants_nothing(vaults: Pair) -> None:
    vaults.medical.components["Permissionset"][0]["active"] = False
    with pytest.raises(VaultRefused):
        await require_permission(
            vaults.medical.as_client, "a-session", MANAGE_INTEGRATIONS
        )


# Answers.


class Wanted(BaseModel):
    """A body."""

    number: int


def app_of(vaults: Vaults | None, work: asking.Work | None = None) -> FastAPI:
    """An application with one question, answered with its body or by ``work``."""
    app, answers = FastAPI(), Answers(lambda: vaults)

    @app.post("/{vault}")
    async def route(request: Request, vault: str) -> Response:
        async def echo(_vaults: Vaults, own: ConnectedVault) -> Response:
            asked = await bodies.read_question(request, Wanted)
            return success({"number": asked.number, "vault": own.name})

        return await answers.respond(request, vault, work or echo)

    return app


async def asked(
    vaults: Vaults | None,
    work: asking.Work | None = None,
    name: str = "medical",
    headers: Mapping[str, str] = SESSION,
    body: bytes = b'{"number": 1}',
) -> Reply:
    app = app_of(vaults, work)
    return await call(app, "POST", f"/{name}", headers=headers, body=body)


async def test_an_answer_is_a_success_that_nobody_keeps(vaults: Pair) -> None:
    reply = await asked(vaults.vaults)
    assert reply.json == {
        "responseStatus": "SUCCESS",
        "data": {"number": 1, "vault": "medical"},
    }
    assert reply.headers["cache-control"] == "no-store"


async def test_before_the_vaults_are_connected_the_answer_is_to_be_asked_for_again() -> (
    None
):
    reply = await asked(None)
    assert (reply.status, reply.json["responseStatus"]) == (503, "EXCEPTION")


async def test_a_vault_of_another_name_is_unknown(vaults: Pair) -> None:
    reply = await asked(vaults.vaults, name="odd")
    assert reply.error == ("INVALID_DATA", "This connector has no Vault of this name")


async def test_a_session_of_nobody_is_refused(vaults: Pair) -> None:
    reply = await asked(vaults.vaults, headers={})
    assert reply.error[0] == "INVALID_SESSION_ID"


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        (ConfigurationFault("add it"), 200, ("INVALID_DATA", "add it")),
        (
            RuleError("r__c", None, "odd"),
            200,
            ("INVALID_DATA", "Integration rule r__c: odd"),
        ),
        (VaultRefused("X", "y"), 200, ("X", "y")),
        (
            VaultUnavailable("away"),
            503,
            ("UNEXPECTED_ERROR", "A Vault is away, or the connector is starting"),
        ),
        (
            TimeoutError(),
            503,
            ("UNEXPECTED_ERROR", "It took longer than 60 seconds; ask for less"),
        ),
    ],
)
async def test_a_fault_is_an_answer_of_the_api(
    vaults: Pair, fault: Exception, status: int, error: tuple[str, str]
) -> None:
    async def fail(_vaults: Vaults, _own: ConnectedVault) -> Response:
        raise fault

    reply = await asked(vaults.vaults, fail)
    assert (reply.status, reply.error) == (status, error)


async def test_questions_beyond_the_places_wait(vaults: Pair) -> None:
    at_once, most = 0, 0

    async def slow(_vaults: Vaults, _own: ConnectedVault) -> Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.01)
        at_once -= 1
        return success(None)

    app = app_of(vaults.vaults, slow)
    calls = [call(app, "POST", "/medical", headers=SESSION) for _ in range(5)]
    replies = await asyncio.gather(*calls)
    assert {reply.status for reply in replies} == {200}
    assert most == asking.AT_ONCE


@pytest.mark.parametrize(
    ("name", "headers", "permission", "refusal"),
    [
        ("medical", {}, MANAGE_INTEGRATIONS, "INVALID_SESSION_ID"),
        (
            "medical",
            {"Authorization": "odd"},
            MANAGE_INTEGRATIONS,
            "INVALID_SESSION_ID",
        ),
        ("medical", SESSION, LOOK_UP_ACCOUNTS, "INSUFFICIENT_ACCESS"),
        ("odd", SESSION, MANAGE_INTEGRATIONS, "INVALID_DATA"),
    ],
)
async def test_who_may_not_ask_is_refused_while_all_places_are_taken(
    vaults: Pair, name: str, headers: Mapping[str, str], permission: str, refusal: str
) -> None:
    end, full = asyncio.Event(), asyncio.Barrier(asking.AT_ONCE + 1)

    async def held(_vaults: Vaults, _own: ConnectedVault) -> Response:
        await full.wait()
        await end.wait()
        return success(None)

    app, answers = FastAPI(), Answers(lambda: vaults.vaults)

    @app.post("/{vault}")
    async def route(request: Request, vault: str) -> Response:
        needed = request.headers.get("needed", MANAGE_INTEGRATIONS)
        return await answers.respond(request, vault, held, needed)

    calls = [
        call(app, "POST", "/medical", headers=SESSION) for _ in range(asking.AT_ONCE)
    ]
    holding = asyncio.gather(*calls)
    await full.wait()
    sent = {**headers, "needed": permission}
    refused = await call(app, "POST", f"/{name}", headers=sent)
    assert (refused.error[0], holding.done()) == (refusal, False)
    end.set()
    assert {reply.status for reply in await holding} == {200}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"{", "[body] Invalid JSON"),
        (b"{}", "[number] Field required"),
        (b'{"number": "x"}', "[number] Input should be a valid integer"),
    ],
)
async def test_a_body_that_does_not_fit_is_named_by_its_first_problem(
    vaults: Pair, body: bytes, expected: str
) -> None:
    kind, message = (await asked(vaults.vaults, body=body)).error
    assert kind == "INVALID_DATA"
    assert message.startswith(expected)


async def test_a_body_that_is_too_long_is_refused(vaults: Pair) -> None:
    long = b" " * (bodies.MAX_REQUEST_BYTES + 1)
    assert "more than" in (await asked(vaults.vaults, body=long)).error[1]


def test_a_csv_file_has_a_name() -> None:
    headers = csv_file("a.csv", "x").headers
    assert headers["content-disposition"] == 'attachment; filename="a.csv"'


# Traffic.


async def test_traffic_is_found_by_connection_or_integration(vaults: Pair) -> None:
    for named in ({"connection": CONNECTION}, {"integration": "clm__v"}):
        found = await traffic(vaults.vaults, vaults.medical_end, **named)
        assert found.connection.api_name == CONNECTION
        assert found.source.vault_id == CRM_ID
    assert vaults.crm.sessions == [CONNECTION]


async def test_traffic_of_no_connection_is_a_fault(vaults: Pair) -> None:
    with pytest.raises(ConfigurationFault):
        await traffic(vaults.vaults, vaults.medical_end, connection="odd__c")


async def test_a_vault_behind_an_external_connection_is_read_by_the_connectors_user(
    vaults: Pair,
) -> None:
    (row,) = vaults.medical.rows("connection__sys", "id")
    vaults.medical.change(
        "connection__sys", str(row["id"]), object_type__v="external__sys"
    )
    await traffic(vaults.vaults, vaults.medical_end, connection=CONNECTION)
    assert vaults.crm.sessions == []

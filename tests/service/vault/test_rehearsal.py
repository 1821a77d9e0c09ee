"""Faults on purpose: what clients see of each, who may switch them on, and that they end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from local.polling import answers_within
from local.servers import PostgresServer, RabbitServer
from services.medical_vault.definition import MEDICAL_VAULT
from shared.client import VaultClient
from shared.client.errors import ClientError, VaultRefused, VaultUnavailable
from shared.vault.assembly.vault import Vault
from shared.vault.connections.connection_rules import DomainType
from shared.vault.process.application import create_app
from shared.vault.rehearsal.fault import CallFault
from shared.vault.rehearsal.fault_catalogue import FAULTS
from shared.vault.rehearsal.fault_switches import MAX_SWITCHES
from tests.servers import fresh_database, fresh_vhost
from tests.service.vault import objects
from tests.service.vault.served import (
    MDL,
    PASSWORD,
    USERNAMES,
    Api,
    served,
    settings,
    started,
)

SWITCHES = "/services/rehearsal/switches"
ME = "/objects/users/me"
# Shorter than any fault that a client gives up on.
IMPATIENT = 0.5


@pytest.fixture(scope="module")
async def processes(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[Api, Api]]:
    """Two processes of one Vault of a sandbox domain, as the System Admin calls them."""
    files = tmp_path_factory.mktemp("files")
    async with (
        fresh_database(postgres_server) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        sandbox = settings(dsn, vhost.amqp_url, files).model_copy(
            update={"domain_type": DomainType.SANDBOX}
        )
        first, second = Vault(MEDICAL_VAULT, sandbox), Vault(MEDICAL_VAULT, sandbox)
        async with served(create_app(first)) as api:
            await started(first)
            admin = await api.signed_in("admin")
            answer = await admin.post("/api/mdl/execute", data=MDL + objects.MDL)
            assert answer.status == "SUCCESS", answer.text
            async with served(create_app(second)) as other:
                await started(second)
                yield admin, await other.signed_in("admin")


@pytest.fixture
async def admin(processes: tuple[Api, Api]) -> AsyncIterator[Api]:
    """The first process, in which nothing is on before and after the test."""
    yield processes[0]
    assert (await processes[0].delete(SWITCHES)).status == "SUCCESS"


async def switched_on(admin: Api, **fields: object) -> str:
    sent = {name: str(value) for name, value in fields.items()}
    answer = await admin.post(SWITCHES, data=sent)
    assert answer.status == "SUCCESS", answer.text
    return str(answer.data["id"])


async def switches(admin: Api) -> list[dict[str, object]]:
    return list((await admin.get(SWITCHES)).data)


async def what_is_seen(
    admin: Api, method: str = "GET", path: str = ME, **options: object
) -> str:
    """What a plain HTTP client sees of one call: status, kind of content and error; or how the connection ended."""
    headers = {"Authorization": admin.session_id or ""}
    timeout = aiohttp.ClientTimeout(total=IMPATIENT)
    url = f"{admin.url}/api/v25.1{path}"
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.request(method, url, headers=headers, **options) as response,  # type: ignore[arg-type]
        ):
            text = await response.text()
            kind = response.content_type.rpartition("/")[2]
            seen = f"{response.status} {kind}"
            if kind != "json":
                return seen
            body = await response.json()
            errors = body.get("errors") or []
            seen = " ".join([seen, body["responseStatus"], *(e["type"] for e in errors)])
            if retry_after := response.headers.get("Retry-After"):
                seen += f", again after {retry_after} s"
            if delay := response.headers.get("X-VaultAPI-ResponseDelay"):
                seen += f", delayed by {delay} ms"
            assert text
            return seen
    except TimeoutError:
        return "no answer"
    except aiohttp.ClientError as error:
        return type(error).__name__


SEEN = {
    "burst_delay": ("200 json SUCCESS, delayed by 50 ms", {"seconds": 0.05}),
    "api_limit_exceeded": ("200 json FAILURE API_LIMIT_EXCEEDED", {}),
    "too_many_requests": (
        "429 json FAILURE API_LIMIT_EXCEEDED, again after 7 s",
        {"seconds": 7},
    ),
    "status_500_html": ("500 html", {}),
    "status_500_json": ("500 json EXCEPTION UNEXPECTED_ERROR", {}),
    "status_502_html": ("502 html", {}),
    "status_502_json": ("502 json EXCEPTION UNEXPECTED_ERROR", {}),
    "status_503_html": ("503 html", {}),
    "status_503_json": ("503 json EXCEPTION UNEXPECTED_ERROR", {}),
    "timeout_after_effect": ("no answer", {}),
    "timeout_before_effect": ("no answer", {}),
    "cut_answer": ("ClientPayloadError", {}),
    "slow_bytes": ("no answer", {"seconds": 100}),
    "invalid_session": ("200 json FAILURE INVALID_SESSION_ID", {}),
    "expired_next_page": ("200 json FAILURE INVALID_DATA", {"path": f"/api/*{ME}"}),
    "fewer_rows": ("200 json SUCCESS", {"path": f"/api/*{ME}"}),
    "costly_query": (
        "200 json FAILURE OPERATION_NOT_ALLOWED",
        {"path": f"/api/*{ME}"},
    ),
    "password_change_required": (
        "200 json FAILURE PASSWORD_CHANGE_REQUIRED",
        {"path": f"/api/*{ME}"},
    ),
}


def test_each_fault_of_calls_is_shown() -> None:
    assert set(SEEN) == {n for n, f in FAULTS.items() if isinstance(f, CallFault)}


@pytest.mark.parametrize("name", SEEN)
async def test_what_a_client_sees(admin: Api, name: str) -> None:
    seen, fields = SEEN[name]
    await switched_on(admin, fault=name, calls=1, **fields)
    assert await what_is_seen(admin) == seen
    (switch,) = await switches(admin)
    assert (switch["struck"], switch["used_up"]) == (1, True)
    assert await what_is_seen(admin) == "200 json SUCCESS"

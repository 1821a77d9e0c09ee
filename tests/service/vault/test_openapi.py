"""The OpenAPI document as schemathesis reads it: no described call causes a server error or an undocumented answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, Case, GenerationMode, Response
from schemathesis.core.result import Ok

from local.servers import PostgresServer, RabbitServer
from services.crm_vault.definition import CRM_VAULT
from services.medical_vault.definition import MEDICAL_VAULT
from shared.protocol.error_types import ErrorType
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault import served
from tests.service.vault.vault_databases import vault_database

SERVICES = {definition.name: definition for definition in (MEDICAL_VAULT, CRM_VAULT)}
EXAMPLES = 8  # calls of an operation
STATUSES = {"SUCCESS", "WARNING", "FAILURE", "EXCEPTION"}
HEADERS = {
    f"x-vaultapi-{name}"
    for name in ("executionid", "burstlimit", "burstlimitremaining", "status")
}

# What half of the calls name in the path: things that are there, so that more than the first check is reached.
THERE = {
    "object_name": "account__v",
    "component_name": "Object.account__v",
    "type_name": "Object",
    "field_name": "name__v",
    "picklist_name": "case_status__v",
    "user_id": "me",
    "audit_trail_type": "object_audit_trail",
}


def document() -> dict[str, Any]:
    """The OpenAPI document, which both services share except for the title; made without a connection."""
    return create_app(
        Vault(MEDICAL_VAULT, served.settings("", "", Path("nowhere")))
    ).openapi()


def operations() -> Iterator[APIOperation[Any, Any, Any, Any]]:
    for result in schemathesis.openapi.from_dict(document()).get_all_operations():
        assert isinstance(result, Ok)
        yield result.ok()


OPERATIONS = {operation.label: operation for operation in operations()}
# Both services have the same routes: they answer by turns.
TURNS = list(zip(cycle(SERVICES), OPERATIONS, strict=False))


def test_every_number_of_a_query_has_a_bound() -> None:
    """A number beyond those of the database would be a server error."""
    unbounded = [
        f"{method} {path} {parameter['name']}"
        for path, methods in document()["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict)
        for parameter in operation.get("parameters", ())
        if parameter.get("in") == "query"
        for schema in parameter["schema"].get("anyOf", [parameter["schema"]])
        if schema.get("type") == "integer"
        if not {"maximum", "exclusiveMaximum"} & schema.keys()
    ]
    assert unbounded == []


@pytest.fixture(scope="module")
async def urls(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Mapping[str, str]]:
    """The address of a Vault of each service only for these calls, since they may change anything."""
    async with AsyncExitStack() as stack:
        addresses: dict[str, str] = {}
        for name, definition in SERVICES.items():
            dsn = await stack.enter_async_context(
                vault_database(postgres_server, definition)
            )
            vhost = await stack.enter_async_context(fresh_vhost(rabbitmq_server))
            files = tmp_path_factory.mktemp("files")
            vault = Vault(definition, served.settings(dsn, vhost.amqp_url, files))
            api = await stack.enter_async_context(served.served(create_app(vault)))
            await served.started(vault)
            addresses[name] = api.url
        yield addresses


def sign_in(url: str, role: str = "admin") -> dict[str, str]:
    fields = {"username": served.USERNAMES[role], "password": served.PASSWORD}
    answer = requests.post(f"{url}/api/v25.1/auth", data=fields, timeout=30).json()
    return {"Authorization": answer["sessionId"]}


def assert_answered(response: Response, label: str) -> None:
    """An answer as documented: HTTP 200, and an envelope unless it is a file."""
    assert response.status_code == 200, (
        f"{label}: {response.status_code} {response.text[:300]}"
    )
    if label.split(" ")[1].startswith(("/api", "/auth")):
        assert response.headers.keys() >= HEADERS, label
    if not response.headers["content-type"][0].startswith("application/json"):
        assert response.headers["x-vaultapi-status"] == ["SUCCESS"], label
        return
    body = response.json()
    # What SCIM answers is no envelope, except for a refusal.
    (told,) = response.headers["x-vaultapi-status"]
    status = body.get("responseStatus", told)
    assert status in STATUSES, label
    assert status != "EXCEPTION", f"{label}: {response.text[:300]}"
    if status == "FAILURE":
        assert body["errors"], label
    for error in body.get("errors") or ():
        assert error["type"] in set(ErrorType), label
        assert isinstance(error["message"], str), label


def addresses_with(text: str) -> Iterator[tuple[str, str]]:
    """Method and address of each operation, once for each text in its path, and of reading ones in its query."""
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            # Beside its operations a path has the parameters that they share: the version.
            if not isinstance(operation, dict):
                continue
            parameters = operation.get("parameters", ())
            names = [each["name"] for each in parameters if each.get("in") == "path"]
            there = {name: THERE.get(name, "1") for name in names}
            there["version"] = "v25.1"
            # A whole number is none with such a text; the version is read before all else.
            for name in set(names) - {"version"}:
                yield method, path.format(**{**there, name: text})
            queried = [each["name"] for each in parameters if each.get("in") == "query"]
            for name in queried if method == "get" else ():
                yield method, f"{path.format(**there)}?{name}={text}"


@pytest.mark.parametrize("service", SERVICES)
async def test_no_text_in_an_address_is_an_error_of_the_vault(
    urls: Mapping[str, str], service: str
) -> None:
    """PostgreSQL cannot store NUL: a name with it is unknown, or refused."""
    url = urls[service]
    headers = await asyncio.to_thread(sign_in, url)
    session = requests.Session()

    def failures() -> list[str]:
        found = []
        for method, address in addresses_with("a%00b"):
            answer = session.request(method, url + address, headers=headers, timeout=30)
            if answer.status_code != 200 or "UNEXPECTED_ERROR" in answer.text:
                found.append(f"{method} {address}: {answer.text[:200]}")
        return found

    assert await asyncio.to_thread(failures) == []


@pytest.mark.parametrize(("service", "label"), TURNS)
async def test_calls_of_the_document(
    urls: Mapping[str, str], service: str, label: str
) -> None:
    operation, url = OPERATIONS[label], urls[service]
    session = requests.Session()

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=st.one_of(*(operation.as_strategy(mode) for mode in GenerationMode)),
        there=st.booleans(),
    )
    def run(case: Case[Any], there: bool) -> None:
        if there:
            case.path_parameters.update(
                {k: v for k, v in THERE.items() if k in case.path_parameters}
            )
        response = case.call(base_url=url, session=session, headers=headers, timeout=30)
        assert_answered(response, label)
        case.operation.validate_response(response)

    headers = await asyncio.to_thread(sign_in, url)
    await asyncio.to_thread(run)

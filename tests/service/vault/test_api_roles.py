"""Every route of the API lets in the roles of its entry in ``route_callers``, and nobody else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from local.servers import PostgresServer, RabbitServer
from services.crm_vault.definition import CRM_VAULT
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.servers import fresh_vhost
from tests.service.vault.route_callers import ANYONE, FILES, PAGES, ROUTES
from tests.service.vault.route_parameters import VALUES
from tests.service.vault.served import Api, served, settings, started
from tests.service.vault.served_routes import served_routes
from tests.service.vault.vault_databases import vault_database

BODIES: dict[str, dict[str, Any]] = {
    "POST /vobjects/{object_name}": {"json": [{"nothing__c": 1}]},
    "PUT /vobjects/{object_name}": {"json": [{"id": "0000"}]},
    "DELETE /vobjects/{object_name}": {"json": [{"id": "0000"}]},
    "POST /vobjects/{object_name}/actions/{action_name}": {"data": {"ids": "0000"}},
    "PUT /services/reconciliations/{job_id}": {"json": {"error": "nothing"}},
    "PUT /services/reconciliations/{job_id}/slices/{slice_number}": {
        "json": {"equal": 0}
    },
    "PUT /services/integrations/{integration}/runs/{job_id}": {
        "json": {"error": "nothing"}
    },
    "PUT /services/integrations/{integration}/runs/{job_id}/batches/{batch}": {
        "json": {
            "integration_point": "a__v",
            "read": 0,
            "mapped": 0,
            "skipped": 0,
            "written": 0,
            "failed": 0,
        }
    },
    "POST /services/connections/{api_name}/signatures": {"json": {"messages": []}},
    "POST /services/connections/{api_name}/actions/duplicate": {
        "data": {"name": "x", "api_name": "x__c"}
    },
    "POST /services/connections/actions/upload": {"data": {"file": "{}"}},
    "PUT /services/file_staging/upload/{upload_session_id}": {
        "headers": {"X-VaultAPI-FilePartNumber": "1"}
    },
}


def test_every_route_has_an_entry(vault: Vault) -> None:
    listed = {FILES if route.startswith(f"{FILES}/") else route for route in PAGES}
    assert set(served_routes(create_app(vault).routes)) == listed | set(ROUTES)


@pytest.mark.parametrize("role", sorted(ANYONE))
@pytest.mark.parametrize("page", PAGES)
async def test_who_sees_a_page(api: Api, page: str, role: str) -> None:
    headers = (
        {}
        if role == "nobody"
        else {"Authorization": (await api.signed_in(role)).session_id or ""}
    )
    async with api.http.get(
        api.url + page.removeprefix("GET "), headers=headers
    ) as response:
        assert response.status == 200
        assert "X-VaultAPI-Status" not in response.headers


@pytest.mark.parametrize("role", sorted(ANYONE))
@pytest.mark.parametrize("route", ROUTES)
async def test_who_is_let_in(api: Api, route: str, role: str) -> None:
    client = api if role == "nobody" else await api.signed_in(role)
    method, _, template = route.partition(" ")
    answer = await client.call(
        method, template.format(**VALUES) or "/api/v25.1", **BODIES.get(route, {})
    )
    # What SCIM answers is no envelope, except for a refusal.
    refused = answer.body and answer.body.get("responseStatus") == "FAILURE"
    error = answer.error if refused else ""
    if role == "admin" and route.endswith("/configuration_mode/actions/enable"):
        await client.post(
            "/services/configuration_mode/actions/disable"
        )  # for those that come after
    assert answer.http_status == 200
    if role in ROUTES[route]:
        assert error != "INVALID_SESSION_ID"
        assert "sufficient privileges" not in answer.text
    else:
        assert error == (
            "INVALID_SESSION_ID" if role == "nobody" else "INSUFFICIENT_ACCESS"
        )


@pytest.fixture(scope="module")
async def foreign_session(
    postgres_server: PostgresServer,
    rabbitmq_server: RabbitServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[str]:
    """A live session of an administrator of the other Vault."""
    files = tmp_path_factory.mktemp("files")
    async with (
        vault_database(postgres_server, CRM_VAULT) as dsn,
        fresh_vhost(rabbitmq_server) as vhost,
    ):
        other = Vault(CRM_VAULT, settings(dsn, vhost.amqp_url, files))
        async with served(create_app(other)) as crm:
            await started(other)
            yield str((await crm.signed_in("admin")).session_id)


async def test_a_session_of_another_vault_opens_nothing(
    api: Api, foreign_session: str
) -> None:
    foreign = {"Authorization": foreign_session}
    without_session = ("POST /auth", "GET /services/certificate")
    for route in sorted(
        route for route in ROUTES if not route.startswith(without_session)
    ):
        method, _, template = route.partition(" ")
        answer = await api.call(
            method, template.format(**VALUES) or "/api/v25.1", headers=foreign
        )
        assert answer.error == "INVALID_SESSION_ID", route

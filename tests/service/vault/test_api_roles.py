"""Role by route: every route of the API has an entry here that says who is let in."""

from __future__ import annotations

from typing import Any

import pytest
from fastapi.routing import APIRoute

from shared.vault.api.app import CHAPTERS
from tests.service.vault.served import Api

ANYONE = {"nobody", "user", "integration", "admin"}
SIGNED_IN = {"user", "integration", "admin"}
CONNECTION = {"integration", "admin"}
ADMIN = {"admin"}

# Paths are called as they stand, on an object that only some may see; what lets a caller in may still refuse the call.
ROUTES = {
    "POST /auth": ANYONE,
    "GET /api": ANYONE,
    "GET /api/": ANYONE,
    "GET ": SIGNED_IN,
    "POST /keep-alive": SIGNED_IN,
    "GET /objects/users/me": SIGNED_IN,
    "POST /query": SIGNED_IN,
    "GET /query/{cursor}": SIGNED_IN,
    "POST /query/{cursor}": SIGNED_IN,
    "GET /vobjects/{object_name}": CONNECTION,
    "POST /vobjects/{object_name}": ADMIN,
    "PUT /vobjects/{object_name}": ADMIN,
    "DELETE /vobjects/{object_name}": ADMIN,
    "GET /vobjects/{object_name}/{record_id}": CONNECTION,
    "PUT /vobjects/{object_name}/{record_id}": ADMIN,
    "DELETE /vobjects/{object_name}/{record_id}": ADMIN,
    "GET /vobjects/{object_name}/{record_id}/actions": CONNECTION,
    "GET /vobjects/{object_name}/{record_id}/actions/{action_name}": CONNECTION,
    "POST /vobjects/{object_name}/{record_id}/actions/{action_name}": ADMIN,
    "POST /vobjects/{object_name}/actions/{action_name}": ADMIN,
    "GET /metadata/vobjects": SIGNED_IN,
    "GET /metadata/vobjects/{object_name}": CONNECTION,
    "GET /metadata/vobjects/{object_name}/fields/{field_name}": CONNECTION,
    "GET /metadata/components": CONNECTION,
    "GET /metadata/components/{type_name}": CONNECTION,
    "GET /configuration/{component_name}": CONNECTION,
    "GET /api/mdl/components/{component_name}": CONNECTION,
    "POST /api/mdl/execute": ADMIN,
    "GET /services/queues": CONNECTION,
    "GET /services/queues/{queue_name}": CONNECTION,
    "PUT /services/queues/{queue_name}/actions/enable_delivery": ADMIN,
    "PUT /services/queues/{queue_name}/actions/disable_delivery": ADMIN,
    "PUT /services/queues/{queue_name}/actions/reset": ADMIN,
    "DELETE /session": SIGNED_IN,
}
PREFIX = "/api/{version:vault_version}"
VALUES = {
    "object_name": "connection__sys",
    "record_id": "0000",
    "action_name": "Objectaction.connection__sys.nothing__c",
    "field_name": "name__v",
    "cursor": "0000",
    "type_name": "Picklist",
    "component_name": "Picklist.colour__c",
    "queue_name": "nothing__v",
}
BODIES: dict[str, dict[str, Any]] = {
    "POST /vobjects/{object_name}": {"json": [{"nothing__c": 1}]},
    "PUT /vobjects/{object_name}": {"json": [{"id": "0000"}]},
    "DELETE /vobjects/{object_name}": {"json": [{"id": "0000"}]},
    "POST /vobjects/{object_name}/actions/{action_name}": {"data": {"ids": "0000"}},
}


def test_every_route_has_an_entry() -> None:
    routes = set()
    for chapter in CHAPTERS:
        for route in chapter.router.routes:
            assert isinstance(route, APIRoute)
            routes |= {f"{method} {route.path.removeprefix(PREFIX)}" for method in route.methods or ()}
    assert routes == set(ROUTES)


@pytest.mark.parametrize("role", sorted(ANYONE))
@pytest.mark.parametrize("route", ROUTES)
async def test_who_is_let_in(api: Api, route: str, role: str) -> None:
    client = api if role == "nobody" else await api.signed_in(role)
    method, _, template = route.partition(" ")
    answer = await client.call(method, template.format(**VALUES) or "/api/v25.1", **BODIES.get(route, {}))
    error = answer.error if answer.body and answer.status == "FAILURE" else ""
    assert answer.http_status == 200
    if role in ROUTES[route]:
        assert error != "INVALID_SESSION_ID"
        assert "sufficient privileges" not in answer.text
    else:
        assert error == ("INVALID_SESSION_ID" if role == "nobody" else "INSUFFICIENT_ACCESS")


async def test_a_session_of_another_vault_opens_nothing(api: Api) -> None:
    foreign = {"Authorization": "0" * 64}
    for route in sorted(set(ROUTES) - {"POST /auth"}):
        method, _, template = route.partition(" ")
        answer = await api.call(method, template.format(**VALUES) or "/api/v25.1", headers=foreign)
        assert answer.error == "INVALID_SESSION_ID", route

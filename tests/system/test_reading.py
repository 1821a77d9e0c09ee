"""The connector's routes show values only of records that the Vaults let the caller read."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import aiohttp
import pytest
from pydantic import SecretStr

from local.system import System
from services.connector.app import create_app
from services.connector.connector_settings import ConnectorSettings
from shared.vault.components.permission_types import Grant
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Api
from tests.service.vault.served_routes import served_routes
from tests.system.conditions import Connected, new_run
from tests.system.connector_calls import ConnectorCaller
from tests.system.test_transfer import account, inquiry

INTEGRATION, CONNECTION = "medical_inquiry_details__v", "medical_crm__v"
RULE = "medical_inquiries__v"
GRANTS = {grant.value for grant in Grant}
DENIED = {"INSUFFICIENT_ACCESS", "INVALID_SESSION_ID"}


@dataclass(frozen=True)
class Door:
    """A question whose answer shows values; names in braces are those of planted records."""

    method: str
    path: str
    asked: dict[str, Any] = field(default_factory=dict)


DOORS: dict[str, tuple[Door, ...]] = {
    "POST /previews/{vault}": (
        Door("POST", "previews/medical", {"ids": ["{inquiry}"], "rule": RULE}),
        Door(
            "POST",
            "previews/medical",
            {
                "ids": ["{account}"],
                "integration_point": "account_inbound__v",
                "object": "account__v",
            },
        ),
    ),
    "GET /dry-runs/{vault}/{integration}": (
        Door("GET", f"dry-runs/medical/{INTEGRATION}?since={{since}}"),
    ),
    "GET /missing-lookups/{vault}/{connection}": (
        Door(
            "GET",
            f"missing-lookups/medical/{CONNECTION}?integration={INTEGRATION}&since={{since}}",
        ),
        Door(
            "GET",
            f"missing-lookups/medical/{CONNECTION}?integration={INTEGRATION}&since={{since}}&format=csv",
        ),
    ),
}
WITHOUT_VALUES = {
    "POST /sources/{vault}/{connection}/records/{object}": "names of records of the source, to those who may read "
    "them there (tests/unit/connector/test_sources.py)",
    "GET /sources/{vault}/{connection}/objects": "configuration, which is no record",
    "GET /sources/{vault}/{connection}/objects/{object}": "configuration, which is no record",
    "GET /ways/{vault}/{message_id}": "moments, names and ids, each asked in the session of whoever asks",
    "GET /traffic/{vault}": "names of queues, and how many messages they hold",
    "GET /readiness/{vault}/{connection}": "names of what is configured, and how many exceptions are open",
    "POST /crm-lookups/{vault}/{connection}": "accounts to those who may look up accounts, which is this permission; "
    "what is shown of them the connection's rule and the countries' agreements say (test_crm_lookup.py)",
    "GET /": "no records",
    "GET /openapi.json": "no records",
    "GET /healthz": "no records",
    "GET /readyz": "no records",
    "GET /metrics": "counts",
    "POST /messages/{vault}/{queue}": "takes messages, and answers whether they were taken",
}


def test_every_route_shows_values_by_a_door_or_says_why_it_shows_none() -> None:
    vault = {
        "name": "medical",
        "url": "http://medical.example",
        "username": "u",
        "password": SecretStr("p"),
        "amqp_url": "amqp://medical.example",
    }
    settings = ConnectorSettings(vaults=(vault,), public_url="https://c.example")
    routes = set(served_routes(create_app(settings).routes))
    assert routes == set(DOORS) | set(WITHOUT_VALUES)


@pytest.fixture
async def vaults(running: System) -> AsyncIterator[dict[str, Api]]:
    """Both Vaults as their System Admins call them."""
    async with AsyncExitStack() as stack:
        found = {}
        for vault in ("medical_vault", "crm_vault"):
            sign_in = running.sign_ins()[vault]["admin"]
            http = await stack.enter_async_context(aiohttp.ClientSession())
            api = Api(http, running.endpoints()[vault]["url"])
            form = {"username": sign_in["username"], "password": sign_in["password"]}
            session = (await api.post("/auth", data=form)).body["sessionId"]
            found[vault] = replace(api, session_id=session)
        yield found


@dataclass(frozen=True)
class Planted:
    """Values with the marker, in records of Vault CRM."""

    marker: str
    values: dict[str, str]

    def filled(self, asked: object) -> Any:
        text = json.dumps(asked)
        for name, value in self.values.items():
            text = text.replace(f"{{{name}}}", value)
        return json.loads(text)


@pytest.fixture
async def planted(connected: Connected) -> Planted:
    run = new_run()
    since = (await connected.crm.clock()).date_time
    of = await account(connected, run)
    await connected.crm.update(
        "account__v", [{"id": of, "last_name_cda__v": f"zq{run}"}]
    )
    item = await inquiry(connected, of, inquiry_text__v=f"zq{run} is asked")
    return Planted(f"zq{run}", {"account": of, "inquiry": item, "since": since})


async def answers(asker: ConnectorCaller, planted: Planted, who: str) -> dict[str, str]:
    """The answers of all doors."""
    found = {}
    for doors in DOORS.values():
        for door in doors:
            asked = planted.filled(door.asked)
            path = planted.filled(door.path)
            options = {"json": asked} if door.method == "POST" else {}
            text = await asker.text(door.method, path, who, **options)
            found[f"{door.path} {door.asked}"] = text
    return found


async def test_who_may_read_both_ends_is_answered(
    asker: ConnectorCaller, planted: Planted
) -> None:
    found = await answers(asker, planted, "admin")
    for door, text in found.items():
        assert not any(kind in text for kind in DENIED), (door, text)
        if door.startswith("previews"):
            assert planted.marker in text, door


ASKERS: dict[str, tuple[set[str], dict[str, str], dict[str, str] | None]] = {
    "one permission, no object, unknown in Vault CRM": (
        {"manage_integrations"},
        {},
        None,
    ),
    "every permission, no object, unknown in Vault CRM": (GRANTS, {}, None),
    "everything here, unknown in Vault CRM": (
        GRANTS,
        {"all_objects__sys": "rced"},
        None,
    ),
    "everything here, no object in Vault CRM": (
        GRANTS,
        {"all_objects__sys": "rced"},
        {},
    ),
    "everything here, inquiries but no accounts in Vault CRM": (
        GRANTS,
        {"all_objects__sys": "rced"},
        {"medical_inquiry__v": "r", "product__v": "r", "country__v": "r"},
    ),
    "no object here, everything in Vault CRM": (
        GRANTS,
        {},
        {"all_objects__sys": "r"},
    ),
}
"""Grants and objects in the Medical Vault, and objects in Vault CRM; None for no user there."""


@pytest.mark.parametrize("who", ASKERS)
async def test_who_may_not_read_one_of_the_ends_is_refused(
    asker: ConnectorCaller, vaults: dict[str, Api], planted: Planted, who: str
) -> None:
    grants, entries, in_crm = ASKERS[who]
    own = await with_profile(vaults["medical_vault"], grants, entries)
    source = {}
    if in_crm is not None:
        there = await with_profile(vaults["crm_vault"], set(), in_crm)
        source = {who: str(there.session_id)}
    asking = replace(asker, sessions={who: str(own.session_id)}, source_sessions=source)
    for door, text in (await answers(asking, planted, who)).items():
        assert planted.marker not in text, door
        answer = json.loads(text)
        assert answer["responseStatus"] == "FAILURE", (door, text)
        assert answer["errors"][0]["type"] in DENIED, (door, text)
        assert "data" not in answer, door

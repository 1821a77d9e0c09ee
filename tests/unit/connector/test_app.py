"""The connector process: it waits for its Vaults, consumes their queues, answers questions, and stops cleanly."""

from __future__ import annotations

import asyncio
import gc
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
from pydantic import ValidationError

from local.polling import answers_within, holds_within
from services.connector import __main__ as main
from services.connector import app as connector_app
from services.connector.app import Connector, create_app
from services.connector.asking.described import DOCUMENT
from services.connector.connector_settings import ConnectorSettings
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.runtime import logging, process
from shared.runtime.connection_bounds import ConnectionBounds
from tests.unit.connector.asgi import call
from tests.unit.connector.brokers import MemoryBroker, MemoryConsumer
from tests.unit.connector.memory_client import MemoryClient, MemoryPublisher
from tests.unit.connector.standard_vaults import (
    CRM_ID,
    MEDICAL_ID,
    crm_vault,
    medical_vault,
)

MEDICAL = {
    "name": "medical",
    "url": "http://medical.example",
    "username": "u",
    "password": "p",
    "amqp_url": "amqp://medical.example",
}
CRM = {**MEDICAL, "name": "crm", "url": "http://crm.example"}
ELSEWHERE = {**CRM, "amqp_url": None}


def settings(*vaults: dict[str, Any], **more: Any) -> ConnectorSettings:
    return ConnectorSettings(vaults=vaults, queue_check_interval=0.001, **more)


# Settings.


def test_a_connector_has_one_vault_at_least() -> None:
    with pytest.raises(ValidationError):
        settings()


def test_a_certificate_comes_with_its_key(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="set together"):
        settings(MEDICAL, tls_certificate=tmp_path / "a.pem")


def test_https_is_served_where_there_is_a_certificate(tmp_path: Path) -> None:
    pem = tmp_path / "a.pem"
    served = settings(MEDICAL, tls_certificate=pem, tls_key=pem, tls_port=9443)
    assert served.tls is not None
    assert served.tls.port == 9443
    assert settings(MEDICAL).tls is None


def test_no_password_is_shown() -> None:
    secret = {**MEDICAL, "password": "hidden", "amqp_url": "amqp://u:hidden@x"}
    assert "hidden" not in repr(settings(secret))


# The process.


class _Client(MemoryClient):
    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_problem: object) -> None:
        return None


@dataclass
class World:
    """The connector's stand-ins for peers, and the objects that it has made."""

    brokers: list[MemoryBroker] = field(default_factory=list)
    consumers: list[MemoryConsumer] = field(default_factory=list)
    clients: dict[str, MemoryClient] = field(default_factory=dict)

    def client(self, url: str, *_access: str, **_limits: object) -> MemoryClient:
        return self.clients[url]

    def broker(self, _url: str, _name: str) -> MemoryBroker:
        self.brokers.append(MemoryBroker())
        return self.brokers[-1]

    def publisher(self, _connection: object, _exchange: str) -> Any:
        made = MemoryPublisher()
        made.close = MemoryBroker().close  # type: ignore[attr-defined]
        return made

    def consumer(self, *of: Any, **limits: Any) -> MemoryConsumer:
        self.consumers.append(MemoryConsumer(*of, **limits))
        return self.consumers[-1]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    made = World()
    for url, vault in ((MEDICAL["url"], medical_vault()), (CRM["url"], crm_vault())):
        vault.__class__ = _Client
        made.clients[str(url)] = vault
    monkeypatch.setattr(connector_app, "VaultClient", made.client)
    monkeypatch.setattr(connector_app, "BrokerConnection", made.broker)
    monkeypatch.setattr(connector_app, "Publisher", made.publisher)
    monkeypatch.setattr(connector_app, "Consumer", made.consumer)
    return made


async def ready(connector: Connector) -> None:
    assert await answers_within(5, connector.check) is None


async def test_all_queues_of_all_vaults_are_consumed(world: World) -> None:
    connector = Connector(settings(MEDICAL, CRM))
    assert await connector.check() == "waiting for the Vaults and their brokers"
    running = asyncio.create_task(connector.run())
    await ready(connector)
    assert connector.vaults is not None
    assert set(connector.vaults.by_id) == {MEDICAL_ID, CRM_ID}
    assert {each.queue for each in world.consumers} == {
        "medical_crm_inbound_queue__v",
        "medical_crm_outbound_queue__v",
        "crm_to_medical_outbound_queue__v",
        "medical_to_crm_inbound__v",
    }
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert all(each.stopped for each in world.consumers)
    assert all(each.closed for each in world.brokers)


async def test_a_sequential_queue_has_one_message_at_a_time(world: World) -> None:
    queue = {"name": "new__c", "type": "inbound", "sequential": True}
    world.clients[str(MEDICAL["url"])].components["Queue"] = [queue]
    connector = Connector(settings(MEDICAL))
    running = asyncio.create_task(connector.run())
    await ready(connector)
    limits = {(e.prefetch, e.concurrency, e.max_batch) for e in world.consumers}
    assert limits == {(1, 1, 1)}
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_a_vault_elsewhere_is_read_and_its_queues_are_not_consumed(
    world: World,
) -> None:
    connector = Connector(settings(MEDICAL, ELSEWHERE))
    running = asyncio.create_task(connector.run())
    await ready(connector)
    assert connector.vaults is not None
    assert [vault.name for vault in connector.vaults.connected] == ["medical"]
    assert connector.vaults.get(CRM_ID) is not None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_optional_vault_joins_when_it_answers(world: World) -> None:
    crm = world.clients[str(CRM["url"])]
    crm.fail_calls("sign_in", VaultUnavailable("away"))
    connector = Connector(settings(MEDICAL, {**CRM, "optional": True}))
    running = asyncio.create_task(connector.run())
    await ready(connector)
    assert await holds_within(5, lambda: len(world.consumers) == 4)
    assert connector.vaults is not None
    assert connector.vaults.get(CRM_ID) is not None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_the_process_is_ready_when_all_queues_are_subscribed_to(
    world: World,
) -> None:
    app = create_app(settings(MEDICAL, CRM, public_url="https://x.example"))
    assert (await call(app, "GET", "/readyz")).status == 503

    async def reason() -> str | None:
        status = (await call(app, "GET", "/readyz")).status
        return None if status == 200 else f"status {status}"

    async with app.router.lifespan_context(app):
        assert await answers_within(5, reason) is None
        posted = await call(app, "POST", "/messages/medical/in__v")
        assert posted.status == 401
    assert all(each.stopped for each in world.consumers)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (VaultUnavailable("away"), "crm does not answer"),
        (TimeoutError(), "crm does not answer"),
        (VaultRefused("API_LIMIT_EXCEEDED", "no"), "crm refuses: API_LIMIT_EXCEEDED"),
    ],
)
async def test_a_vault_that_goes_away_is_reported(
    world: World, fault: Exception, reason: str
) -> None:
    connector = Connector(settings(MEDICAL, CRM))
    running = asyncio.create_task(connector.run())
    await ready(connector)
    world.clients[str(CRM["url"])].fail_calls("clock", fault)
    assert await connector.check() == reason
    assert await connector.check() is None
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_without_a_public_address_no_messages_are_taken(world: World) -> None:
    app = create_app(settings(MEDICAL))
    assert (await call(app, "POST", "/messages/medical/in__v")).status == 404
    assert world.consumers == []


async def test_the_process_says_what_it_is_and_what_it_can_be_asked(
    world: World,
) -> None:
    del world
    app = create_app(settings(MEDICAL, public_url="https://x.example"))
    front = json.loads((await call(app, "GET", "/")).body)
    document = json.loads((await call(app, "GET", DOCUMENT)).body)
    assert DOCUMENT in front["links"].values()
    assert set(document["paths"]) == {
        "/previews/{vault}",
        "/dry-runs/{vault}/{integration}",
        "/missing-lookups/{vault}/{connection}",
        "/sources/{vault}/{connection}/objects",
        "/sources/{vault}/{connection}/objects/{object}",
        "/sources/{vault}/{connection}/records/{object}",
        "/crm-lookups/{vault}/{connection}",
        "/readiness/{vault}/{connection}",
        "/traffic/{vault}",
        "/ways/{vault}/{message_id}",
    }
    known = set(document["components"]["securitySchemes"])
    for operations in document["paths"].values():
        for verb, operation in operations.items():
            assert operation["description"]
            assert set(operation["security"][0]) <= known
            assert ("requestBody" in operation) == (verb == "post")


def test_the_process_serves_what_its_settings_say(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    served: list[tuple[Any, ...]] = []
    monkeypatch.setenv("CONNECTOR_VAULTS", f"[{_json(MEDICAL)}]")
    monkeypatch.setattr(logging, "configure_logging", lambda *_: None)
    monkeypatch.setattr(
        process, "serve", lambda *of, bounds, tls: served.append((*of, bounds, tls))
    )
    # Loading begins without the collector of garbage, which the server switches on.
    monkeypatch.setattr(gc, "disable", lambda: None)
    main.main()
    ((_, host, port, bounds, tls),) = served
    assert (host, port, tls) == ("0.0.0.0", 8090, None)  # noqa: S104
    assert bounds == ConnectionBounds()


def _json(vault: dict[str, Any]) -> str:
    return str(vault).replace("'", '"')

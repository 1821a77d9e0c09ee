"""Messages from a Vault elsewhere: signed ones reach the connector by HTTPS, others do not."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import uuid4

import aiohttp
import pytest

from local.service import tls_settings
from local.system import System
from shared.spark.envelope import MAX_BODY_BYTES, Envelope, Message
from tests.system.conditions import Connected, eventually, new_run
from tests.system.test_connections import CONNECTION, configure_point, send_notes, sent
from tests.system.test_external_delivery import ACTIVATE, allowing
from tests.system.test_transfer import create

QUEUE = "medical_crm_inbound_queue__v"
CONNECTOR, MEDICAL, CRM = "connector", "medical_vault", "crm_vault"


@dataclass(frozen=True)
class Gate:
    """A connector that has only a remote operator's knowledge of Vault CRM."""

    url: str
    trust: ssl.SSLContext

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        async with (
            aiohttp.ClientSession() as http,
            http.post(url, data=body, headers=headers, ssl=self.trust) as answer,
        ):
            return answer.status


@pytest.fixture
async def gate(running: System) -> AsyncIterator[Gate]:
    (first,) = [
        service for service in running._services() if service.service == CONNECTOR
    ]
    second = replace(first, number=2)
    vaults = json.loads(first.settings["CONNECTOR_VAULTS"])
    for vault in vaults:
        if vault["name"] == "crm":
            del vault["amqp_url"]
    tls_port = running._state.port("connector_tls")
    tls = tls_settings(tls_port, running._tls.certificate, running._tls.key)
    url = f"https://localhost:{tls_port}"
    own = {
        "CONNECTOR_PORT": str(running._state.port(second.name)),
        "CONNECTOR_VAULTS": json.dumps(vaults),
        "CONNECTOR_PUBLIC_URL": url,
        **{name.replace("VAULT_", "CONNECTOR_"): value for name, value in tls.items()},
    }
    second = replace(second, settings={**first.settings, **own})
    messages = f"{url}/messages/medical/{QUEUE}"
    second.spawn()
    try:
        async with allowing(running, messages, CRM, MEDICAL):
            await second.wait_ready()
            yield Gate(
                messages, ssl.create_default_context(cafile=running._tls.ca_file)
            )
    finally:
        await second.stop()


async def connection_in(connected: Connected, name: str, url: str, vault: str) -> None:
    """An Active External connection to this address; in Medical it is that of the messages of Vault CRM."""
    row = {
        "name__v": name,
        "api_name__sys": name,
        "url__sys": url,
        "object_type__v.api_name__v": "external__sys",
    }
    client = connected.crm
    if vault == MEDICAL:
        client = connected.medical
        row["remote_vault_id__sys"] = str(connected.crm.vault_id)
    connection = await create(client, CONNECTION, row)
    await client.run_action(CONNECTION, connection, ACTIVATE)


async def test_signed_messages_of_a_vault_elsewhere_are_processed(
    connected: Connected, gate: Gate
) -> None:
    name = f"away_{new_run()}__c"
    for vault in (CRM, MEDICAL):
        await connection_in(connected, name, gate.url, vault)
    await configure_point(connected, name)
    await send_notes(connected, name, "connection_type('external')")
    note = await sent(connected, name, "from elsewhere")
    link = f"{connected.crm.vault_id}_{note}"

    async def arrived() -> bool:
        rows = (
            await connected.medical.query(
                f"SELECT name__v FROM {name} WHERE link__sys = '{link}'"
            )
        ).rows
        return [row["name__v"] for row in rows] == ["from elsewhere"]

    await eventually("the note in Medical", arrived)

    now = datetime.now(UTC)
    attributes = {"object": name, "event": "sent", "integration_point": name}
    envelope = Envelope(
        "Vault CRM",
        "localhost",
        name,
        now,
        now,
        1,
        str(uuid4()),
        Message(attributes, (note,)),
    )
    body = envelope.encode()
    url, (signed,) = await connected.crm.sign_messages(name, [body.decode()])
    assert url == gate.url
    headers = {key: str(value) for key, value in signed.items()}
    assert await gate.post(gate.url, {}, body) == 401
    assert await gate.post(gate.url, headers, body + b" ") == 401
    assert await gate.post(gate.url.replace("medical/", "other/"), headers, body) == 404
    assert (
        await gate.post(gate.url.replace(QUEUE, "nowhere__c"), headers, body) == 401
    ), "signed for another queue"
    assert (
        await gate.post(
            gate.url, headers | {"X-VaultAPISignature-CertificateId": "00002"}, body
        )
        == 401
    )
    assert (
        await gate.post(
            gate.url, headers | {"X-VaultAPISignature-VaultId": "30303"}, body
        )
        == 401
    )
    assert await gate.post(gate.url, headers, b"x" * (MAX_BODY_BYTES + 1)) == 413
    assert await gate.post(gate.url, headers, body) == 200
    assert await gate.post(gate.url, headers, body) == 409, "the same once more"

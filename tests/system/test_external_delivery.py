"""Messages to a receiver that is no Vault: signed, posted by HTTPS, retried; nowhere that is allowed no longer."""

from __future__ import annotations

import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp
import orjson
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from local.polling import all_of
from local.service import Service
from local.system import System
from shared.client.results import Row
from shared.spark.signatures import SIGNATURE, signed_text
from tests.system.conditions import Connected, eventually, new_run
from tests.system.test_connections import CONNECTION, send_notes, sent
from tests.system.test_transfer import create

ACTIVATE = (
    "Objectlifecyclestateuseraction.connection__sys.pending_state__sys.activate__sys"
)
RETRY = "Objectaction.exception_message__sys.retry_transfer__sys"
CRM = "crm_vault"


@dataclass
class Receiver:
    """A partner's server: it stores messages with a valid signature, and returns the statuses that the test sets."""

    certificates: str
    url: str = ""
    answers: list[int] = field(default_factory=list)
    asked: list[tuple[dict[str, str], Row]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = dict(request.headers)
        async with aiohttp.ClientSession() as http:
            certificate_id = request.headers["x-vaultapisignature-certificateid"]
            async with http.get(f"{self.certificates}/{certificate_id}") as answer:
                key = x509.load_pem_x509_certificate(await answer.read()).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        signature = base64.b64decode(headers[SIGNATURE])
        key.verify(
            signature, signed_text(headers, body), padding.PKCS1v15(), hashes.SHA256()
        )
        self.asked.append((headers, orjson.loads(body)))
        return web.Response(status=self.answers.pop(0) if self.answers else 200)


@pytest.fixture
async def receiver(running: System) -> AsyncIterator[Receiver]:
    tls = running._tls
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    made = Receiver(f"{running.endpoints()[CRM]['url']}/api/v25.1/services/certificate")
    app = web.Application()
    app.router.add_post("/in", made.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    made.url = f"https://localhost:{runner.addresses[0][1]}/in"
    try:
        yield made
    finally:
        await runner.cleanup()


@asynccontextmanager
async def allowing(running: System, url: str, *vaults: str) -> AsyncIterator[None]:
    """Vaults whose operator has this address in the list, from their restart until the next one."""
    without = [service for service in running._services() if service.service in vaults]
    allowed = {"VAULT_CONNECTION_URLS": url}
    with_it = [
        replace(service, settings={**service.settings, **allowed})
        for service in without
    ]
    try:
        await all_of(*map(restarted, with_it))
        yield
    finally:
        await all_of(*map(restarted, without))


async def restarted(service: Service) -> None:
    await service.stop()
    await service.start()


async def test_signed_messages_are_posted_until_they_are_taken(
    running: System, connected: Connected, receiver: Receiver
) -> None:
    name = f"partner_{new_run()}__c"
    row = {"name__v": name, "api_name__sys": name, "url__sys": receiver.url}
    (refused,) = await connected.crm.create(
        CONNECTION, [{**row, "object_type__v.api_name__v": "external__sys"}]
    )
    assert refused.errors[0].type == "OPERATION_NOT_ALLOWED"
    async with allowing(running, receiver.url, CRM):
        connection = await create(
            connected.crm,
            CONNECTION,
            {**row, "object_type__v.api_name__v": "external__sys"},
        )
        await connected.crm.run_action(CONNECTION, connection, ACTIVATE)
        await send_notes(connected, name, "connection_type('external')")
        receiver.answers = [503, 302]
        note = await sent(connected, name, "taken at the third attempt")

        async def taken() -> bool:
            return len(receiver.asked) == 3

        await eventually("the message at the receiver", taken)
    of_one_message(receiver, note)

    async def given_up() -> list[Row]:
        text = "SELECT id, error_message__sys, error_status__sys FROM exception_message__sys"
        rows = (await connected.crm.query(text)).rows
        return [row for row in rows if f"connection {name} " in str(row)]

    async def recorded() -> bool:
        return bool(await given_up())

    # The operator has taken the address from the list, and the connection is still Active.
    await sent(connected, name, "given up")
    await eventually("the exception in CRM", recorded)
    assert len(receiver.asked) == 3
    (exception,) = await given_up()
    assert f"[{name}] is not among those that VAULT_CONNECTION_URLS allows" in str(
        exception["error_message__sys"]
    )

    async def resolved() -> bool:
        return (await given_up())[0]["error_status__sys"] == ["resolved__sys"]

    async with allowing(running, receiver.url, CRM):
        await connected.crm.run_action(
            "exception_message__sys", str(exception["id"]), RETRY
        )
        await eventually("the exception being resolved by its retry", resolved)
    assert len(receiver.asked) == 3 + 1


def of_one_message(receiver: Receiver, note: str) -> None:
    """Assert that all that was asked is one message of one note, attempt by attempt."""
    ids = {body["message_id"] for _, body in receiver.asked}
    attempts = [body["send_attempt"] for _, body in receiver.asked]
    assert (len(ids), attempts) == (1, [1, 2, 3])
    headers, body = receiver.asked[-1]
    assert headers["User-Agent"] == "Veeva Vault Spark Message Agent"
    assert headers["X-VaultAPISignature-RequestId"] == body["message_id"]
    message = body["message"]
    assert isinstance(message, dict)
    assert message["items"] == [note]

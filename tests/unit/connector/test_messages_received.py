"""Messages that Vaults elsewhere post: verified ones are queued, all others get only a status."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from services.connector.receiving import signed_messages
from services.connector.receiving.receiving_routes import router
from services.connector.receiving.signed_messages import SignedMessages
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.spark.broker_errors import BrokerUnavailable, Unroutable
from shared.spark.envelope import MAX_BODY_BYTES, Envelope
from shared.spark.signatures import SIGNATURE, signature_headers, signed_text
from shared.vault.connections.signing import key_pair
from tests.unit.connector.asgi import application, call
from tests.unit.connector.messages import QUEUE, envelope
from tests.unit.connector.standard_vaults import CRM_ID, MEDICAL_ID, Pair, pair

PRIVATE, CERTIFICATE = key_pair("Vault CRM")
PUBLIC_URL = "https://connector.example"


class Receiver:
    """The address at which Vault CRM posts messages for the Medical Vault."""

    def __init__(self, vaults: Pair) -> None:
        self.vaults = vaults
        vaults.crm.certificates["00001"] = CERTIFICATE
        self.app = application(
            router(SignedMessages(PUBLIC_URL), lambda: vaults.vaults)
        )

    async def post(
        self,
        message: Envelope | bytes,
        headers: dict[str, str] | None = None,
        path: str = f"/messages/medical/{QUEUE}",
    ) -> int:
        """Post a message; returns the status."""
        body = message if isinstance(message, bytes) else message.encode()
        sent = signed(body, path=path) if headers is None else headers
        reply = await call(self.app, "POST", path, headers=sent, body=body)
        assert reply.body == b""
        return reply.status


def signed(
    body: bytes,
    *,
    sender: int = CRM_ID,
    message_id: str = "m-1",
    path: str = f"/messages/medical/{QUEUE}",
    certificate: str = "00001",
    moment: datetime | None = None,
) -> dict[str, str]:
    """The headers of a message as a Vault signs it."""
    key = serialization.load_der_private_key(PRIVATE, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    headers = signature_headers(
        certificate_id=certificate,
        execution_id="e",
        message_id=message_id,
        vault_id=sender,
        url=f"{PUBLIC_URL}{path}",
        moment=moment or datetime.now(UTC),
    )
    text = signed_text(headers, body)
    signature = key.sign(text, padding.PKCS1v15(), hashes.SHA256())
    return {**headers, SIGNATURE: base64.b64encode(signature).decode()}


@pytest.fixture
def receiver() -> Receiver:
    return Receiver(pair())


MESSAGE = envelope("V4T1", message_id="m-1", authorization="a-session")


async def test_a_verified_message_goes_to_the_queue_without_its_session(
    receiver: Receiver,
) -> None:
    assert await receiver.post(MESSAGE) == 200
    (taken,) = receiver.vaults.medical_publisher.published
    assert (taken.queue, taken.headers["vault_id"]) == (QUEUE, CRM_ID)
    attributes = Envelope.parse(taken.body).message.attributes
    assert "authorization" not in attributes


async def test_the_very_same_message_is_taken_once(receiver: Receiver) -> None:
    headers = signed(MESSAGE.encode())
    statuses = [await receiver.post(MESSAGE, headers) for _ in range(2)]
    assert statuses == [200, 409]


async def test_certificates_are_asked_for_once(receiver: Receiver) -> None:
    await receiver.post(MESSAGE)
    del receiver.vaults.crm.certificates["00001"]
    later = datetime.now(UTC) + timedelta(seconds=1)
    headers = signed(MESSAGE.encode(), moment=later)
    assert await receiver.post(MESSAGE, headers) == 200


async def test_few_certificates_are_kept(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signed_messages, "MAX_CERTIFICATES", 1)
    receiver.vaults.crm.certificates["00002"] = CERTIFICATE
    await receiver.post(MESSAGE)
    headers = signed(MESSAGE.encode(), certificate="00002")
    assert await receiver.post(MESSAGE, headers) == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 401, id="not signed"),
        pytest.param(signed(b"other"), 401, id="another body"),
        pytest.param(
            signed(MESSAGE.encode(), sender=30303), 401, id="an unknown Vault"
        ),
        pytest.param(
            signed(MESSAGE.encode(), sender=MEDICAL_ID), 401, id="the Vault itself"
        ),
        pytest.param(
            signed(MESSAGE.encode(), certificate="00009"), 401, id="no certificate"
        ),
        pytest.param(
            signed(MESSAGE.encode(), message_id="m-2"), 401, id="another message"
        ),
        pytest.param(
            signed(MESSAGE.encode(), path="/messages/medical/odd__v"),
            401,
            id="another address",
        ),
        pytest.param(
            signed(MESSAGE.encode(), moment=datetime(2020, 1, 1, tzinfo=UTC)),
            401,
            id="too old",
        ),
    ],
)
async def test_what_is_not_verified_is_not_taken(
    receiver: Receiver, headers: dict[str, str], status: int
) -> None:
    assert await receiver.post(MESSAGE, headers) == status
    assert receiver.vaults.medical_publisher.published == []


async def test_a_vault_of_another_name_is_unknown(receiver: Receiver) -> None:
    assert await receiver.post(MESSAGE, path=f"/messages/odd/{QUEUE}") == 404


async def test_a_signed_body_that_is_no_message_is_refused(receiver: Receiver) -> None:
    assert await receiver.post(b"odd") == 400


async def test_a_body_that_is_too_long_is_refused(receiver: Receiver) -> None:
    assert await receiver.post(b" " * (MAX_BODY_BYTES + 1)) == 413


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        ({}, f"/messages/medical/{QUEUE}", 401),
        (signed(b"", sender=99), f"/messages/medical/{QUEUE}", 401),
        (signed(b""), f"/messages/odd/{QUEUE}", 404),
    ],
)
async def test_the_body_of_a_stranger_is_not_read(
    receiver: Receiver, headers: dict[str, str], path: str, status: int
) -> None:
    reply = await call(receiver.app, "POST", path, headers=headers, readable=False)
    assert reply.status == status


@pytest.mark.parametrize(
    ("fault", "status"), [(Unroutable(QUEUE), 404), (BrokerUnavailable("away"), 503)]
)
async def test_a_message_that_could_not_be_put_on_the_queue_may_come_again(
    receiver: Receiver, fault: Exception, status: int
) -> None:
    receiver.vaults.medical_publisher.faults.append(fault)
    headers = signed(MESSAGE.encode())
    statuses = [await receiver.post(MESSAGE, headers) for _ in range(2)]
    assert statuses == [status, 200]


@pytest.mark.parametrize(
    ("fault", "status"),
    [(VaultUnavailable("away"), 503), (VaultRefused("INVALID_DATA", "none"), 401)],
)
async def test_a_certificate_that_cannot_be_had_keeps_the_message_out(
    receiver: Receiver, fault: Exception, status: int
) -> None:
    receiver.vaults.crm.fail_calls("certificate", fault)
    assert await receiver.post(MESSAGE) == status


async def test_before_the_vaults_are_connected_nothing_is_taken() -> None:
    app = application(router(SignedMessages(PUBLIC_URL), lambda: None))
    assert (await call(app, "POST", "/messages/medical/x__v")).status == 503

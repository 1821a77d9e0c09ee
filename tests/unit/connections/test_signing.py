"""The Vault's signing key, and messages signed with it for External connections, without a database."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, cast

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.protocol.error_types import ErrorType
from shared.spark.envelope import Envelope, Message
from shared.spark.signatures import SIGNATURE, signed_text
from shared.vault.access.caller import SYSTEM
from shared.vault.connections.allowed_addresses import AllowedAddresses
from shared.vault.connections.connection_rules import ConnectionType
from shared.vault.connections.signing import (
    ADDRESS,
    CERTIFICATE_ID,
    MAX_MESSAGES,
    MessageSigning,
    Signing,
    key_pair,
)
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from shared.vault.storage.database import Database

VAULT_ID = 10101
URL = "https://shop.example/messages"
NOW = datetime(2024, 1, 2, tzinfo=UTC)
EXTERNAL = {
    "object_type__v": ConnectionType.EXTERNAL.value,
    "url__sys": URL,
    "active": True,
}


class Stored:
    """A database with one key pair and one connection, ``shop__c``."""

    def __init__(self, connection: Mapping[str, object]) -> None:
        self.key: dict[str, object] | None = None
        self.row = connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Stored]:
        yield self

    async def fetchrow(self, sql: str, name: str) -> Mapping[str, object] | None:
        if sql == ADDRESS:
            return self.row if name == "shop__c" else None
        return self.key

    async def execute(self, _: str, id_: str, key: bytes, certificate: str) -> None:
        assert id_ == CERTIFICATE_ID
        # Another process was faster.
        if self.key is None:
            self.key = {"private_key": key, "certificate": certificate}


async def started(stored: Stored) -> tuple[Signing, MessageSigning]:
    database = cast("Database", stored)
    signing = Signing(database, VAULT_ID)
    await signing.start()
    allowed = AllowedAddresses.listed([URL])
    return signing, MessageSigning(database, signing, VAULT_ID, allowed)


def verify(certificate: str, signature: bytes, data: bytes) -> None:
    key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())


def message(message_id: str) -> bytes:
    envelope = Envelope(
        vault_name="CRM",
        vault_host_name="crm.example",
        queue_name="shop_queue__c",
        enter_queue_timestamp=NOW,
        send_message_timestamp=NOW,
        send_attempt=1,
        message_id=message_id,
        message=Message({"object": "product__c"}, ("V0P000000001001",)),
    )
    return envelope.encode()


def test_a_new_key_is_certified_for_the_vault() -> None:
    _, certificate = key_pair("Vault 10101")
    loaded = x509.load_pem_x509_certificate(certificate.encode())
    now = datetime.now(UTC)
    assert loaded.subject.rfc4514_string() == "CN=Vault 10101"
    assert loaded.issuer == loaded.subject
    assert loaded.not_valid_before_utc < now < loaded.not_valid_after_utc


async def test_the_first_start_makes_a_key_and_later_ones_read_it() -> None:
    stored = Stored(EXTERNAL)
    first, _ = await started(stored)
    second, _ = await started(stored)
    assert first.certificate == second.certificate
    verify(first.certificate, second.sign(b"data"), b"data")


async def test_a_signature_is_of_these_bytes_only() -> None:
    signing, _ = await started(Stored(EXTERNAL))
    with pytest.raises(InvalidSignature):
        verify(signing.certificate, signing.sign(b"data"), b"date")


def test_nothing_is_signed_before_the_start() -> None:
    signing = Signing(cast("Database", None), VAULT_ID)
    with pytest.raises(RuntimeError):
        signing.sign(b"data")


async def test_a_certificate_is_found_by_its_id() -> None:
    signing, _ = await started(Stored(EXTERNAL))
    assert signing.certificate_of(CERTIFICATE_ID) == signing.certificate
    with pytest.raises(VaultFault) as raised:
        signing.certificate_of("00002")
    assert raised.value.error.type is ErrorType.INVALID_DATA


async def test_each_message_has_headers_of_its_own_and_their_signature() -> None:
    signing, messages = await started(Stored(EXTERNAL))
    bodies = [message("a" * 8), message("b" * 8)]
    signed = await messages.sign(SYSTEM, "shop__c", bodies)
    assert signed.url == URL
    request_ids = [each["X-VaultAPISignature-RequestId"] for each in signed.headers]
    assert request_ids == ["a" * 8, "b" * 8]
    for headers, body in zip(signed.headers, bodies, strict=True):
        assert headers["X-VaultAPISignature-URL"] == URL
        assert headers["X-VaultAPISignature-VaultId"] == str(VAULT_ID)
        signature = base64.b64decode(headers[SIGNATURE])
        verify(signing.certificate, signature, signed_text(headers, body))


@pytest.mark.parametrize(
    ("name", "changes", "expected"),
    [
        ("none__c", {}, ErrorType.INVALID_DATA),
        ("shop__c\x00", {}, ErrorType.INVALID_DATA),
        ("shop__c", {"active": False}, ErrorType.OPERATION_NOT_ALLOWED),
        (
            "shop__c",
            {"object_type__v": ConnectionType.LOCAL.value},
            ErrorType.OPERATION_NOT_ALLOWED,
        ),
    ],
)
async def test_messages_go_over_active_external_connections_only(
    name: str, changes: Mapping[str, object], expected: ErrorType
) -> None:
    _, messages = await started(Stored({**EXTERNAL, **changes}))
    with pytest.raises(VaultFault) as raised:
        await messages.sign(SYSTEM, name, [message("a" * 8)])
    assert raised.value.error.type is expected


async def test_what_is_no_message_is_not_signed() -> None:
    _, messages = await started(Stored(EXTERNAL))
    with pytest.raises(VaultFault, match="Not a message") as raised:
        await messages.sign(SYSTEM, "shop__c", [b"{}"])
    assert raised.value.error.type is ErrorType.INVALID_DATA


async def test_too_many_messages_are_refused() -> None:
    _, messages = await started(Stored(EXTERNAL))
    with pytest.raises(VaultFault, match="At most 500"):
        await messages.sign(SYSTEM, "shop__c", [b""] * (MAX_MESSAGES + 1))


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example/messages/../b",
        "https://shop.example/other",
        "https://127.0.0.1/messages",
        "https://partner.example/messages",
    ],
)
async def test_nothing_is_signed_for_a_stored_address_that_is_not_allowed_now(
    url: str,
) -> None:
    _, messages = await started(Stored({**EXTERNAL, "url__sys": url}))
    with pytest.raises(VaultFault) as refused:
        await messages.sign(SYSTEM, "shop__c", [message("a" * 8)])
    error = refused.value.error
    assert error.type is ErrorType.OPERATION_NOT_ALLOWED
    assert "[shop__c]" in error.message
    assert "VAULT_CONNECTION_URLS" in error.message

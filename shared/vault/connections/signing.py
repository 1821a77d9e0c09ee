"""Stores the Vault's signing key, and signs the messages to External connections with it."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from shared.protocol.error_types import ErrorType
from shared.spark.broker_errors import MalformedMessage
from shared.spark.envelope import Envelope
from shared.spark.signatures import SIGNATURE, signature_headers, signed_text
from shared.vault.access.permissions import Grant, authorize
from shared.vault.connections.connection_rules import OBJECT, ConnectionType, State
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.connections.allowed_addresses import AllowedAddresses
    from shared.vault.storage.database import Database

CERTIFICATE_ID = "00001"
KEY_BITS = 2048
DAYS = 3650
CLOCK_SKEW = timedelta(hours=1)
MAX_MESSAGES = 500

# When several processes start together, all use the key that was stored first.
STORE = """
INSERT INTO platform.signing_key (id, private_key, certificate) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING
"""
# The key pair, once there is one.
KEY_PAIR = "SELECT private_key, certificate FROM platform.signing_key WHERE id = $1"
# The address of a connection, and whether messages may go there.
ADDRESS = f"""
SELECT object_type__v, url__sys, state__v = '{State.ACTIVE}' AND status__v = 'active__v' AS active
FROM records.{OBJECT} WHERE api_name__sys = $1
"""


class Signing:
    """Signs bytes for a Vault with RSA and SHA-256; ``certificate`` (PEM) verifies the signatures."""

    def __init__(self, database: Database, vault_id: int) -> None:
        self._database = database
        self._vault_id = vault_id
        self._key: rsa.RSAPrivateKey | None = None
        self.certificate = ""

    async def start(self) -> None:
        """Read the key pair; generate it at the Vault's first start.

        :raises TypeError: when the stored key is not an RSA key.
        """
        # Read again after it is stored, for another process may have stored its own first.
        while (row := await self._stored()) is None:
            made = await asyncio.to_thread(key_pair, f"Vault {self._vault_id}")
            async with self._database.connection() as connection:
                await connection.execute(STORE, CERTIFICATE_ID, *made)
        key = serialization.load_der_private_key(row["private_key"], None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the Vault's signing key is no RSA key")
        self._key = key
        self.certificate = row["certificate"]

    async def _stored(self) -> Record | None:
        """Return the row of the key pair, or None."""
        async with self._database.connection() as connection:
            return await connection.fetchrow(KEY_PAIR, CERTIFICATE_ID)

    def sign(self, data: bytes) -> bytes:
        """Return the signature of bytes: RSA PKCS #1 v1.5 with SHA-256.

        :raises RuntimeError: when ``start`` has not been called.
        """
        if self._key is None:
            raise RuntimeError("the Vault has not started")
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def certificate_of(self, certificate_id: str) -> str:
        """Return a certificate of the Vault as PEM, by its id.

        :raises VaultFault: INVALID_DATA when there is no certificate with this id.
        """
        if certificate_id != CERTIFICATE_ID:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"There is no certificate [{certificate_id[:100]}]",
            )
        return self.certificate


def key_pair(subject: str) -> tuple[bytes, str]:
    """Return a new private key (PKCS #8, DER) and its self-signed certificate (PEM)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    common_name = x509.NameAttribute(NameOID.COMMON_NAME, subject)
    name = x509.Name([common_name])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # The clock of a verifier may be behind.
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=DAYS))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return private, public.decode()


@dataclass(frozen=True, slots=True)
class Signed:
    """The address to which messages of a connection are sent, and the headers of each message, in their order."""

    url: str
    headers: tuple[dict[str, str], ...]


class MessageSigning:
    """Signs a Vault's messages: only envelopes of this Vault, for the addresses of its connections."""

    def __init__(
        self,
        database: Database,
        signing: Signing,
        vault_id: int,
        addresses: AllowedAddresses,
    ) -> None:
        """Store the parts; messages may go only to ``addresses``, even if a connection was established with others."""
        self._database = database
        self._signing = signing
        self._vault_id = vault_id
        self._addresses = addresses

    async def sign(
        self,
        caller: Caller,
        api_name: str,
        bodies: Sequence[bytes],
    ) -> Signed:
        """Sign messages that are about to be sent over an Active External connection.

        :raises VaultFault: INSUFFICIENT_ACCESS when the caller may not sign; INVALID_DATA for an unknown connection,
            too many messages, or a body that is not a message; OPERATION_NOT_ALLOWED for a connection that is not
            External, or not Active, or whose address is not allowed.
        """
        authorize(caller, Grant.SIGN_MESSAGES)
        if len(bodies) > MAX_MESSAGES:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"At most {MAX_MESSAGES} messages are signed at once",
            )
        url = await self._address(api_name)
        # The operator may have taken it from the list since the connection got it.
        if not self._addresses.allow(url):
            text = f"The address of connection [{api_name}] is not among those that VAULT_CONNECTION_URLS allows"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text)
        message_ids = [_message_id(body) for body in bodies]
        # 500 signatures take long enough to keep other requests waiting.
        return await asyncio.to_thread(self._signed, url, message_ids, bodies)

    async def _address(self, api_name: str) -> str:
        """Return the URL of an Active External connection.

        :raises VaultFault: INVALID_DATA for an unknown connection; OPERATION_NOT_ALLOWED for one of another type or
            state.
        """
        async with self._database.connection() as connection:
            possible = "\x00" not in api_name
            row = await connection.fetchrow(ADDRESS, api_name) if possible else None
        if row is None:
            raise VaultFault(
                ErrorType.INVALID_DATA, f"There is no connection [{api_name[:40]}]"
            )
        if row["object_type__v"] != ConnectionType.EXTERNAL or not row["active"]:
            text = f"Connection [{api_name}] is not an Active External connection"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text)
        return str(row["url__sys"])

    def _signed(
        self,
        url: str,
        message_ids: Sequence[str],
        bodies: Sequence[bytes],
    ) -> Signed:
        """Return the address with the headers of each message, including its signature."""
        signed = []
        for message_id, body in zip(message_ids, bodies, strict=True):
            headers = signature_headers(
                certificate_id=CERTIFICATE_ID,
                execution_id=secrets.token_hex(8),
                message_id=message_id,
                vault_id=self._vault_id,
                url=url,
                moment=datetime.now(UTC),
            )
            text = signed_text(headers, body)
            signature = base64.b64encode(self._signing.sign(text))
            signed.append({**headers, SIGNATURE: signature.decode()})
        return Signed(url, tuple(signed))


def _message_id(body: bytes) -> str:
    """Return the id of a message.

    :raises VaultFault: INVALID_DATA when the body is not a message.
    """
    try:
        return Envelope.parse(body).message_id
    except MalformedMessage as problem:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"Not a message: {problem.reason}"
        ) from None

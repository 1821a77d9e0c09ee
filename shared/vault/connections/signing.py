"""The Vault's own signing key and certificate: made once, kept in its database, the key never given out."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.storage.database import Database

CERTIFICATE_ID = "00001"
KEY_BITS = 2048
DAYS = 3650
CLOCK_SKEW = timedelta(hours=1)

# Of several processes that start together, the first one's key is everyone's.
STORE = """
INSERT INTO platform.signing_key (id, private_key, certificate) VALUES ($1, $2, $3) ON CONFLICT (id) DO NOTHING
"""
FIND = "SELECT private_key, certificate FROM platform.signing_key WHERE id = $1"


class Signing:
    """Signs for a Vault with RSA and SHA-256; ``certificate`` is for those who verify."""

    def __init__(self, database: Database, vault_id: int) -> None:
        self._database = database
        self._vault_id = vault_id
        self._key: rsa.RSAPrivateKey | None = None
        self.certificate = ""

    async def start(self) -> None:
        """Read the key pair, or make it at the Vault's first start."""
        while (row := await self._stored()) is None:
            made = await asyncio.to_thread(key_pair, f"Vault {self._vault_id}")
            async with self._database.connection() as connection:
                await connection.execute(STORE, CERTIFICATE_ID, *made)
        key = serialization.load_der_private_key(row["private_key"], None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("the Vault's signing key is no RSA key")
        self._key, self.certificate = key, row["certificate"]

    async def _stored(self) -> Record | None:
        async with self._database.connection() as connection:
            return await connection.fetchrow(FIND, CERTIFICATE_ID)

    def sign(self, data: bytes) -> bytes:
        """The signature of these bytes: RSA PKCS #1 v1.5 with SHA-256."""
        if self._key is None:
            raise RuntimeError("the Vault has not started")
        return self._key.sign(data, padding.PKCS1v15(), hashes.SHA256())

    def certificate_of(self, certificate_id: str) -> str:
        """A certificate of the Vault as PEM, by its id.

        :raises VaultFault: INVALID_DATA when there is none of this id.
        """
        if certificate_id != CERTIFICATE_ID:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"There is no certificate [{certificate_id[:100]}]",
            )
        return self.certificate


def key_pair(subject: str) -> tuple[bytes, str]:
    """A new private key (PKCS #8, DER) and its self-signed certificate (PEM)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    name, now = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]),
        datetime.now(UTC),
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_SKEW)
        .not_valid_after(now + timedelta(days=DAYS))
        .sign(key, hashes.SHA256())
    )
    plain = serialization.NoEncryption()
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, plain
    )
    return private, certificate.public_bytes(serialization.Encoding.PEM).decode()

"""A stand-in for the remote Vault of a connection, for tests with one Vault."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.vault.connections.connection_file import Document, Kind, write
from shared.vault.connections.connection_rules import DomainType
from shared.vault.connections.signing import key_pair
from tests.service.vault.served import Api


async def establish(admin: Api, name: str = "medical_crm__v") -> None:
    """Answer the connection file of a Pending connection as the Vault that it is for would."""
    file = (await admin.get(f"/services/connections/{name}/file")).data["document"]
    answer = await admin.post(
        "/services/connections/actions/upload", data={"file": acceptance(file).decode()}
    )
    assert answer.data == {"connection": name, "state": "active_state__sys"}, (
        answer.text
    )


def acceptance(file: Mapping[str, Any]) -> bytes:
    """The remote Vault's acceptance of a connection file."""
    return _signed(
        Kind.ACCEPTANCE,
        vault_id=file["remote_vault_id"] or 20202,
        remote_vault_id=file["vault_id"],
        connection=file["connection"],
        nonce=file["nonce"],
    )


def connection_file(connection: str, vault_id: int, remote_vault_id: int) -> bytes:
    """A connection file of another Vault."""
    return _signed(
        Kind.CONNECTION_FILE,
        vault_id=vault_id,
        remote_vault_id=remote_vault_id,
        connection=connection,
        nonce=secrets.token_hex(32),
    )


def _signed(
    kind: Kind, *, vault_id: int, remote_vault_id: int, connection: str, nonce: str
) -> bytes:
    document = Document(
        kind=kind,
        vault_id=vault_id,
        vault_name="Remote Vault",
        dns="remote.example",
        url="",
        domain_type=DomainType.PRODUCTION,
        connection=connection,
        remote_vault_id=remote_vault_id,
        remote_connection=connection,
        nonce=nonce,
        expires=(datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    )
    private, certificate = key_pair("Remote Vault")
    key = serialization.load_der_private_key(private, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return write(
        document,
        certificate,
        lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256()),
    )

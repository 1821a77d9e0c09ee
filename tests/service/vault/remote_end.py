"""The other end of a connection, where a test has one Vault only."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.vault.connections.document import Document, Kind, write
from shared.vault.connections.model import DomainType
from shared.vault.connections.signing import key_pair
from tests.service.vault.served import Api


async def establish(admin: Api, name: str = "medical_crm__v") -> None:
    """Answer the connection file of a Pending connection as the Vault that it is for would."""
    file = (await admin.get(f"/services/connections/{name}/file")).data["document"]
    acceptance = Document(
        kind=Kind.ACCEPTANCE,
        vault_id=file["remote_vault_id"],
        vault_name="Remote Vault",
        dns="remote.example",
        url="",
        domain_type=DomainType.PRODUCTION,
        connection=name,
        remote_vault_id=file["vault_id"],
        remote_connection=name,
        nonce=file["nonce"],
        expires=(datetime.now(UTC) + timedelta(hours=1)).isoformat(),
    )
    private, certificate = key_pair("Remote Vault")
    key = serialization.load_der_private_key(private, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    text = write(acceptance, certificate, lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256()))
    answer = await admin.post("/services/connections/actions/upload", data={"file": text.decode()})
    assert answer.data == {"connection": name, "state": "active_state__sys"}, answer.text

"""Writes, reads and verifies the signed documents that two Vaults exchange to establish a connection."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

import orjson
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.vault.connections.connection_rules import DomainType

MAX_BYTES = 65_536
MAX_TEXT = 1500
NO_FILE = "The file is not a connection file"


class Kind(StrEnum):
    """The kinds of documents: the offer of a connection, and its acceptance."""

    CONNECTION_FILE = "connection_file"
    ACCEPTANCE = "acceptance"


class InvalidDocument(Exception):
    """Raised for a text that is not a signed document, or was changed after signing; the message says which."""


@dataclass(frozen=True, slots=True)
class Document:
    """The content of a signed document between two Vaults; ``nonce`` connects an acceptance with its file.

    ``remote_vault_id`` is the Vault for which the document is made, None for any Vault; ``remote_connection`` is the
    API name of the connection in that Vault, empty if unknown.
    """

    kind: Kind
    vault_id: int
    vault_name: str
    dns: str
    url: str
    domain_type: DomainType
    connection: str
    remote_vault_id: int | None
    remote_connection: str
    nonce: str
    expires: str

    @property
    def expired(self) -> bool:
        """Return whether the document has expired."""
        end = datetime.fromisoformat(self.expires)
        return end <= datetime.now(UTC)


def write(
    document: Document,
    certificate: str,
    sign: Callable[[bytes], bytes],
) -> bytes:
    """Return a document as JSON, with the certificate (PEM) and the signature of the Vault that issues it."""
    content = asdict(document)
    signature = base64.b64encode(sign(_signed_bytes(content)))
    value = {
        "document": content,
        "certificate": certificate,
        "signature": signature.decode(),
    }
    return orjson.dumps(value)


def read(text: bytes) -> Document:
    """Return the document in a text after verifying its signature.

    The signature proves that nothing was changed, not who signed: the certificate is part of the document. The document
    is trusted because an administrator uploads it.

    :raises InvalidDocument: when the text is not a document, or was changed after signing.
    """
    if len(text) > MAX_BYTES:
        raise InvalidDocument("The file is too large for a connection file")
    try:
        value = _saved(orjson.loads(text))
        content = value["document"]
        certificate = x509.load_pem_x509_certificate(value["certificate"].encode())
        signature = base64.b64decode(value["signature"], validate=True)
        key = certificate.public_key()
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise InvalidDocument(NO_FILE) from error
    if not isinstance(key, rsa.RSAPublicKey) or not isinstance(content, dict):
        raise InvalidDocument(NO_FILE)
    try:
        signed = _signed_bytes(content)
        key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except (InvalidSignature, TypeError) as error:
        raise InvalidDocument(
            "The file has been changed since it was signed"
        ) from error
    return _typed(content)


def _saved(value: dict[str, Any]) -> dict[str, Any]:
    """Return the signed document in a saved answer of the API, or in a file that contains only the document."""
    if "responseStatus" in value:
        value = value["data"]
    inner: dict[str, Any] = value.get("acceptance", value)
    return inner


def _signed_bytes(content: Mapping[str, object]) -> bytes:
    """Return the bytes to sign; the members are sorted, so that their order in a file does not matter."""
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _typed(content: Mapping[str, object]) -> Document:
    """Return the members of a signed document as a Document.

    :raises InvalidDocument: when a member is missing, unknown, or not valid.
    """
    if content.keys() != {field.name for field in fields(Document)}:
        raise InvalidDocument(NO_FILE)
    remote_vault_id = content["remote_vault_id"]
    try:
        document = Document(
            kind=Kind(_text(content, "kind")),
            vault_id=_id(content["vault_id"]),
            vault_name=_text(content, "vault_name"),
            dns=_text(content, "dns"),
            url=_text(content, "url"),
            domain_type=DomainType(_text(content, "domain_type")),
            connection=_text(content, "connection"),
            remote_vault_id=None if remote_vault_id is None else _id(remote_vault_id),
            remote_connection=_text(content, "remote_connection"),
            nonce=_text(content, "nonce"),
            expires=_text(content, "expires"),
        )
        end = datetime.fromisoformat(document.expires)
    except ValueError as error:
        raise InvalidDocument(NO_FILE) from error
    # A time without its zone cannot be compared with this Vault's clock.
    if end.tzinfo is None:
        raise InvalidDocument(NO_FILE)
    return document


def _text(content: Mapping[str, object], name: str) -> str:
    """Return a member that is a text.

    :raises ValueError: when it is not a text, is too long, or has a null character, which PostgreSQL would refuse.
    """
    value = content[name]
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
        raise ValueError(name)
    return value


def _id(value: object) -> int:
    """Return a member that is the id of a Vault.

    :raises ValueError: when it is not a positive whole number.
    """
    # True is an int to Python, and no number to JSON.
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(value)
    return value

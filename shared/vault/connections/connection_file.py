"""Signed documents that two Vaults exchange to establish a connection: written, read and verified; pure."""

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


class Kind(StrEnum):
    """What a document is for."""

    CONNECTION_FILE = "connection_file"
    ACCEPTANCE = "acceptance"


class InvalidDocument(Exception):
    """A document that is no document of ours, or not as it was signed; the text says which."""


@dataclass(frozen=True, slots=True)
class Document:
    """What one Vault tells another; ``nonce`` ties an acceptance to the one file that it answers.

    ``remote_vault_id`` is the Vault that the document is for, None for any; ``remote_connection`` is the API name of
    the connection there, where it is known.
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
        """Whether its time is over."""
        return datetime.fromisoformat(self.expires) <= datetime.now(UTC)


def write(
    document: Document, certificate: str, sign: Callable[[bytes], bytes]
) -> bytes:
    """The document as JSON with the certificate (PEM) and signature of the Vault that issues it."""
    content = asdict(document)
    signature = base64.b64encode(sign(_signed_bytes(content))).decode()
    value = {"document": content, "certificate": certificate, "signature": signature}
    return orjson.dumps(value)


def read(text: bytes) -> Document:
    """The document of a text that carries a valid signature.

    :raises InvalidDocument: it is none, or has been changed since it was signed.
    """
    if len(text) > MAX_BYTES:
        raise InvalidDocument("The file is too large for a connection file")
    try:
        value = _saved(orjson.loads(text))
        content, certificate = (
            value["document"],
            x509.load_pem_x509_certificate(value["certificate"].encode()),
        )
        signature = base64.b64decode(value["signature"], validate=True)
        key = certificate.public_key()
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error) as error:
        raise InvalidDocument("The file is no connection file") from error
    if not isinstance(key, rsa.RSAPublicKey) or not isinstance(content, dict):
        raise InvalidDocument("The file is no connection file")
    try:
        key.verify(
            signature, _signed_bytes(content), padding.PKCS1v15(), hashes.SHA256()
        )
    except (InvalidSignature, TypeError) as error:
        raise InvalidDocument(
            "The file has been changed since it was signed"
        ) from error
    return _typed(content)


def _saved(value: dict[str, Any]) -> dict[str, Any]:
    """The signed document of an answer that was saved as it came, or of a file that is nothing else."""
    if "responseStatus" in value:
        value = value["data"]
    inner: dict[str, Any] = value.get("acceptance", value)
    return inner


def _signed_bytes(content: Mapping[str, object]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_SORT_KEYS)


def _typed(content: Mapping[str, object]) -> Document:
    if content.keys() != {field.name for field in fields(Document)}:
        raise InvalidDocument("The file is no connection file")
    try:
        document = Document(
            kind=Kind(_text(content, "kind")),
            vault_id=_id(content["vault_id"]),
            vault_name=_text(content, "vault_name"),
            dns=_text(content, "dns"),
            url=_text(content, "url"),
            domain_type=DomainType(_text(content, "domain_type")),
            connection=_text(content, "connection"),
            remote_vault_id=None
            if content["remote_vault_id"] is None
            else _id(content["remote_vault_id"]),
            remote_connection=_text(content, "remote_connection"),
            nonce=_text(content, "nonce"),
            expires=_text(content, "expires"),
        )
        aware = datetime.fromisoformat(document.expires).tzinfo is not None
    except ValueError as error:
        raise InvalidDocument("The file is no connection file") from error
    if not aware:
        raise InvalidDocument("The file is no connection file")
    return document


def _text(content: Mapping[str, object], name: str) -> str:
    value = content[name]
    if not isinstance(value, str) or len(value) > MAX_TEXT or "\x00" in value:
        raise ValueError(name)
    return value


def _id(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
        raise ValueError(value)
    return value

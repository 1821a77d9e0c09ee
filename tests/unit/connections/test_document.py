"""Signed documents: read as they were written, and refused after any change."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.vault.connections.connection_file import (
    MAX_BYTES,
    Document,
    InvalidDocument,
    Kind,
    read,
    write,
)
from shared.vault.connections.connection_rules import DomainType
from shared.vault.connections.signing import key_pair

PRIVATE, CERTIFICATE = key_pair("Vault 1")
OTHER_PRIVATE, OTHER_CERTIFICATE = key_pair("Vault 2")


def signer(private: bytes) -> Callable[[bytes], bytes]:
    key = serialization.load_der_private_key(private, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    return lambda data: key.sign(data, padding.PKCS1v15(), hashes.SHA256())


def document(expires: timedelta = timedelta(days=1)) -> Document:
    return Document(
        kind=Kind.CONNECTION_FILE,
        vault_id=20202,
        vault_name="Vault CRM",
        dns="crm.example",
        url="https://crm.example",
        domain_type=DomainType.PRODUCTION,
        connection="medical_crm__v",
        remote_vault_id=10101,
        remote_connection="",
        nonce="ab" * 32,
        expires=(datetime.now(UTC) + expires).isoformat(),
    )


TEXT = write(document(), CERTIFICATE, signer(PRIVATE))


def test_a_document_is_read_as_it_was_written() -> None:
    written = document()
    text = write(written, CERTIFICATE, signer(PRIVATE))
    assert read(text) == written
    assert not written.expired
    # As an answer of the API was saved, and written anew by another program.
    value = orjson.loads(text)
    assert read(orjson.dumps({"responseStatus": "SUCCESS", "data": value})) == written
    saved = {
        "responseStatus": "SUCCESS",
        "data": {"state": "active_state__sys", "acceptance": value},
    }
    assert read(orjson.dumps(saved, option=orjson.OPT_INDENT_2)) == written


def test_a_document_ends() -> None:
    assert document(timedelta(seconds=-1)).expired


@pytest.mark.parametrize(
    "name", [field for field in orjson.loads(TEXT)["document"] if field != "kind"]
)
def test_no_member_can_be_changed(name: str) -> None:
    value = orjson.loads(TEXT)
    old = value["document"][name]
    value["document"][name] = old + 1 if isinstance(old, int) else f"{old}x"
    with pytest.raises(InvalidDocument, match="changed"):
        read(orjson.dumps(value))


def changed(change: Callable[[dict[str, Any]], None]) -> bytes:
    value = orjson.loads(TEXT)
    change(value)
    return orjson.dumps(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"no JSON",
        b"[]",
        b"{}",
        b'{"responseStatus": "SUCCESS"}',
        b" " * (MAX_BYTES + 1),
        changed(lambda v: v.pop("signature")),
        changed(lambda v: v.update(signature="!")),
        changed(lambda v: v.update(certificate="none")),
        changed(lambda v: v.update(certificate=OTHER_CERTIFICATE)),
        changed(lambda v: v.update(document=[])),
        changed(lambda v: v["document"].update(more=1)),
        changed(lambda v: v["document"].pop("nonce")),
    ],
)
def test_what_is_no_document_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidDocument):
        read(text)


@pytest.mark.parametrize(
    "member",
    [
        {"vault_id": "20202"},
        {"vault_id": True},
        {"remote_vault_id": 0},
        {"kind": "letter"},
        {"domain_type": "other"},
        {"expires": "soon"},
        {"expires": "2026-01-01T00:00:00"},
        {"url": None},
        {"connection": "x" * 2000},
        {"more": "x"},
    ],
)
def test_a_signature_does_not_make_up_for_form(member: dict[str, Any]) -> None:
    value = orjson.loads(TEXT)
    content = value["document"] | member
    sign = signer(PRIVATE)
    signature = sign(orjson.dumps(content, option=orjson.OPT_SORT_KEYS))
    text = {
        "document": content,
        "certificate": CERTIFICATE,
        "signature": base64.b64encode(signature).decode(),
    }
    with pytest.raises(InvalidDocument, match="not a connection file"):
        read(orjson.dumps(text))

"""Writes the text to sign for a Spark message sent by HTTPS: its headers, body and address; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.spark.envelope import format_moment

# Lower case, because names of headers arrive in any case.
PREFIX = "x-vaultapisignature-"
SIGNATURE = "X-VaultAPI-SignatureV2"
"""Base64 of an RSA PKCS #1 v1.5 signature with SHA-256 over ``signed_text``."""

MESSAGE_TYPE = "spark_message"
GOOD_BEFORE = timedelta(minutes=1)
GOOD_AFTER = timedelta(minutes=5)


def signature_headers(
    *,
    certificate_id: str,
    execution_id: str,
    message_id: str,
    vault_id: int,
    url: str,
    moment: datetime,
) -> dict[str, str]:
    """Return the headers that are signed with a message sent at ``moment`` (aware) to ``url``."""
    # A minute before the moment too, for receivers whose clock is behind.
    not_before = moment - GOOD_BEFORE
    not_after = moment + GOOD_AFTER
    return {
        "X-VaultAPISignature-CertificateId": certificate_id,
        "X-VaultAPISignature-ExecutionId": execution_id,
        "X-VaultAPISignature-RequestId": message_id,
        "X-VaultAPISignature-RequestDateTime": format_moment(moment),
        "X-VaultAPISignature-RequestNotBefore": format_moment(not_before),
        "X-VaultAPISignature-RequestNotAfter": format_moment(not_after),
        "X-VaultAPISignature-RequestType": MESSAGE_TYPE,
        "X-VaultAPISignature-URL": url,
        "X-VaultAPISignature-VaultId": str(vault_id),
    }


def signed_text(headers: Mapping[str, str], body: bytes) -> bytes:
    """Return the text to sign: the signature's headers, the unchanged body, and the target address.

    The headers are in the order of their names in lower case, one a line. Other headers are left out.
    """
    signed: dict[str, str] = {}
    for name, value in headers.items():
        lowered = name.lower()
        if lowered.startswith(PREFIX):
            signed[lowered] = value.strip()
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    url = signed.get(f"{PREFIX}url", "")
    return lines.encode() + body + b"\n" + url.encode()

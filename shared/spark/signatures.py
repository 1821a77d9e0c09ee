"""The signature of a Spark message that goes by HTTPS: its headers, what is signed, and when it is good; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from shared.spark.envelope import format_moment

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
    """The headers that are signed with a message sent at ``moment`` (aware) to ``url``."""
    return {
        "X-VaultAPISignature-CertificateId": certificate_id,
        "X-VaultAPISignature-ExecutionId": execution_id,
        "X-VaultAPISignature-RequestId": message_id,
        "X-VaultAPISignature-RequestDateTime": format_moment(moment),
        "X-VaultAPISignature-RequestNotBefore": format_moment(moment - GOOD_BEFORE),
        "X-VaultAPISignature-RequestNotAfter": format_moment(moment + GOOD_AFTER),
        "X-VaultAPISignature-RequestType": MESSAGE_TYPE,
        "X-VaultAPISignature-URL": url,
        "X-VaultAPISignature-VaultId": str(vault_id),
    }


def signed_text(headers: Mapping[str, str], body: bytes) -> bytes:
    """What is signed: the signature's headers by lower-cased name, the body as it is, and the target address."""
    signed = {
        name.lower(): value.strip()
        for name, value in headers.items()
        if name.lower().startswith(PREFIX)
    }
    lines = "".join(f"{name}:{signed[name]}\n" for name in sorted(signed))
    return lines.encode() + body + b"\n" + signed.get(f"{PREFIX}url", "").encode()

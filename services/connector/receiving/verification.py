"""Whether a message that came by HTTPS is what a Vault signed, for this address and this moment; pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from shared.spark.signatures import MESSAGE_TYPE, PREFIX, SIGNATURE, signed_text

LONGEST = timedelta(minutes=15)
"""How long a signature may be good at most."""

CERTIFICATE_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
VAULT_ID = re.compile(r"[1-9][0-9]{0,17}")


class NotVerified(Exception):
    """A message that is not taken; the text says why, and holds no values of it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What the headers of a message say, before its signature is checked; times are aware."""

    vault_id: int
    certificate_id: str
    message_id: str
    not_before: datetime
    not_after: datetime
    signature: bytes

    @classmethod
    def read(cls, headers: Mapping[str, str], url: str, now: datetime) -> Claim:
        """Read the headers, with names in any case, of a message to the address ``url``.

        :raises NotVerified: a header is missing or misshapen, or it is for another address or another moment.
        """
        given = {name.lower(): value.strip() for name, value in headers.items()}
        if _one(given, "requesttype") != MESSAGE_TYPE:
            raise NotVerified("it is no Spark message")
        if _one(given, "url") != url:
            raise NotVerified("it was signed for another address")
        vault_id, certificate_id = _one(given, "vaultid"), _one(given, "certificateid")
        if not VAULT_ID.fullmatch(vault_id) or not CERTIFICATE_ID.fullmatch(
            certificate_id
        ):
            raise NotVerified("a header is misshapen")
        not_before, not_after = (
            _moment(given, "requestnotbefore"),
            _moment(given, "requestnotafter"),
        )
        if not not_before <= now <= not_after or not_after - not_before > LONGEST:
            raise NotVerified("its signature is not good now")
        try:
            signature = base64.b64decode(
                given.get(SIGNATURE.lower(), ""), validate=True
            )
        except (binascii.Error, ValueError):
            raise NotVerified("a header is misshapen") from None
        return cls(
            int(vault_id),
            certificate_id,
            _one(given, "requestid"),
            not_before,
            not_after,
            signature,
        )


def verify(
    claim: Claim, headers: Mapping[str, str], body: bytes, certificate: str
) -> None:
    """Check the signature with its Vault's certificate (PEM).

    :raises NotVerified: it is not that Vault's, or something was changed since.
    """
    try:
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    except ValueError:
        raise NotVerified("its certificate cannot be read") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise NotVerified("its certificate is of another kind")
    try:
        key.verify(
            claim.signature,
            signed_text(headers, body),
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
    except InvalidSignature:
        raise NotVerified("its signature is not good") from None


def _one(given: Mapping[str, str], name: str) -> str:
    value = given.get(f"{PREFIX}{name}", "")
    if not value:
        raise NotVerified("a header is missing")
    return value


def _moment(given: Mapping[str, str], name: str) -> datetime:
    try:
        moment = datetime.fromisoformat(_one(given, name))
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotVerified("a header is misshapen") from None
    raise NotVerified("a header is misshapen")

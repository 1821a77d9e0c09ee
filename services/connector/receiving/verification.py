"""Verifies that a message received by HTTPS was signed by a known Vault for this address and this moment; pure."""

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

# A signature is remembered for as long as it is valid, so a sender may not choose any time it likes.
LONGEST = timedelta(minutes=15)

CERTIFICATE_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")
VAULT_ID = re.compile(r"[1-9][0-9]{0,17}")


class NotVerified(Exception):
    """Raised for a message that is refused; the text contains the reason, and no values of the message."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The claims in a message's headers, before its signature is checked; times have a time zone."""

    vault_id: int
    certificate_id: str
    message_id: str
    not_before: datetime
    not_after: datetime
    signature: bytes

    @classmethod
    def read(cls, headers: Mapping[str, str], url: str, now: datetime) -> Claim:
        """Read the headers, with names in any case, of a message to the address ``url``.

        :raises NotVerified: a header is missing or misshapen, or the message is for another address or moment.
        """
        values = {name.lower(): value.strip() for name, value in headers.items()}
        if _value(values, "requesttype") != MESSAGE_TYPE:
            raise NotVerified("it is no Spark message")
        # Signed for its address, so that no other receiver of the message can pass it on to here.
        if _value(values, "url") != url:
            raise NotVerified("it was signed for another address")
        vault_id = _value(values, "vaultid")
        certificate_id = _value(values, "certificateid")
        if not VAULT_ID.fullmatch(vault_id):
            raise NotVerified("a header is misshapen")
        # It becomes part of the address from which the certificate is read.
        if not CERTIFICATE_ID.fullmatch(certificate_id):
            raise NotVerified("a header is misshapen")
        not_before = _moment(values, "requestnotbefore")
        not_after = _moment(values, "requestnotafter")
        is_valid_now = not_before <= now <= not_after
        if not is_valid_now or not_after - not_before > LONGEST:
            raise NotVerified("its signature is not valid now")
        return cls(
            int(vault_id),
            certificate_id,
            _value(values, "requestid"),
            not_before,
            not_after,
            _signature(values),
        )


def verify(
    claim: Claim,
    headers: Mapping[str, str],
    body: bytes,
    certificate: str,
) -> None:
    """Check the signature of a message with its Vault's certificate (PEM).

    :raises NotVerified: another key has signed the message, or it was changed after it was signed.
    """
    try:
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
    except ValueError:
        raise NotVerified("its certificate cannot be read") from None
    if not isinstance(key, rsa.RSAPublicKey):
        raise NotVerified("its certificate is of another kind")
    text = signed_text(headers, body)
    try:
        key.verify(
            claim.signature,
            text,
            padding.PKCS1v15(),
            hashes.SHA256(),
        )
    except InvalidSignature:
        raise NotVerified("its signature is not valid") from None


def _value(values: Mapping[str, str], name: str) -> str:
    value = values.get(f"{PREFIX}{name}", "")
    if not value:
        raise NotVerified("a header is missing")
    return value


def _signature(values: Mapping[str, str]) -> bytes:
    encoded = values.get(SIGNATURE.lower(), "")
    try:
        return base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise NotVerified("a header is misshapen") from None


def _moment(values: Mapping[str, str], name: str) -> datetime:
    text = _value(values, name)
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            # A moment at the edge of the calendar overflows here.
            return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotVerified("a header is misshapen") from None
    raise NotVerified("a header is misshapen")

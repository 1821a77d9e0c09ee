"""Messages that arrive by HTTPS: which headers and signatures are accepted."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from services.connector.receiving.replays import Full, Replays
from services.connector.receiving.verification import (
    LONGEST,
    Claim,
    NotVerified,
    verify,
)
from shared.spark.signatures import SIGNATURE, signature_headers, signed_text
from shared.vault.connections.signing import key_pair

PRIVATE, CERTIFICATE = key_pair("Vault 1")
_, OTHER_CERTIFICATE = key_pair("Vault 2")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
URL = "https://connector.example/messages/medical/in__v"
BODY = b'{"message_id": "m"}'


def signed(
    moment: datetime = NOW, url: str = URL, body: bytes = BODY
) -> dict[str, str]:
    key = serialization.load_der_private_key(PRIVATE, None)
    assert isinstance(key, rsa.RSAPrivateKey)
    headers = signature_headers(
        certificate_id="00001",
        execution_id="e",
        message_id="m",
        vault_id=20202,
        url=url,
        moment=moment,
    )
    signature = key.sign(
        signed_text(headers, body), padding.PKCS1v15(), hashes.SHA256()
    )
    return {**headers, SIGNATURE: base64.b64encode(signature).decode()}


def checked(
    headers: dict[str, str],
    now: datetime = NOW,
    body: bytes = BODY,
    certificate: str = CERTIFICATE,
) -> Claim:
    claim = Claim.read(headers, URL, now)
    verify(claim, headers, body, certificate)
    return claim


@pytest.mark.parametrize("case", [str.lower, str.upper, str.title, str])
def test_a_signed_message_is_accepted_with_headers_in_any_case(
    case: Callable[[str], str],
) -> None:
    claim = checked({case(name): f" {value} " for name, value in signed().items()})
    assert (claim.vault_id, claim.certificate_id, claim.message_id) == (
        20202,
        "00001",
        "m",
    )


@pytest.mark.parametrize(
    ("seconds", "good"),
    [(-61, False), (-60, True), (0, True), (300, True), (301, False), (10**6, False)],
)
def test_a_signature_is_good_for_its_time_only(seconds: int, good: bool) -> None:
    now = NOW + timedelta(seconds=seconds)
    if good:
        checked(signed(), now)
    else:
        with pytest.raises(NotVerified, match="not valid now"):
            checked(signed(), now)


def test_a_sender_does_not_choose_how_long() -> None:
    headers = signed() | {
        "X-VaultAPISignature-RequestNotAfter": (NOW + LONGEST).isoformat()
    }
    with pytest.raises(NotVerified, match="not valid now"):
        Claim.read(headers, URL, NOW)


@pytest.mark.parametrize("name", [name for name in signed() if name != SIGNATURE])
def test_no_header_can_be_changed(name: str) -> None:
    headers = signed()
    headers[name] = "2026-03-01T12:01:00.000Z" if "Not" in name else f"{headers[name]}1"
    with pytest.raises(NotVerified):
        checked(headers)


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in signed()
        if not name.endswith(("ExecutionId", "RequestDateTime"))
    ],
)
@pytest.mark.parametrize("value", [None, "", "?"])
def test_what_is_missing_or_misshapen_is_refused(name: str, value: str | None) -> None:
    headers = {key: text for key, text in signed().items() if key != name}
    with pytest.raises(NotVerified):
        checked(headers if value is None else headers | {name: value})


def test_the_body_the_address_and_the_certificate_are_those_that_were_signed() -> None:
    with pytest.raises(NotVerified, match="signature is not valid"):
        checked(signed(), body=BODY + b" ")
    with pytest.raises(NotVerified, match="another address"):
        checked(signed(url=f"{URL}?more"))
    for certificate in (OTHER_CERTIFICATE, "no certificate"):
        with pytest.raises(NotVerified):
            checked(signed(), certificate=certificate)


def test_a_signature_is_taken_once() -> None:
    replays, end = Replays(), NOW + timedelta(minutes=5)
    assert replays.take(b"a", end, NOW)
    assert not replays.take(b"a", end, end)
    replays.give_back(b"a")
    assert replays.take(b"a", end, NOW)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 9)), max_size=60))
def test_what_is_good_is_never_forgotten(asked: list[tuple[int, int]]) -> None:
    replays, now, taken = Replays(capacity=4), NOW, dict[bytes, datetime]()
    for passed, number in asked:
        now += timedelta(seconds=passed)
        key, good_until = b"%d" % number, now + timedelta(seconds=7)
        good = {known for known, end in taken.items() if end >= now}
        try:
            new = replays.take(key, good_until, now)
        except Full:
            assert key not in good
            assert len(good) == 4
            continue
        assert new == (key not in good)
        if new:
            taken[key] = good_until

"""Which passwords a user may have."""

from __future__ import annotations

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault
from shared.vault.security.password_rules import (
    MAX_PASSWORD_LENGTH,
    MIN_PASSWORD_LENGTH,
    check_password,
)

NAMES = ("maria.lopez@vault.example", "Maria", "López", "m.lopez@mail.example")
STRONG = "nineteen lemon ladders"


@pytest.mark.parametrize(
    "password",
    [
        STRONG,
        "crm-admin-for-the-laptop",
        "Maria has nineteen lemon ladders",
        "fünfzehn Äpfel im Schrank",
        "x7$Kp2!mQz9w",
        "9f86d081884c7d659a2feaa0",
        "ab " * 20 + STRONG,
        STRONG * 40,
    ],
)
def test_passwords_that_a_user_may_have(password: str) -> None:
    check_password(password, NAMES)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "password",
        "12345678",
        STRONG[: MIN_PASSWORD_LENGTH - 1],
        "x7$Kp2!" * MAX_PASSWORD_LENGTH,
    ],
)
def test_lengths(password: str) -> None:
    with pytest.raises(VaultFault, match="from 12 to 1024 characters") as refused:
        check_password(password, ())
    assert refused.value.error.type is ErrorType.INVALID_DATA


@pytest.mark.parametrize(
    "password",
    [
        "password1234",
        "passwordpassword",
        "Password12345!",
        "P4ssw0rd!P4ssw0rd!",
        "123456789012",
        "qwertyuiop123",
        "iloveyou1234",
        "letmeinletmein",
        "administrator1",
        "aaaaaaaaaaaaaaaa",
        "abcdefghijklmnop",
        "abcabcabcabcabc",
        NAMES[0],
        NAMES[0].upper(),
        NAMES[0][::-1],
        NAMES[3] + "1",
        "Maria López 1",
        "maria-lopez-maria",
        "lopez.vault.2024",
    ],
)
def test_passwords_that_are_easily_guessed(password: str) -> None:
    with pytest.raises(VaultFault, match="easily guessed") as refused:
        check_password(password, NAMES)
    assert refused.value.error.type is ErrorType.INVALID_DATA
    # The password itself stands in no message.
    assert password not in str(refused.value)

"""Which passwords a user may have."""

# ruff: noqa: RUF001  users write in other alphabets, and passwords in forms of letters that only look alike

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


# As programs generate them: seldom ones, which are numbers for the most part.
GENERATED = ["4907412853609b4718250936174d2805", "741975028360e71948205361974a0286"]


@pytest.mark.parametrize("password", GENERATED)
def test_a_random_hexadecimal_text_is_a_password_whatever_its_digits(
    password: str,
) -> None:
    check_password(password, NAMES)


@pytest.mark.parametrize(
    "password",
    [
        STRONG,
        "crm-admin-for-the-laptop",
        "Maria has nineteen lemon ladders",
        "fünfzehn Äpfel im Schrank",
        "x7$Kp2!mQz9w",
        "7!2$kP9xQz#4",
        "correcthorsebatterystaple",
        "Zebra!Lampe7Kuchen",
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


EASILY_GUESSED = {
    "a common one": ("password1234", "iloveyou1234", "trustno1trustno1"),
    "a common one with capitals, digits and signs": (
        *("Password12345!", "Password1234!", "Welcome2026!!", "Changeme2026!"),
        *("P4ssw0rd!P4ssw0rd!", "P@$$w0rd2026!", "pässwörd1234", "Passwort1234!"),
        *("MotDePasse2026", "contraseña123", "пароль123456"),
    ),
    "a common one spelled out": (
        *("P a s s w o r d 1 2", "p.a.s.s.w.o.r.d.1", "ｐａｓｓｗｏｒｄ１２３４"),
        *("ⓟⓐⓢⓢⓦⓞⓡⓓ1234", "drowssaP2026!"),
    ),
    "a word and a date": (
        *("Summer2026!Vault", "Winter2025!!!", "Berlin2026!!", "January012026"),
        *("14.07.1985 Maria", "19850714lopez"),
    ),
    "a role": ("administrator1", "Admin1234567!", "IntegrationUser1", "sysadmin2026!"),
    "the product": (
        *("MedicalVault1", "MedicalVault2026!", "VaultMedical#1", "vaultcrm12345"),
        *("Veeva-Vault-2026", "MedInquiry2026"),
    ),
    "a repetition": (
        *("passwordpassword", "letmeinletmein", "aaaaaaaaaaaa", "aaaaaaaaaaaaaaaa"),
        *("abcabcabcabcabc", "a1a1a1a1a1a1", "!!!!!!!!!!!!", " " * 12),
    ),
    "a sequence": (
        *("123456789012", "١٢٣٤٥٦٧٨٩٠١٢", "abcdefghijklmnop", "zyxwvutsrqpo"),
        "abcdef123456",
    ),
    "a walk on a keyboard": (
        *("qwertyuiop12", "qwertyuiop123", "qwertzuiop12", "azertyuiop12"),
        *("1qaz2wsx3edc", "!QAZ2wsx#EDC", "йцукенгшщзхъ", "йцукен123456"),
    ),
    "digits": ("482910573829", "4829-1057-3829-1182"),
    "the user's name": (
        *(NAMES[0], NAMES[0].upper(), NAMES[3] + "1", "MLopez2026!!"),
        *("Maria López 1", "maria-lopez-maria", "lopez.vault.2024", "MariaLopez2026"),
    ),
    "the user's name backwards or with digits for letters": (
        *(NAMES[0][::-1], "zepol.airam12", "airam2026airam", "m4r14.l0p3z!!"),
        "M4r1a-L0p3z-1",
    ),
}


@pytest.mark.parametrize(
    "password", [each for kind in EASILY_GUESSED.values() for each in kind]
)
def test_passwords_that_are_easily_guessed(password: str) -> None:
    assert len(password) >= MIN_PASSWORD_LENGTH
    with pytest.raises(VaultFault, match="easily guessed") as refused:
        check_password(password, NAMES)
    assert refused.value.error.type is ErrorType.INVALID_DATA
    # The password itself stands in no message.
    assert password not in str(refused.value)

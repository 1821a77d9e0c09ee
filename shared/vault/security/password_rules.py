"""Checks new passwords: their length, and that they are not among the first that somebody would guess."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import cast

from zxcvbn import zxcvbn

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_LENGTH = 1024
# Of zxcvbn's scores, from 0 to 4: at least 10⁸ guesses by one who tries common passwords, words and patterns first.
MIN_SCORE = 3
# Besides the user's own names.
MIN_REST = 8
# As much as zxcvbn looks at; the time that it takes grows with the length.
LOOKED_AT = 72
# Shorter parts of a name stand in many good passwords.
MIN_PART_LENGTH = 3
# What stands on the pages that ask for the password.
OWN_WORDS = ("medical", "vault", "veeva", "crm", "connection", "medinquiry", "inquiry")
SEPARATORS = re.compile(r"[\W_]+")


def check_password(password: str, names: Iterable[str]) -> None:
    """Check a new password; ``names`` are what the user is called: user name, first and last name, e-mail.

    It takes up to 0.2 seconds of a processor.

    :raises VaultFault: INVALID_DATA when it is too short or too long, or easily guessed.
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        message = f"A password has from {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    guessed = _guessed_first(names)
    strength = zxcvbn(password[:LOOKED_AT], user_inputs=[*guessed, *OWN_WORDS])
    weak = cast("int", strength["score"]) < MIN_SCORE
    if weak or len(_without(guessed, password)) < MIN_REST:
        message = (
            "The password is easily guessed: it is a common one, or made of the user's name, common words,"
            " repetitions, sequences or dates; add words that do not belong together"
        )
        raise VaultFault(ErrorType.INVALID_DATA, message)


def _guessed_first(names: Iterable[str]) -> list[str]:
    """Return names and their parts, each once, in lower case."""
    guessed: dict[str, None] = {}
    for name in names:
        lower = name.lower()
        for part in (lower, *SEPARATORS.split(lower)):
            if len(part) >= MIN_PART_LENGTH:
                guessed[part] = None
    # The longest first, so that a name goes before its parts.
    return sorted(guessed, key=len, reverse=True)


def _without(guessed: Iterable[str], password: str) -> str:
    """Return what is left of a password without names and separators."""
    rest = password.lower()
    for name in guessed:
        rest = rest.replace(name, "")
    return SEPARATORS.sub("", rest)

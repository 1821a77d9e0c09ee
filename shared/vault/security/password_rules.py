"""Checks new passwords: their length, and that they are not easily guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import cast

from shared.protocol.error_types import ErrorType
from shared.vault.errors import VaultFault

MIN_PASSWORD_LENGTH = 12
MAX_PASSWORD_LENGTH = 1024
# Of zxcvbn's scores, from 0 to 4: at least 10⁸ guesses by one who tries common passwords, words and patterns first.
MIN_SCORE = 3
# Letters and digits besides the user's names and the product's; of a number only every fourth digit counts.
MIN_REST = 8
# As much as zxcvbn looks at; the time that it takes grows with the length.
LOOKED_AT = 72
# Shorter parts of a name stand in many good passwords.
MIN_PART_LENGTH = 3
# What the product is called: part of many passwords that are made for it.
PRODUCT_WORDS = ("medical", "vault", "veeva", "crm", "medinquiry")
# What else is tried first, and the lists of zxcvbn do not have: of the pages that ask for the password, and of users
# whose language is not English.
TRIED_WORDS = (
    *("connection", "inquiry", "integration", "sysadmin", "welcome", "pharma"),
    *("passwort", "kennwort", "motdepasse", "contraseña", "пароль"),
    *("qwertz", "йцукен", "йцукенгшщзхъ"),
)
SEPARATORS = re.compile(r"[\W_]+")
# Dates, years and sequences are such; two digits stand in many good passwords.
NUMBERS = re.compile(r"\d{3,}")
# Digits in place of letters, as people write them.
LETTERS_OF_DIGITS = str.maketrans("01345789", "oieastbg")
# Keys with the shift key and without it: "!QAZ" is "1qaz" on the keyboard.
KEYS = str.maketrans("!@#$%^&*()", "1234567890")


def check_password(password: str, names: Iterable[str]) -> None:
    """Check a new password; ``names`` are the user's names: user name, first and last name, e-mail.

    It takes up to 0.4 seconds of a processor.

    :raises VaultFault: INVALID_DATA when it is too short or too long, or easily guessed.
    """
    if not MIN_PASSWORD_LENGTH <= len(password) <= MAX_PASSWORD_LENGTH:
        message = f"A password has from {MIN_PASSWORD_LENGTH} to {MAX_PASSWORD_LENGTH} characters"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    own_words = _own_words(names)
    if _rest(password, own_words) < MIN_REST or _score(password, own_words) < MIN_SCORE:
        message = (
            "The password is easily guessed: it is a common one, or made of the user's name, common words,"
            " repetitions, sequences or dates; add words that do not belong together"
        )
        raise VaultFault(ErrorType.INVALID_DATA, message)


def _own_words(names: Iterable[str]) -> list[str]:
    """Return the plain words that do not count in a password, the longest first.

    They are the names and their parts, forwards and backwards, and the words of the product.
    """
    words = {*PRODUCT_WORDS}
    for name in names:
        for part in (name, *SEPARATORS.split(name)):
            word = _plain(part).lower()
            if len(word) >= MIN_PART_LENGTH:
                words |= {word, word[::-1]}
    # A name goes before its parts.
    return sorted(words, key=lambda word: (-len(word), word))


def _rest(password: str, own_words: Iterable[str]) -> int:
    """Return how many letters and digits a password has besides these words, in the spelling that leaves the fewest."""
    plain = _plain(password).lower()
    spellings = {plain, plain.translate(LETTERS_OF_DIGITS)}
    return min(len(_without(spelling, own_words)) for spelling in spellings)


def _without(spelling: str, words: Iterable[str]) -> str:
    for word in words:
        spelling = spelling.replace(word, "")
    # Not none of them: half of a random hexadecimal text is numbers.
    return NUMBERS.sub(lambda number: number[0][::4], spelling)


def _score(password: str, own_words: Iterable[str]) -> int:
    """Return zxcvbn's score of a password without spaces, signs and accents, which only seem to make it stronger."""
    # Its lists of words take long to load, and most processes never see a new password.
    from zxcvbn import zxcvbn  # noqa: PLC0415

    tried = [*own_words, *map(_plain, TRIED_WORDS)]
    spellings = {_plain(password), _plain(password.translate(KEYS))}
    scores = [
        cast("int", zxcvbn(spelling[:LOOKED_AT], user_inputs=tried)["score"])
        for spelling in spellings
    ]
    return min(scores)


def _plain(text: str) -> str:
    """Return the letters and digits of a text: without accents, and each in its usual form."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(filter(str.isalnum, decomposed))

"""Names the kinds of tokens, and how errors show a token of each."""

from __future__ import annotations

from enum import Enum, auto
from typing import assert_never

MAX_SHOWN = 60  # characters of a token that an error repeats


class TokenKind(Enum):
    """The kinds of tokens, which their first characters decide."""

    END = auto()
    KEYWORD = auto()
    WORD = auto()
    STRING = auto()
    OPEN_STRING = auto()
    NUMBER = auto()
    MALFORMED_NUMBER = auto()
    LIST = auto()
    VAULT_TOKEN = auto()
    SIGN = auto()


def shown(token: str, kind: TokenKind) -> str:
    """Return a token as error messages show it."""
    # What may be a value is named by its kind only: values may be personal data.
    match kind:
        case TokenKind.END:
            text = "the end of the statement"
        case TokenKind.STRING:
            text = "a string"
        case TokenKind.LIST:
            text = "a list of values"
        case TokenKind.NUMBER:
            text = "a number"
        case TokenKind.MALFORMED_NUMBER:
            text = "a number that runs into letters"
        # A name of the configuration has a name space; a word without one may be a value.
        case TokenKind.WORD:
            text = token[:MAX_SHOWN] if "__" in token else "a word"
        case TokenKind.KEYWORD | TokenKind.VAULT_TOKEN:
            text = token[:MAX_SHOWN]
        case TokenKind.SIGN | TokenKind.OPEN_STRING:
            text = token if len(token) > 1 else f"[{token}]"
        case _:
            assert_never(kind)
    return text

"""Reads the tokens of VQL one by one, and refuses those that are out of place."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar, assert_never

from shared.vault.vql.syntax_tree import Path
from shared.vault.vql.vql_errors import VqlLimitError, VqlSyntaxError, place
from shared.vault.vql.vql_tokens import (
    END,
    TokenKind,
    is_word,
    kind_of,
    position_of,
    tokenize,
)

T = TypeVar("T")

MAX_CONDITIONS = 1_000  # of a statement; a list of values is one
MAX_DEPTH = 50  # parentheses within parentheses
MAX_SHOWN = 60  # characters of a token that an error repeats


class TokenReader:
    """Reads the tokens of a text one after the other; its errors contain the position of the unexpected token."""

    __slots__ = ("_conditions", "_depth", "_next", "_text", "_token", "_tokens")

    def __init__(self, text: str) -> None:
        self._text = text
        # One END more: reading on from the last token must not fail before it is refused.
        self._tokens = [*tokenize(text), END]
        self._next = 0
        self._token = self._tokens[0]
        self._depth = 0
        self._conditions = 0

    def end(self) -> None:
        """Check that all tokens have been read.

        :raises VqlSyntaxError: there is a further token.
        """
        if self._token != END:
            self._refuse_token("the end of the statement")

    def _advance(self) -> None:
        self._next += 1
        self._token = self._tokens[self._next]

    def _is_at(self, token: str) -> bool:
        return self._token == token

    def _take(self, token: str) -> bool:
        """Read the next token if it is this one; return whether it was."""
        if self._token != token:
            return False
        self._advance()
        return True

    def _take_word(self, word: str) -> bool:
        """Read the next token if it is this word in any case, a keyword only here; return whether it was."""
        if self._token.upper() != word:
            return False
        self._advance()
        return True

    def _is_before_word(self) -> bool:
        """Return whether the next two tokens are both words."""
        following = self._tokens[self._next + 1]
        return is_word(self._token) and is_word(following)

    def _expect(self, token: str) -> None:
        if not self._take(token):
            self._refuse_token(token)

    def _name(self, expected: str) -> str:
        """Read one name; ``expected`` describes the expected name in the error."""
        token = self._token
        if not is_word(token) or "." in token:
            self._refuse_token(expected)
        self._advance()
        return token

    def _path(self) -> Path:
        """Read a field, or a field behind relationships."""
        token = self._token
        if not is_word(token):
            self._refuse_token("a field")
        names = token.split(".")
        path = Path(tuple(names), self._next)
        self._advance()
        return path

    def _function(self) -> tuple[Path, str | None]:
        """Read a path or a function of a path; return the path, and the function's name in upper case."""
        path = self._path()
        if not self._take("("):
            return path, None
        inner = self._path()
        self._expect(")")
        function = path.text.upper()
        return inner, function

    def _value_of(self, read: Callable[[str], T]) -> T:
        """Return the next token's value, converted by a function.

        :raises VqlSyntaxError: with the position, when the function raises ValueError.
        """
        at, token = self._next, self._token
        self._advance()
        try:
            return read(token)
        except ValueError as error:
            self._refuse(str(error), at)

    def _place(self, at: int) -> str:
        return place(self._text, position_of(self._text, at))

    def _deeper(self) -> None:
        """Count one more open parenthesis or NOT.

        :raises VqlLimitError: more than ``MAX_DEPTH`` are nested.
        """
        # Far below Python's limit of recursion: parser and compiler call themselves for every level.
        self._depth += 1
        if self._depth > MAX_DEPTH:
            message = f"parentheses go deeper than {MAX_DEPTH}"
            where = self._place(self._next)
            raise VqlLimitError(f"{message} ({where})")

    def _one_more_condition(self) -> None:
        """Count one more condition of the statement.

        :raises VqlLimitError: there are more than ``MAX_CONDITIONS``.
        """
        # A statement is compiled in one go: while that lasts, the process answers nobody else.
        self._conditions += 1
        if self._conditions > MAX_CONDITIONS:
            message = f"a statement takes at most {MAX_CONDITIONS:,} conditions"
            where = self._place(self._next)
            raise VqlLimitError(f"{message} ({where})")

    def _refuse(self, message: str, at: int | None = None) -> NoReturn:
        """Refuse the token ``at``, or the next one.

        :raises VqlSyntaxError: always.
        """
        number = self._next if at is None else at
        position = position_of(self._text, number)
        where = place(self._text, position)
        raise VqlSyntaxError(f"{message} ({where})", position)

    def _refuse_token(self, expected: str) -> NoReturn:
        token = self._token
        self._refuse(f"expected {expected}, found {_shown(token)}")


def _shown(token: str) -> str:
    """Return a token as error messages show it."""
    kind = kind_of(token)
    # What may be a value is named by its kind only: values may be personal data.
    match kind:
        case TokenKind.END:
            shown = "the end of the statement"
        case TokenKind.STRING:
            shown = "a string"
        case TokenKind.LIST:
            shown = "a list of values"
        case TokenKind.NUMBER:
            shown = "a number"
        case TokenKind.MALFORMED_NUMBER:
            shown = "a number that runs into letters"
        # A name of the configuration has a name space; a word without one may be a value.
        case TokenKind.WORD:
            shown = token[:MAX_SHOWN] if "__" in token else "a word"
        case TokenKind.KEYWORD | TokenKind.VAULT_TOKEN:
            shown = token[:MAX_SHOWN]
        case TokenKind.SIGN | TokenKind.OPEN_STRING:
            shown = token if len(token) > 1 else f"[{token}]"
        case _:
            assert_never(kind)
    return shown

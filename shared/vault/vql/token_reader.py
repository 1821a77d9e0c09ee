"""Reads the tokens of a statement one after the other, and refuses what does not belong with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from shared.vault.vql import vql_tokens as lexical
from shared.vault.vql.syntax_tree import Path
from shared.vault.vql.vql_errors import VqlSyntaxError
from shared.vault.vql.vql_tokens import (
    END,
    KEYWORDS,
    is_list,
    is_number,
    is_string,
    is_word,
)

T = TypeVar("T")


class TokenReader:
    """The tokens of a text and how far they have been read."""

    __slots__ = ("_next", "_text", "_tokens")

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = lexical.tokenize(text)
        self._next = 0

    def end(self) -> None:
        """Refuse further tokens."""
        if self._tokens[self._next] != END:
            self._refuse_token("the end of the statement")

    def _take(self, token: str) -> bool:
        if self._tokens[self._next] != token:
            return False
        self._next += 1
        return True

    def _take_word(self, word: str) -> bool:
        """Take a word, in any case, that is a keyword only where it stands."""
        if self._tokens[self._next].upper() != word:
            return False
        self._next += 1
        return True

    def _is_before_word(self) -> bool:
        """Whether the next token is a word, and the one behind it too."""
        return is_word(self._tokens[self._next]) and is_word(
            self._tokens[self._next + 1]
        )

    def _expect(self, token: str) -> None:
        if self._tokens[self._next] != token:
            self._refuse_token(token)
        self._next += 1

    def _name(self, expected: str) -> str:
        token = self._tokens[self._next]
        if not is_word(token) or "." in token:
            self._refuse_token(expected)
        self._next += 1
        return token

    def _path(self) -> Path:
        token = self._tokens[self._next]
        if not is_word(token):
            self._refuse_token("a field")
        path = Path(tuple(token.split(".")) if "." in token else (token,), self._next)
        self._next += 1
        return path

    def _function(self) -> tuple[Path, str | None]:
        """A path, or a function of a path; the function in upper case."""
        path = self._path()
        if not self._take("("):
            return path, None
        inner = self._path()
        self._expect(")")
        return inner, path.text.upper()

    def _value_of(self, read: Callable[[str], T]) -> T:
        at = self._next
        self._next = at + 1
        try:
            return read(self._tokens[at])
        except ValueError as error:
            self._refuse(str(error), at)

    def _place(self, at: int) -> str:
        return lexical.place(self._text, lexical.position_of(self._text, at))

    def _refuse(self, message: str, at: int | None = None) -> NoReturn:
        position = lexical.position_of(self._text, self._next if at is None else at)
        raise VqlSyntaxError(
            f"{message} ({lexical.place(self._text, position)})", position
        )

    def _refuse_token(self, expected: str) -> NoReturn:
        self._refuse(f"expected {expected}, found {_shown(self._tokens[self._next])}")


def _shown(token: str) -> str:
    """A token for a message; what may be a value is named by its kind only."""
    if token == END:
        return "the end of the statement"
    if is_string(token):
        return "a string"
    if is_list(token):
        return "a list of values"
    if is_number(token):
        return "a number"
    if is_word(token) and "__" not in token:
        return "a word"
    return token[:60] if token in KEYWORDS or len(token) > 1 else f"[{token}]"

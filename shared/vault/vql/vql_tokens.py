"""Cuts VQL text into tokens in linear time, a whole list of literals being one token."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import NoReturn, TypeVar

from shared.vault.vql.syntax_tree import Path
from shared.vault.vql.vql_errors import VqlLimitError, VqlSyntaxError

MAX_TEXT = 50_000  # characters, the documented limit of a query

END = ""
"""The token behind the last one."""

QUOTE = "'"
"""As a token of its own: the quote of a string that is not closed."""

KEYWORDS = frozenset(
    (
        *(
            "SELECT",
            "FROM",
            "WHERE",
            "ORDER",
            "BY",
            "ASC",
            "DESC",
            "AS",
            "FIND",
            "SHOW",
        ),
        *("AND", "OR", "NOT", "CONTAINS", "BETWEEN", "LIKE", "IN"),
        *("MAXROWS", "SKIP", "PAGESIZE", "PAGEOFFSET", "LIMIT", "OFFSET"),
    )
)
_LONGEST_KEYWORD = max(map(len, KEYWORDS))

# Possessive throughout: no text makes the tokenizer go back over what it has read.
_STRING = r"'(?:[^'\\]++|\\.|'')*+'"
_NUMBER = r"-?\d++(?:\.\d++)?+(?![\w.])"
_TOKEN = re.compile(
    rf"""\s*+(
        [A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)*+               # a name, or a path of names
      | \(\s*+{_STRING}(?:\s*+,\s*+{_STRING})*+\s*+\)    # a whole list of strings
      | \(\s*+{_NUMBER}(?:\s*+,\s*+{_NUMBER})*+\s*+\)    # a whole list of numbers
      | {_STRING}
      | {_NUMBER}
      | \$\{{[A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)*+\}}           # a Vault token
      | [<>!]= | [=<>(),]
      | \S                                               # anything else: the parser refuses it
    )""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_STRING_BODY = re.compile(r"'((?:[^'\\]++|\\.|'')*+)'", re.DOTALL)
_NUMBER_BODY = re.compile(r"-?\d++(?:\.\d++)?+", re.ASCII)
_ESCAPE = re.compile(r"\\(.)|''|(%)", re.DOTALL)
_ESCAPED = {
    "\\": "\\",
    "'": "'",
    '"': '"',
    "%": "%",
    "*": "*",
    "n": "\n",
    "t": "\t",
    "r": "\r",
}

MAX_DIGITS = 40  # characters of one number; beyond it no field has such values

_WORD_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_NUMBER_START = frozenset("-0123456789")


def tokenize(text: str) -> list[str]:
    """The tokens of ``text``, keywords in upper case, closed by ``END``.

    Tokens are plain strings, known by their first character; a place in the text is a token's number,
    which ``position_of`` turns into an offset when an error needs it.
    Raises VqlLimitError for more than ``MAX_TEXT`` characters, VqlSyntaxError for characters no value may hold.
    """
    if len(text) > MAX_TEXT:
        message = f"a query takes at most {MAX_TEXT} characters"
        raise VqlLimitError(message)
    _refuse_unstorable(text)
    # Without trailing space every match ends in a token, and none is tried twice.
    tokens: list[str] = _TOKEN.findall(text.rstrip())
    tokens = [
        word
        if len(token) <= _LONGEST_KEYWORD and (word := token.upper()) in KEYWORDS
        else token
        for token in tokens
    ]
    tokens.append(END)
    return tokens


def _refuse_unstorable(text: str) -> None:
    """PostgreSQL has no NUL in text and UTF-8 has no lone surrogates."""
    position = text.find("\0")
    if position < 0 and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            position = error.start
    if position >= 0:
        message = f"a character that no text may hold ({place(text, position)})"
        raise VqlSyntaxError(message, position)


def position_of(text: str, number: int) -> int:
    """Offset in characters of the token with this number; the text's end for the ``END`` token."""
    stripped = text.rstrip()
    for index, match in enumerate(_TOKEN.finditer(stripped)):
        if index == number:
            return match.start(1)
    return len(stripped)


def end_of(text: str, number: int) -> int:
    """Offset behind the last character of the token with this number."""
    stripped = text.rstrip()
    for index, match in enumerate(_TOKEN.finditer(stripped)):
        if index == number:
            return match.end(1)
    return len(stripped)


def place(text: str, position: int) -> str:
    """``line 2, column 7`` of an offset."""
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"line {line}, column {column}"


def is_word(token: str) -> bool:
    """Whether the token is a name or a path of names, and no keyword."""
    return token[:1] in _WORD_START and token not in KEYWORDS


def is_string(token: str) -> bool:
    """Whether the token is a closed string."""
    return token[:1] == QUOTE and len(token) > 1


def is_number(token: str) -> bool:
    """Whether the token is a number."""
    return token[:1] in _NUMBER_START and token[-1:] != "-"


def is_list(token: str) -> bool:
    """Whether the token is a whole list of literals in parentheses."""
    return token[:1] == "(" and len(token) > 1


def is_vault_token(token: str) -> bool:
    """Whether the token is a ``${…}``."""
    return token[:2] == "${" and len(token) > 2


def string_value(token: str) -> str:
    """What a string token stands for; raises ValueError for an escape that does not exist."""
    return _unescape(token[1:-1])


def literal(value: str) -> str:
    """The string token that stands for a text, whatever its characters."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def number_value(token: str) -> int | Decimal:
    """What a number token stands for; raises ValueError for more than ``MAX_DIGITS`` characters."""
    if len(token) > MAX_DIGITS:
        message = f"a number takes at most {MAX_DIGITS} digits"
        raise ValueError(message)
    return Decimal(token) if "." in token else int(token)


def list_values(token: str) -> tuple[str | int | Decimal, ...]:
    """What the literals of a list token stand for; raises ValueError as the single ones do."""
    if "'" not in token:
        return tuple(map(number_value, _NUMBER_BODY.findall(token)))
    bodies = _STRING_BODY.findall(token)
    if "\\" in token or "''" in token:
        return tuple(map(_unescape, bodies))
    return tuple(bodies)


def strings_of(token: str) -> list[str]:
    """The string tokens of a list token; empty for a list of numbers."""
    return [f"'{body}'" for body in _STRING_BODY.findall(token)]


def like_segments(token: str) -> tuple[str, ...]:
    """The literal parts of a LIKE pattern between its ``%`` wildcards; raises ValueError for a wrong escape."""
    body = token[1:-1]
    segments = [""]
    end = 0
    for match in _ESCAPE.finditer(body):
        segments[-1] += body[end : match.start()]
        end = match.end()
        if match[2]:
            segments.append("")
        else:
            segments[-1] += _escaped(match)
    segments[-1] += body[end:]
    return tuple(segments)


def _unescape(body: str) -> str:
    if "\\" not in body and "''" not in body:
        return body
    return _ESCAPE.sub(_escaped, body)


def _escaped(match: re.Match[str]) -> str:
    if match[2]:
        return "%"
    if match[1] is None:
        return "'"
    try:
        return _ESCAPED[match[1]]
    except KeyError:
        message = "an escape that does not exist"
        raise ValueError(message) from None


T = TypeVar("T")


class TokenReader:
    """The tokens of a text and how far they have been read."""

    __slots__ = ("_next", "_text", "_tokens")

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokenize(text)
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
        return place(self._text, position_of(self._text, at))

    def _refuse(self, message: str, at: int | None = None) -> NoReturn:
        position = position_of(self._text, self._next if at is None else at)
        raise VqlSyntaxError(f"{message} ({place(self._text, position)})", position)

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

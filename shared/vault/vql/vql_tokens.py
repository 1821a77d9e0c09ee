"""Splits VQL text into tokens in linear time, with a whole list of literals as one, and reads them one by one."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import islice
from typing import NoReturn, TypeVar

from shared.vault.vql.syntax_tree import Path
from shared.vault.vql.token_kinds import TokenKind, shown
from shared.vault.vql.vql_errors import VqlLimitError, VqlSyntaxError, place

MAX_TEXT = 50_000  # characters, the documented limit of a query
MAX_DIGITS = 40  # characters of one number; beyond it no field has such values

END = ""
"""The token behind the last one."""

QUOTE = "'"
"""As a token of its own: a string that is not closed, which takes the rest of the text."""

KEYWORDS = frozenset(
    (
        *("SELECT", "FROM", "WHERE", "ORDER", "BY"),
        *("ASC", "DESC", "AS", "FIND", "SHOW"),
        *("AND", "OR", "NOT", "CONTAINS", "BETWEEN", "LIKE", "IN"),
        *("MAXROWS", "SKIP", "PAGESIZE", "PAGEOFFSET", "LIMIT", "OFFSET"),
    )
)
_LONGEST_KEYWORD = max(map(len, KEYWORDS))


# Possessive throughout, and what is not closed, or runs into letters, is one token as well: no text makes the
# tokenizer go back over what it has read.
_STRING = r"'(?:[^'\\]++|\\.|'')*+'"
_OPEN_STRING = r"'.*+"
_NUMBER = r"-?\d++(?:\.\d++)?+(?![\w.])"
_TOKEN = re.compile(
    rf"""
        [A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)*+               # a name, or a path of names
      | \(\s*+{_STRING}(?:\s*+,\s*+{_STRING})*+\s*+\)    # a whole list of strings
      | \(\s*+{_NUMBER}(?:\s*+,\s*+{_NUMBER})*+\s*+\)    # a whole list of numbers
      | {_STRING}
      | {_OPEN_STRING}
      | {_NUMBER}
      | -?\d[\w.]*+                                       # digits that run into letters
      | \$\{{[A-Za-z_]\w*+(?:\.[A-Za-z_]\w*+)*+\}}           # a Vault token
      | [<>!]= | [=<>(),]
      | \S                                               # anything else: the parser refuses it
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_CLOSED_STRING = re.compile(_STRING, re.DOTALL)
_STRING_BODY = re.compile(r"'((?:[^'\\]++|\\.|'')*+)(?:'|\\?\Z)", re.DOTALL)
_NUMBER_BODY = re.compile(r"-?\d++(?:\.\d++)?+", re.ASCII)
_ESCAPE = re.compile(r"\\(.)|''|(%)", re.DOTALL)
_SELF_ESCAPED = "\\'\"%*"
_CONTROL = {"n": "\n", "t": "\t", "r": "\r"}
_ESCAPED = {**{sign: sign for sign in _SELF_ESCAPED}, **_CONTROL}

_WORD_START = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_NUMBER_START = frozenset("-0123456789")


def tokenize(text: str) -> list[str]:
    """Return the tokens of a text, with keywords in upper case and ``END`` as the last one.

    Tokens are plain strings, whose first characters decide their kind. Positions are token numbers, which
    ``position_of`` converts to an offset when an error needs it.

    :raises VqlLimitError: the text is longer than ``MAX_TEXT`` characters.
    :raises VqlSyntaxError: the text has a character that no value may contain.
    """
    if len(text) > MAX_TEXT:
        raise VqlLimitError(f"a query takes at most {MAX_TEXT} characters")
    _refuse_unstorable(text)
    tokens: list[str] = _TOKEN.findall(text.rstrip())
    last = tokens[-1] if tokens else END
    # A string that is not closed takes the rest, so that only the last token may be one.
    if last.startswith(QUOTE) and not _CLOSED_STRING.fullmatch(last):
        tokens[-1] = QUOTE
    return [*map(_with_keyword, tokens), END]


def _with_keyword(token: str) -> str:
    """Return a keyword in upper case, any other token as it is."""
    # Long tokens are lists of ids: they are not copied to find out that they are no keywords.
    if len(token) > _LONGEST_KEYWORD:
        return token
    word = token.upper()
    return word if word in KEYWORDS else token


def _refuse_unstorable(text: str) -> None:
    """Check that PostgreSQL can store all characters of the text.

    :raises VqlSyntaxError: the text has a null character or a lone surrogate.
    """
    # PostgreSQL has no NUL in text, and UTF-8 has no lone surrogates.
    position = text.find("\0")
    if position < 0 and not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            position = error.start
    if position >= 0:
        where = place(text, position)
        raise VqlSyntaxError(f"a character that no text may hold ({where})", position)


def position_of(text: str, number: int) -> int:
    """Return the offset in characters of the token with this number; for ``END``, the length of the text."""
    found = _token_at(text, number)
    return len(text.rstrip()) if found is None else found.start()


def _token_at(text: str, number: int) -> re.Match[str] | None:
    """Return the match of the token with this number; None after the last token."""
    # Tokens carry no offsets: only errors need them, and those cut the text a second time.
    matches = _TOKEN.finditer(text.rstrip())
    return next(islice(matches, number, None), None)


def is_word(token: str) -> bool:
    """Return whether the token is a name or a path of names, not a keyword."""
    return token[:1] in _WORD_START and token not in KEYWORDS


def is_string(token: str) -> bool:
    """Return whether the token is a closed string."""
    return token.startswith(QUOTE) and len(token) > 1


def is_number(token: str) -> bool:
    """Return whether the token is a number."""
    return token[:1] in _NUMBER_START and bool(_NUMBER_BODY.fullmatch(token))


def is_malformed_number(token: str) -> bool:
    """Return whether the token begins as a number but continues otherwise."""
    return token[:1] in _NUMBER_START and len(token) > 1 and not is_number(token)


def is_list(token: str) -> bool:
    """Return whether the token is a whole list of literals in parentheses."""
    return token.startswith("(") and len(token) > 1


def is_vault_token(token: str) -> bool:
    """Return whether the token is a ``${…}``."""
    return token.startswith("${") and len(token) > 2


# In the order of what a literal most often is.
_KINDS: Sequence[tuple[TokenKind, Callable[[str], bool]]] = (
    (TokenKind.STRING, is_string),
    (TokenKind.NUMBER, is_number),
    (TokenKind.LIST, is_list),
    (TokenKind.VAULT_TOKEN, is_vault_token),
    (TokenKind.KEYWORD, KEYWORDS.__contains__),
    (TokenKind.WORD, is_word),
    (TokenKind.END, END.__eq__),
    (TokenKind.OPEN_STRING, QUOTE.__eq__),
    (TokenKind.MALFORMED_NUMBER, is_malformed_number),
)


def kind_of(token: str) -> TokenKind:
    """Return the kind of a token; a token of no other kind is a sign."""
    kinds = (kind for kind, matches in _KINDS if matches(token))
    return next(kinds, TokenKind.SIGN)


def string_value(token: str) -> str:
    """Return the text of a string token.

    :raises ValueError: an escape does not exist.
    """
    return _unescape(token[1:-1])


def number_value(token: str) -> int | Decimal:
    """Return the number of a token.

    :raises ValueError: it has more than ``MAX_DIGITS`` characters.
    """
    if len(token) > MAX_DIGITS:
        raise ValueError(f"a number takes at most {MAX_DIGITS} digits")
    return Decimal(token) if "." in token else int(token)


def list_values(token: str) -> tuple[str | int | Decimal, ...]:
    """Return the values of a list token.

    :raises ValueError: as ``string_value`` and ``number_value`` do.
    """
    if "'" not in token:
        numbers = _NUMBER_BODY.findall(token)
        return tuple(map(number_value, numbers))
    bodies = _STRING_BODY.findall(token)
    # A list holds thousands of ids, without a single escape: one search decides for all of them.
    if "\\" in token or "''" in token:
        return tuple(map(_unescape, bodies))
    return tuple(bodies)


def strings_of(token: str) -> list[str]:
    """Return the string tokens of a list token; a list of numbers has none."""
    bodies = _STRING_BODY.findall(token)
    return [f"'{body}'" for body in bodies]


def like_segments(token: str) -> tuple[str, ...]:
    """Return the literal parts of a LIKE pattern between its ``%`` wildcards.

    :raises ValueError: an escape does not exist.
    """
    body = token[1:-1]
    segments: list[list[str]] = [[]]
    end = 0
    for match in _ESCAPE.finditer(body):
        segments[-1].append(body[end : match.start()])
        end = match.end()
        if match[2]:
            segments.append([])
        else:
            segments[-1].append(_escaped(match))
    segments[-1].append(body[end:])
    return tuple("".join(parts) for parts in segments)


def _unescape(body: str) -> str:
    if "\\" not in body and "''" not in body:
        return body
    return _ESCAPE.sub(_escaped, body)


def _escaped(match: re.Match[str]) -> str:
    """Return the character that an escape sequence, a doubled quote or a ``%`` represents."""
    character, wildcard = match[1], match[2]
    if wildcard:
        return "%"
    if character is None:
        return "'"
    try:
        return _ESCAPED[character]
    except KeyError:
        raise ValueError("an escape that does not exist") from None


T = TypeVar("T")

MAX_CONDITIONS = 1_000  # of a statement; a list of values is one
MAX_DEPTH = 50  # parentheses within parentheses


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
        """Read the next token if it is this word, in capitals or small letters; return whether it was.

        The word is no keyword elsewhere.
        """
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
        self._refuse(f"expected {expected}, found {shown(token, kind_of(token))}")

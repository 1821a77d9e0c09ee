"""Defines the errors of MDL: text that is not MDL, and components that are invalid as written."""

from __future__ import annotations

from enum import StrEnum

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken


class Code(StrEnum):
    """Codes of the ``errors`` in the result of a statement."""

    SYNTAX = "GEN-F-400"
    UNKNOWN_TYPE = "GEN-F-401"
    INVALID_ATTRIBUTE = "GEN-F-402"
    INVALID_NAME = "GEN-F-403"
    NOT_FOUND = "GEN-F-404"
    BROKEN_REFERENCE = "GEN-F-405"
    IN_USE = "GEN-F-406"
    EXISTS = "GEN-F-409"
    DATA_LOSS = "GEN-F-410"
    LIMIT = "GEN-F-411"
    NOT_SUPPORTED = "GEN-F-501"
    LOCKED = "OPERATION_NOT_ALLOWED"
    NOT_PERMITTED = "INSUFFICIENT_ACCESS"


class MdlSyntaxError(Exception):
    """Raised for text that is not MDL; ``line`` and ``column``, from 1 on, are where the parser stopped."""

    code = Code.SYNTAX

    def __init__(
        self,
        message: str,
        line: int,
        column: int,
    ) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


class ComponentError(Exception):
    """Raised for a component that cannot be created, changed or dropped; the message names component and attribute."""

    def __init__(
        self,
        message: str,
        code: Code = Code.INVALID_ATTRIBUTE,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code


_MAX_SHOWN = 40  # characters of a token in a message
_TERMINALS = {
    "_OPEN": "'('",
    "_CLOSE": "')'",
    "_COMMA": "','",
    "_SEMICOLON": "';'",
    "_TO": "TO",
    "NAME": "a name",
    "STRING": "a string",
    "NUMBER": "a number",
    "TRUE": "true",
    "FALSE": "false",
    "REFERENCE": "a component",
    "XML": "XML in braces",
    "EXPRESSION": "an expression in brackets",
    "CODE": "code",
    "IF_EXISTS": "IF EXISTS",
    "IF_NOT_EXISTS": "IF NOT EXISTS",
    "$END": "the end",
}


def syntax_error(
    error: UnexpectedInput,
    text: str,
) -> MdlSyntaxError:
    """Return the error of a text that cannot be parsed: what was expected, what was found, and where."""
    expected: set[str] = set()
    found = ""
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        found = _found_token(error)
    elif isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
        found = "an unterminated string" if error.char == "'" else repr(error.char)
    line, column = error.line, error.column
    problem = f"Unexpected {found}"
    if not found:
        # At the end of the text the parser knows no place.
        problem = "The text ends too soon"
        line = text.count("\n") + 1
        column = len(text) - text.rfind("\n")
    options = sorted(_TERMINALS.get(name, name) for name in expected)
    if options:
        problem += f"; expected {', '.join(options)}"
    return MdlSyntaxError(f"{problem}.", line, column)


def _found_token(error: UnexpectedToken) -> str:
    """Return the beginning of the unexpected token; an empty string at the end of the text."""
    if error.token.type == "$END":
        return ""
    beginning = str(error.token)[:_MAX_SHOWN]
    return repr(beginning)

"""What a text that is not MDL is refused with: what was found, what may stand there."""

from __future__ import annotations

from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from shared.vault.components.component_errors import MdlSyntaxError

__all__ = ["syntax_error"]

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


def syntax_error(error: UnexpectedInput, text: str) -> MdlSyntaxError:
    """What the parser says of a text that it cannot read, in words, and where it stopped."""
    expected: set[str] = set()
    found = ""
    line, column = error.line, error.column
    if isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        found = "" if error.token.type == "$END" else repr(str(error.token)[:40])
    elif isinstance(error, UnexpectedCharacters):
        expected = set(error.allowed or ())
        found = "an unterminated string" if error.char == "'" else repr(error.char)
    if not found:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    options = ", ".join(sorted(_TERMINALS.get(name, name) for name in expected))
    suffix = f"; expected {options}" if options else ""
    return MdlSyntaxError(
        (f"Unexpected {found}" if found else "The text ends too soon") + suffix + ".",
        line,
        column,
    )

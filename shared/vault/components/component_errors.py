"""The two ways MDL is refused: text that is not MDL, and components that cannot be as they are written."""

from __future__ import annotations

from enum import StrEnum


class Code(StrEnum):
    """Codes of the ``errors`` of a statement's execution."""

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
    """Text that is not MDL; ``line`` and ``column`` count from 1 and say where reading stopped."""

    code = Code.SYNTAX

    def __init__(self, message: str, line: int, column: int) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


class ComponentError(Exception):
    """A component that cannot be created, changed or dropped as asked; the message names component and attribute."""

    def __init__(self, message: str, code: Code = Code.INVALID_ATTRIBUTE) -> None:
        super().__init__(message)
        self.message = message
        self.code = code

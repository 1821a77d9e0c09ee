"""Defines the errors of VQL, each with an error type of the API and the position in the statement."""

from __future__ import annotations

from typing import Literal

from shared.protocol.error_types import ErrorType

NameErrorType = Literal[
    ErrorType.INVALID_DATA,
    ErrorType.ATTRIBUTE_NOT_SUPPORTED,
    ErrorType.INSUFFICIENT_ACCESS,
]


class VqlError(Exception):
    """Raised for a statement that cannot be run.

    Messages name fields, objects and places, never the values that a statement compares with, which may be
    personal data.
    """

    def __init__(
        self,
        type: ErrorType,
        message: str,
    ) -> None:
        super().__init__(message)
        self.type = type
        self.message = message


class VqlSyntaxError(VqlError):
    """Raised for text that is not VQL; ``position`` is the offset in characters of the first unexpected token."""

    def __init__(
        self,
        message: str,
        position: int,
    ) -> None:
        super().__init__(ErrorType.INCORRECT_QUERY_SYNTAX_ERROR, message)
        self.position = position


class VqlNameError(VqlError):
    """Raised for a name that does not exist or may not be read, and for a value that does not match its field."""

    def __init__(
        self,
        type: NameErrorType,
        message: str,
    ) -> None:
        super().__init__(type, message)


class VqlLimitError(VqlError):
    """Raised for a statement that is larger, or nested more deeply, than this Vault accepts."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorType.INVALID_DATA, message)


def place(text: str, position: int) -> str:
    """Return the offset ``position`` as text, such as ``line 2, column 7``."""
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"line {line}, column {column}"

"""Typed errors of VQL: each carries the API error type and says where in the statement it lies."""

from __future__ import annotations

from typing import Literal

NameErrorType = Literal[
    "INVALID_DATA", "ATTRIBUTE_NOT_SUPPORTED", "INSUFFICIENT_ACCESS"
]


class VqlError(Exception):
    """A statement that cannot be run; ``type`` is an error type of the Vault REST API.

    Messages name fields, objects and places, never the values that a statement compares with.
    """

    def __init__(self, type: str, message: str) -> None:
        super().__init__(message)
        self.type = type
        self.message = message


class VqlSyntaxError(VqlError):
    """Text that is not VQL; ``position`` is the offset in characters where it stops being so."""

    def __init__(self, message: str, position: int) -> None:
        super().__init__("INCORRECT_QUERY_SYNTAX_ERROR", message)
        self.position = position


class VqlNameError(VqlError):
    """A name that does not exist or may not be read, or a value that does not suit its field."""

    def __init__(self, type: NameErrorType, message: str) -> None:
        super().__init__(type, message)


class VqlLimitError(VqlError):
    """A statement that is larger or deeper than this Vault accepts."""

    def __init__(self, message: str) -> None:
        super().__init__("INVALID_DATA", message)

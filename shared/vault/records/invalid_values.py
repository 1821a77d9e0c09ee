"""Defines the errors of values that the field of a record cannot store."""

from __future__ import annotations

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError


class InvalidValue(Exception):
    """Raised for a value that its field cannot store.

    The text names the field, never the value, which may be personal.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.error = ApiError(ErrorType.INVALID_DATA, message)


class InactiveValue(InvalidValue):
    """Raised for the value of a picklist of which ``names`` are inactive; records that have them keep them."""

    def __init__(self, message: str, value: str, names: frozenset[str]) -> None:
        super().__init__(message)
        self.value = value
        self.names = names

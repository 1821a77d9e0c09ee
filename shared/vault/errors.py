"""The Vault's typed errors: what went wrong, in the terms of the public API's error list."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ErrorType(StrEnum):
    """Error types of the Vault REST API; the type is contractual, the message is not."""

    UNEXPECTED_ERROR = "UNEXPECTED_ERROR"
    MALFORMED_URL = "MALFORMED_URL"
    METHOD_NOT_SUPPORTED = "METHOD_NOT_SUPPORTED"
    INACTIVE_USER = "INACTIVE_USER"
    NO_PASSWORD_PROVIDED = "NO_PASSWORD_PROVIDED"  # noqa: S105  a name
    USERNAME_OR_PASSWORD_INCORRECT = "USERNAME_OR_PASSWORD_INCORRECT"  # noqa: S105  a name
    USER_LOCKED_OUT = "USER_LOCKED_OUT"
    PASSWORD_CHANGE_REQUIRED = "PASSWORD_CHANGE_REQUIRED"  # noqa: S105  a name
    INVALID_SESSION_ID = "INVALID_SESSION_ID"
    PARAMETER_REQUIRED = "PARAMETER_REQUIRED"
    INVALID_DATA = "INVALID_DATA"
    INSUFFICIENT_ACCESS = "INSUFFICIENT_ACCESS"
    OPERATION_NOT_ALLOWED = "OPERATION_NOT_ALLOWED"
    ATTRIBUTE_NOT_SUPPORTED = "ATTRIBUTE_NOT_SUPPORTED"
    INCORRECT_QUERY_SYNTAX_ERROR = "INCORRECT_QUERY_SYNTAX_ERROR"
    RACE_CONDITION = "RACE_CONDITION"
    EXCEEDS_FILE_MAX_SIZE = "EXCEEDS_FILE_MAX_SIZE"
    ITEM_NAME_EXISTS = "ITEM_NAME_EXISTS"
    USER_NOT_FOUND = "USER_NOT_FOUND"
    INVALID_FILTER = "INVALID_FILTER"
    API_LIMIT_EXCEEDED = "API_LIMIT_EXCEEDED"
    CONFIGURATION_MODE_ENABLED = "CONFIGURATION_MODE_ENABLED"


@dataclass(frozen=True, slots=True)
class ApiError:
    """One entry of an envelope's ``errors`` list."""

    type: ErrorType
    message: str


class VaultFault(Exception):
    """A request that cannot be carried out; becomes a FAILURE envelope with one typed error."""

    def __init__(self, type: ErrorType, message: str) -> None:
        super().__init__(message)
        self.error = ApiError(type, message)

"""The Vault's typed errors: what went wrong, in the terms of the public API's error list."""

from __future__ import annotations

from dataclasses import dataclass

from shared.protocol.error_types import ErrorType


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

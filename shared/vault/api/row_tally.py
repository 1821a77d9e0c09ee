"""Counts what the rows of a body take in memory, and refuses more of it than a call may have."""

from __future__ import annotations

import sys
from collections.abc import Collection

from shared.protocol.error_types import ErrorType
from shared.vault.api.body_limits import MAX_TEXT_BYTES, MAX_VALUES
from shared.vault.errors import VaultFault


class RowTally:
    """The values of the rows so far, and the bytes of their texts: up to four for each character."""

    def __init__(self) -> None:
        self._values = 0
        self._bytes = 0

    def add(self, values: Collection[object]) -> None:
        """Count the values of a row, or the items of a list.

        :raises VaultFault: INVALID_DATA when there are too many, or their texts are too large together.
        """
        self._values += len(values)
        if self._values > MAX_VALUES:
            raise too_many_values()
        self._bytes += sum(
            sys.getsizeof(value) for value in values if isinstance(value, str)
        )
        if self._bytes > MAX_TEXT_BYTES:
            message = f"The texts of a call take at most {MAX_TEXT_BYTES} bytes in memory; send fewer rows"
            raise VaultFault(ErrorType.INVALID_DATA, message)


def too_many_values() -> VaultFault:
    """Return the fault of a body with too many values."""
    message = f"A body has at most {MAX_VALUES} values"
    return VaultFault(ErrorType.INVALID_DATA, message)

"""Reference lookups as records: each source key of a set stands in one row, known by a key that the Vault makes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.records.rows import NewRow
    from shared.vault.storage.database import Connection

OBJECT = "reference_lookup__sys"
KEY = "lookup_key__sys"
CONNECTION = "connection__sys"
NAME = "reference_lookup_name__sys"
TYPE = "reference_lookup_type__sys"
SOURCE = "source_key__sys"
TARGET_OBJECT = "target_object__sys"
OF_OBJECTS, GENERIC = "object__sys", "generic__sys"

CONNECTIONS = (
    "SELECT id, api_name__sys FROM records.connection__sys WHERE id = ANY($1::text[])"
)
_GENERIC_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*__[cv]")


class ReferenceLookupTrigger:
    """Gives each new row its key, and keeps what the key says of a row as it is."""

    columns = (KEY, CONNECTION, NAME, TYPE, SOURCE, TARGET_OBJECT)

    async def before_create(
        self, connection: Connection, caller: Caller, rows: Sequence[NewRow]
    ) -> None:
        """Set the Lookup Key, or fail rows that name another one or whose set is not named as its type asks."""
        del caller
        wanted = list({row.values.get(CONNECTION) for row in rows} - {None})
        names = {
            found["id"]: found["api_name__sys"]
            for found in await connection.fetch(CONNECTIONS, wanted)
        }
        for row in rows:
            values = row.values
            # What is missing of it is required, and reported as that.
            key = f"{names.get(values.get(CONNECTION), '')}:{values.get(NAME) or ''}:{values.get(SOURCE) or ''}"
            if values.setdefault(KEY, key) != key:
                row.fail(
                    ErrorType.INVALID_DATA,
                    f"[{KEY}] must be {{connection}}:{{set}}:{{source key}}, or left out",
                )
            if problem := _problem(values):
                row.errors.append(problem)

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Refuse to make another row of it; its keys and objects in the target may change."""
        del caller
        fixed = next(
            (name for name in (KEY, CONNECTION, NAME, TYPE, SOURCE) if name in changes),
            None,
        )
        if fixed is not None:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"[{fixed}] of a reference lookup cannot be changed; delete it and create another one",
            )
        return _problem(
            {TYPE: stored[TYPE], TARGET_OBJECT: stored[TARGET_OBJECT]} | changes
        )

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Allow the deletion."""
        del caller, stored
        return None


def _problem(values: Mapping[str, object]) -> ApiError | None:
    """What a set's type asks for and the row does not have."""
    kind, name = values.get(TYPE), values.get(NAME)
    if kind == OF_OBJECTS and not values.get(TARGET_OBJECT):
        return ApiError(
            ErrorType.PARAMETER_REQUIRED,
            f"A reference lookup of the type {kind} needs [{TARGET_OBJECT}]",
        )
    if kind == GENERIC and name is not None and not _GENERIC_NAME.fullmatch(str(name)):
        return ApiError(
            ErrorType.INVALID_DATA,
            f"[{NAME}] of the type {kind} must be lower-case letters, digits and single underscores, and end in __c",
        )
    return None

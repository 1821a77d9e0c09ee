"""Sets the keys of reference lookup rows, so that a lookup set has one row for each source key."""

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
CONNECTION_API_NAME = "connection__sysr.api_name__sys"
NAME = "reference_lookup_name__sys"
TYPE = "reference_lookup_type__sys"
SOURCE = "source_key__sys"
TARGET = "target_key__sys"
TARGET_OBJECT = "target_object__sys"
OF_OBJECTS, GENERIC = "object__sys", "generic__sys"
FIXED = (KEY, CONNECTION, NAME, TYPE, SOURCE)

CONNECTIONS = (
    "SELECT id, api_name__sys FROM records.connection__sys WHERE id = ANY($1::text[])"
)
# As the Vault names custom components.
_GENERIC_NAME = re.compile(r"[a-z0-9]+(?:_[a-z0-9]+)*__[cv]")


class ReferenceLookupTrigger:
    """Trims the keys of rows, sets the key of each new row, and refuses changes of the fields that form it."""

    columns = (KEY, CONNECTION, NAME, TYPE, SOURCE, TARGET_OBJECT)

    async def before_create(
        self, connection: Connection, caller: Caller, rows: Sequence[NewRow]
    ) -> None:
        """Trim both keys and set the Lookup Key.

        Fail rows with a different key, or with fields that do not match their type.
        """
        del caller
        wanted = {row.values.get(CONNECTION) for row in rows} - {None}
        found = await connection.fetch(CONNECTIONS, list(wanted))
        names = {each["id"]: each["api_name__sys"] for each in found}
        for row in rows:
            values = row.values
            trim_keys(values)
            # A part may be missing: its field is required, and reported as missing later.
            connected = names.get(values.get(CONNECTION), "")
            name, source = values.get(NAME) or "", values.get(SOURCE) or ""
            key = lookup_key(connected, str(name), str(source))
            if values.setdefault(KEY, key) != key:
                row.fail(
                    ErrorType.INVALID_DATA,
                    f"[{KEY}] must be {{connection}}:{{set}}:{{source key}}, or left out",
                )
            problem = _problem(values)
            if problem is not None:
                row.errors.append(problem)

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Refuse changes of the fields that the key consists of; the target's key and object may change."""
        del caller
        trim_keys(changes)
        # A key that differs by white space alone is the same one.
        fixed = [
            name for name in FIXED if changes.get(name, stored[name]) != stored[name]
        ]
        if fixed:
            return ApiError(
                ErrorType.OPERATION_NOT_ALLOWED,
                f"[{fixed[0]}] of a reference lookup cannot be changed; delete it and create another one",
            )
        before = {TYPE: stored[TYPE], TARGET_OBJECT: stored[TARGET_OBJECT]}
        return _problem(before | changes)

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Allow the deletion."""
        del caller, stored
        return None


def trim_keys(values: dict[str, object]) -> None:
    """Trim white space around the keys of a row, which the connector ignores too."""
    for name in (SOURCE, TARGET):
        value = values.get(name)
        if isinstance(value, str):
            values[name] = value.strip()


def lookup_key(connection: str, name: str, source: str) -> str:
    """Return the key of a row, which consists of its connection's API name, its set and its source key."""
    return f"{connection}:{name}:{source}"


def _problem(values: Mapping[str, object]) -> ApiError | None:
    """Return the error of a row that lacks a field which the type of its set requires."""
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

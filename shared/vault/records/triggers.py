"""Rules of one object that the components cannot say: run on every write, in its transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.errors import ApiError
    from shared.vault.records.rows import Row
    from shared.vault.storage.database import Connection


ALWAYS_RULED = frozenset({"user__sys", "connection__sys"})
"""Objects whose rules protect the Vault itself: they hold for calls without triggers too."""


class Trigger(Protocol):
    """Looks at one record before it is updated or deleted; ``columns`` are what it needs of the stored one."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the stored record that the rules look at."""

    def before_update(
        self, caller: Caller, stored: Record, changes: dict[str, object]
    ) -> ApiError | None:
        """Refuse the update with an error, or allow it; may add to ``changes``."""

    def before_delete(self, caller: Caller, stored: Record) -> ApiError | None:
        """Refuse the deletion with an error, or allow it."""


@runtime_checkable
class Follower(Protocol):
    """A trigger that also does something once records have been updated, in the same transaction."""

    async def after_update(
        self,
        connection: Connection,
        caller: Caller,
        updated: Sequence[tuple[Record, Mapping[str, object]]],
    ) -> None:
        """Follow updates: each record as it was stored, and its changes."""


@runtime_checkable
class CreationFollower(Protocol):
    """A trigger that also does something once records have been created, in the same transaction."""

    async def after_create(
        self, connection: Connection, caller: Caller, ids: Sequence[str]
    ) -> None:
        """Follow the creation of these records."""


@runtime_checkable
class Preparer(Protocol):
    """A trigger that also looks at records before they are created."""

    async def before_create(
        self, connection: Connection, caller: Caller, rows: Sequence[Row]
    ) -> None:
        """Add to the values of new records, or fail their rows."""

"""Stores named views of lists: columns, order and selection of records; of one user, or shared with all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from asyncpg import UniqueViolationError

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, authorize, granted
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Connection, Database

MAX_VIEWS = 100  # of one user, over all objects
MAX_LABEL = 80  # characters

# The views of a user are counted and added to by one transaction at a time.
ALONE = (
    "SELECT pg_advisory_xact_lock(hashtextextended('list views of ' || $1::bigint, 0))"
)
COUNT = "SELECT count(*) FROM platform.list_view WHERE user_id = $1"
SAVE = """
INSERT INTO platform.list_view (view_id, user_id, object, label, shared, columns, sort, filters, words, work_list)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
"""
VISIBLE = """
SELECT v.*, u.view_id IS NOT NULL AS usual
FROM platform.list_view v LEFT JOIN platform.usual_view u ON u.view_id = v.view_id AND u.user_id = $1
WHERE v.object = $2 AND (v.user_id = $1 OR v.shared)
ORDER BY v.user_id = $1 DESC, v.label COLLATE "und-x-icu", v.view_id
LIMIT 200
"""
NAME = "UPDATE platform.list_view SET label = $2, shared = $3 WHERE view_id = $1"
SELECT = """
UPDATE platform.list_view SET columns = $2, sort = $3, filters = $4, words = $5, work_list = $6 WHERE view_id = $1
"""
DELETE = "DELETE FROM platform.list_view WHERE view_id = $1"
USE = """
INSERT INTO platform.usual_view (user_id, object, view_id) VALUES ($1, $2, $3)
ON CONFLICT (user_id, object) DO UPDATE SET view_id = excluded.view_id
"""
USE_NONE = "DELETE FROM platform.usual_view WHERE user_id = $1 AND object = $2 AND view_id = $3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The content of a list: its columns, order and records; empty members mean the default.

    ``sort`` is the field of the order, preceded by ``-`` for descending; ``filters`` are values by field, ``words``
    are words that records must contain, ``work_list`` the name of a list of the home page.
    """

    columns: tuple[str, ...] = ()
    sort: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    words: str = ""
    work_list: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListView:
    """A view as one user sees it: ``usual`` if it is the default of their list, ``own`` if they created it."""

    view_id: UUID
    object_name: str
    label: str
    shared: bool
    own: bool
    usual: bool
    selection: Selection


class ListViews:
    """Saves, changes and finds the views of lists."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def visible(self, caller: Caller, object_name: str) -> list[ListView]:
        """Return the views of an object's list that the caller sees: their own, then shared ones."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(VISIBLE, caller.user_id, object_name)
        return [_view(row, caller) for row in rows]

    def may_change(self, caller: Caller, view: ListView) -> bool:
        """Return whether the caller may change a view: a shared one with the permission to share, or their own."""
        # Their own shared one, too: a delegate changes nothing that all see, nor does who may not share any more.
        if view.shared:
            return granted(caller, Grant.SHARE_VIEWS)
        return view.own

    async def save(
        self,
        caller: Caller,
        object_name: str,
        label: str,
        selection: Selection,
        *,
        shared: bool,
    ) -> UUID:
        """Save a new view and return its id.

        :raises VaultFault: INVALID_DATA for an empty or too long name, or that of another view of theirs;
            OPERATION_NOT_ALLOWED when they have too many; INSUFFICIENT_ACCESS when they may not share views.
        """
        name = _label(label)
        if shared:
            authorize(caller, Grant.SHARE_VIEWS)
        view_id = uuid4()
        values = _values(selection)
        async with self._database.transaction() as connection:
            await connection.execute(ALONE, caller.user_id)
            if await connection.fetchval(COUNT, caller.user_id) >= MAX_VIEWS:
                message = f"You have {MAX_VIEWS} views, which is the most; delete one that you no longer need"
                raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
            row = (view_id, caller.user_id, object_name, name, shared, *values)
            await _named(connection, SAVE, *row)
        return view_id

    async def rename(
        self, caller: Caller, view: ListView, label: str, *, shared: bool
    ) -> None:
        """Rename a view, and set whether it is shared with all users.

        :raises VaultFault: as ``save``.
        """
        self._authorize(caller, view)
        if shared and not view.shared:
            authorize(caller, Grant.SHARE_VIEWS)
        name = _label(label)
        async with self._database.transaction() as connection:
            await _named(connection, NAME, view.view_id, name, shared)

    async def select(
        self, caller: Caller, view: ListView, selection: Selection
    ) -> None:
        """Replace the content of a view.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        self._authorize(caller, view)
        await self._execute(SELECT, view.view_id, *_values(selection))

    async def delete(self, caller: Caller, view: ListView) -> None:
        """Delete a view.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        self._authorize(caller, view)
        await self._execute(DELETE, view.view_id)

    async def use(self, caller: Caller, view: ListView, *, usual: bool) -> None:
        """Make a view the default of the caller's list; with ``usual`` False, the list has no default any more."""
        statement = USE if usual else USE_NONE
        await self._execute(statement, caller.user_id, view.object_name, view.view_id)

    def _authorize(self, caller: Caller, view: ListView) -> None:
        if not self.may_change(caller, view):
            message = f"The view [{view.label}] is another user's or shared; save it under a name of your own"
            raise VaultFault(ErrorType.INSUFFICIENT_ACCESS, message)

    async def _execute(self, statement: str, *parameters: object) -> None:
        async with self._database.connection() as connection:
            await connection.execute(statement, *parameters)


def _label(label: str) -> str:
    """Return the name of a view as stored, with single spaces.

    :raises VaultFault: INVALID_DATA when the name is empty or too long.
    """
    name = " ".join(label.replace("\0", " ").split())
    if not name or len(name) > MAX_LABEL:
        message = f"Give the view a name of 1 to {MAX_LABEL} characters"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return name


async def _named(connection: Connection, statement: str, *parameters: object) -> None:
    """Execute a statement that names a view.

    :raises VaultFault: INVALID_DATA when another view of the user's list has this name.
    """
    try:
        await connection.execute(statement, *parameters)
    except UniqueViolationError:
        message = "Another view of this list has this name; choose another name"
        raise VaultFault(ErrorType.INVALID_DATA, message) from None


def _values(selection: Selection) -> tuple[object, ...]:
    """Return the values of a row, in the order of the statements."""
    filters = json.dumps(dict(selection.filters))
    columns = list(selection.columns)
    return columns, selection.sort, filters, selection.words, selection.work_list


def _view(row: Record, caller: Caller) -> ListView:
    selection = Selection(
        columns=tuple(row["columns"]),
        sort=row["sort"],
        filters=json.loads(row["filters"]),
        words=row["words"],
        work_list=row["work_list"],
    )
    return ListView(
        view_id=row["view_id"],
        object_name=row["object"],
        label=row["label"],
        shared=row["shared"],
        own=row["user_id"] == caller.user_id,
        usual=row["usual"],
        selection=selection,
    )

"""Carries out the user calls of the API; users are records of ``user__sys``."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller, on_behalf_of
from shared.vault.access.permissions import (
    Operation,
    in_person,
    may,
    require,
    require_all_of,
    require_own,
)
from shared.vault.errors import VaultFault
from shared.vault.records.rows import MAX_ROWS, RowResult
from shared.vault.security.user_fields import (
    REQUIRED,
    TEXTS,
    UserRow,
    as_sent,
    complete,
    read_user,
    user_json,
)
from shared.vault.security.user_records import OBJECT
from shared.vault.storage.database import also_in_unit_of_work

if TYPE_CHECKING:
    from shared.vault.records.record_service import RecordService
    from shared.vault.security.sign_in_service import SignInService
    from shared.vault.storage.database import Connection, Database

# A user is in a group by membership, or by the security profile.
SELECT = """
SELECT c.user_id, c.username, c.security_profile, c.active, c.password_change_required, c.last_login, u.*,
    array(SELECT g.id FROM platform.user_group g
        WHERE g.active AND (c.security_profile = ANY(g.security_profiles) OR EXISTS (
            SELECT FROM platform.user_group_member m WHERE m.group_id = g.id AND m.user_id = c.user_id))
        ORDER BY g.id) AS group_ids
FROM platform.credential c JOIN records.user__sys u ON u.id = c.user_id::text
"""
ONE = f"{SELECT} WHERE c.user_id = $1"
COUNT = "SELECT count(*) FROM records.user__sys"
MUST_CHANGE = (
    "UPDATE platform.credential SET password_change_required = $2 WHERE user_id = $1"
)
PROFILES = "SELECT DISTINCT security_profile FROM platform.credential WHERE user_id = ANY($1::bigint[])"
USERNAMES = "SELECT username FROM platform.credential WHERE username = ANY($1::text[])"
SORTS = {"id": "c.user_id", **{name: f"u.{column}" for name, column in TEXTS.items()}}

Write = Callable[[Caller, list[dict[str, object]]], Awaitable[list[RowResult]]]
Source = Sequence[Mapping[str, object]]


class UserService:
    """Carries out the user calls of the API; ``vault_id`` is the one Vault that the users are members of."""

    def __init__(
        self,
        database: Database,
        records: RecordService,
        security: SignInService,
        vault_id: int,
    ) -> None:
        self._database = database
        self._records = records
        self._security = security
        self._vault_id = vault_id

    async def get(
        self,
        caller: Caller,
        user_id: int,
        *,
        membership: bool = False,
        licensing: bool = False,
    ) -> dict[str, object]:
        """Return a user; in a delegated session the caller's own user also has the delegate's id.

        :raises VaultFault: INSUFFICIENT_ACCESS, and USER_NOT_FOUND when there is no such user.
        """
        require_own(caller, user_id, OBJECT, Operation.READ)
        async with self._database.connection() as connection:
            user = await connection.fetchrow(ONE, user_id)
        if user is None:
            raise VaultFault(ErrorType.USER_NOT_FOUND, "There is no user with this id")
        shown = user_json(
            user,
            self._vault_id,
            membership=membership,
            licensing=licensing,
        )
        if user_id == caller.user_id and caller.delegate_user_id is not None:
            shown["delegate_user_id"] = caller.delegate_user_id
        return shown

    async def page(
        self,
        caller: Caller,
        limit: int,
        start: int,
        sort: str,
        *,
        membership: bool = False,
        licensing: bool = False,
    ) -> list[dict[str, object]]:
        """Return a page of users; ``sort`` is a field and ``asc`` or ``desc``.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA for another ``sort``.
        """
        require(caller, OBJECT, Operation.READ)
        name, _, direction = sort.strip().partition(" ")
        # Nothing else gets into the text of the statement.
        if name not in SORTS or direction.strip().lower() not in ("", "asc", "desc"):
            raise VaultFault(
                ErrorType.INVALID_DATA, "[sort] takes a field of a user and asc or desc"
            )
        # The id comes last, so that pages do not overlap where values are equal.
        order = f"{SORTS[name]} {direction.strip() or 'asc'}, c.user_id"
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                f"{SELECT} ORDER BY {order} LIMIT $1 OFFSET $2",
                limit,
                start,
            )
        return [
            user_json(row, self._vault_id, membership=membership, licensing=licensing)
            for row in rows
        ]

    async def create(self, caller: Caller, rows: Source) -> list[RowResult]:
        """Create users, each with or without a password; results in input order.

        :raises VaultFault: for the call as a whole: INSUFFICIENT_ACCESS, PARAMETER_REQUIRED, INVALID_DATA.
        """
        require(caller, OBJECT, Operation.CREATE)
        read = self._read(rows)
        for row in read:
            complete(row)
        return await self._store(
            caller,
            read,
            lambda as_, records: self._records.create(as_, OBJECT, records),
        )

    async def upsert(
        self,
        caller: Caller,
        rows: Source,
        id_param: str,
    ) -> list[RowResult]:
        """Create users or change existing ones; ``id_param`` is ``user_name__v``, or ``id`` for existing users only.

        :raises VaultFault: for the call as a whole: INSUFFICIENT_ACCESS, PARAMETER_REQUIRED, INVALID_DATA.
        """
        if id_param == "id":
            return await self.update(caller, rows)
        if id_param != "user_name__v":
            raise VaultFault(ErrorType.INVALID_DATA, "[idParam] is id or user_name__v")
        require(caller, OBJECT, Operation.CREATE)
        read, key = self._read(rows), TEXTS[id_param]
        stored = await self._stored_names([str(row.record.get(key)) for row in read])
        for row in read:
            if row.record.get(key) not in stored:
                complete(row)
            row.record.pop("id", None)
        return await self._store(
            caller,
            read,
            lambda as_, records: self._records.upsert(as_, OBJECT, records, key),
        )

    async def update(
        self, caller: Caller, rows: Source, *, seen: str | None = None
    ) -> list[RowResult]:
        """Change users, each named by ``id``; results in input order.

        Users who were changed after ``seen``, the modified date that the caller has read, fail with RACE_CONDITION.

        :raises VaultFault: for the call as a whole: INSUFFICIENT_ACCESS, PARAMETER_REQUIRED, INVALID_DATA.
        """
        require(caller, OBJECT, Operation.EDIT)
        read = self._read(rows)
        for row in read:
            if not row.record.get("id"):
                row.fail(
                    ErrorType.PARAMETER_REQUIRED, "Missing required parameter [id]"
                )
        return await self._store(caller, read, self._updating(seen))

    async def update_one(
        self,
        caller: Caller,
        user_id: int,
        fields: Mapping[str, object],
        seen: str | None = None,
    ) -> RowResult:
        """Change a user; callers may always change some fields of their own user.

        ``seen`` is that of ``update``.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        if user_id != caller.user_id or may(caller, OBJECT, Operation.EDIT):
            row = {**fields, "id": user_id}
            (result,) = await self.update(caller, [row], seen=seen)
            return result
        in_person(caller)
        own = read_user(fields, self._vault_id, own=True)
        own.record["id"] = str(user_id)
        (result,) = await self._store(on_behalf_of(caller), [own], self._updating(seen))
        return result

    def _updating(self, seen: str | None) -> Write:
        return lambda as_, rows: self._records.update(
            as_, OBJECT, rows, unchanged_since=seen
        )

    def _read(self, rows: Source) -> list[UserRow]:
        if not rows:
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, "The call has no rows")
        if len(rows) > MAX_ROWS:
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"A call takes at most {MAX_ROWS} rows; {len(rows)} were sent",
            )
        return [read_user(row, self._vault_id) for row in rows]

    async def _store(
        self,
        caller: Caller,
        read: list[UserRow],
        write: Write,
    ) -> list[RowResult]:
        """Write the records of the rows without errors, and in the same transaction their passwords."""
        # Before the transaction: hashing takes its time, and a transaction holds a connection.
        await self._hash_all(read)
        good = [row for row in read if not row.errors]

        async def keep_passwords(connection: Connection, stored: object) -> None:
            # What the unit of work of the records returns: their results.
            if isinstance(stored, list):
                await self._require_rights_of_users(connection, caller, good, stored)
                for row, record in zip(good, stored, strict=True):
                    await self._keep_password(connection, caller, row, record)

        written: Iterator[RowResult] = iter(())
        if good:
            records = [row.record for row in good]
            with also_in_unit_of_work(keep_passwords):
                written = map(_as_sent, await write(caller, records))
        results: list[RowResult] = []
        for row in read:
            refused = RowResult(id=_id(row), errors=tuple(row.errors))
            # Rows without errors have gone through the records, in their order.
            results.append(refused if row.errors else next(written))
        return results

    async def _hash_all(self, read: list[UserRow]) -> None:
        """Hash the passwords of rows; fail the rows whose passwords are not allowed."""
        wanted = [row for row in read if row.password is not None and not row.errors]
        ids = [number for row in wanted if (number := _number(row)) is not None]
        stored = await self._security.names_of(ids) if ids else {}
        hashing = []
        for row in wanted:
            sent = tuple(str(row.record.get(TEXTS[name]) or "") for name in REQUIRED)
            known = stored.get(_number(row) or 0, ())
            hashing.append(self._hash(row, (*sent, *known)))
        await asyncio.gather(*hashing)

    async def _hash(self, row: UserRow, names: Sequence[str]) -> None:
        password = row.password or ""
        try:
            row.password_hash = await self._security.passwords.hash(password, names)
        except VaultFault as fault:
            row.errors.append(fault.error)

    async def _require_rights_of_users(
        self,
        connection: Connection,
        caller: Caller,
        rows: list[UserRow],
        records: list[RowResult],
    ) -> None:
        """Check that a call changes no sign-in of a user with more permissions, as whom the caller could then sign in.

        :raises VaultFault: INSUFFICIENT_ACCESS when it does.
        """
        concerned: list[int] = []
        for row, record in zip(rows, records, strict=True):
            sets = row.password_hash is not None or row.change_required is not None
            other = record.ok and record.id not in (None, str(caller.user_id))
            if sets and other:
                concerned.append(int(record.id or 0))
        if not concerned:
            return
        for user in await connection.fetch(PROFILES, concerned):
            profile = self._security.profiles.in_full(user["security_profile"])
            require_all_of(caller, profile)

    async def _keep_password(
        self,
        connection: Connection,
        caller: Caller,
        row: UserRow,
        record: RowResult,
    ) -> None:
        """Store the password of a row whose record has been written, and mark the row as changed."""
        if record.errors or record.id is None:
            return
        user_id, required = int(record.id), row.change_required
        if row.password_hash is not None:
            await self._security.set_password(
                connection,
                caller,
                user_id,
                row.password_hash,
                change_required=bool(required),
            )
            record.warning = None
        elif required is not None:
            await connection.execute(MUST_CHANGE, user_id, required)
            record.warning = None

    async def _stored_names(self, names: Sequence[str]) -> set[str]:
        # PostgreSQL takes no text with NUL; a name with one is refused later, as a value of its field.
        known = [name.replace("\x00", "") for name in names]
        async with self._database.connection() as connection:
            rows = await connection.fetch(USERNAMES, known)
        return {row["username"] for row in rows}


def _number(row: UserRow) -> int | None:
    """Return the user's id in a row as a number; None when it has none."""
    text = _id(row) or ""
    # Ids of users have no more digits than a bigint.
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _as_sent(result: RowResult) -> RowResult:
    """Return the result of a record with errors in terms of its user."""
    errors = tuple(map(as_sent, result.errors))
    return replace(result, errors=errors)


def _id(row: UserRow) -> str | None:
    record_id = row.record.get("id")
    if record_id is None:
        return None
    return str(record_id)

"""Finds users by the value of one attribute, and counts them by license."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, require
from shared.vault.errors import VaultFault
from shared.vault.security.user_fields import DEFAULTS, LICENSE, user_json
from shared.vault.security.user_records import OBJECT
from shared.vault.security.user_service import SELECT

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.storage.database import Database

COUNT = "SELECT count(*) FROM platform.credential c JOIN records.user__sys u ON u.id = c.user_id::text"
LICENSES = f"""
SELECT coalesce(u.{LICENSE}, $1) AS license, count(*) AS used
FROM platform.credential c JOIN records.user__sys u ON u.id = c.user_id::text WHERE c.active GROUP BY 1
"""
SEARCHED: Mapping[str, str] = {
    "id": "c.user_id::text",
    "username": "c.username",
    "active": "c.active::text",
    "displayname": "concat_ws(' ', u.first_name__sys, u.last_name__sys)",
    "name.givenname": "u.first_name__sys",
    "name.familyname": "u.last_name__sys",
    "emails": "u.email__sys",
    "emails.value": "u.email__sys",
    "timezone": "u.timezone__sys",
    "locale": "u.locale__sys",
    "preferredlanguage": "u.language__sys",
    "securityprofile": "c.security_profile",
    "licensetype": f"u.{LICENSE}",
}
"""Attributes by which users can be found, in lower case, and the SQL of each."""
UNSORTED = frozenset({"securityprofile", "locale", "preferredlanguage"})
# Numbers in the order of numbers.
SORTED = {
    name: "c.user_id" if name == "id" else sql
    for name, sql in SEARCHED.items()
    if name not in UNSORTED
}


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which users to find, and which page of them.

    Users are found by the ``value`` of an ``attribute``, all without one, and sorted by the attribute ``sort_by``.
    """

    attribute: str | None = None
    value: str = ""
    sort_by: str = "id"
    descending: bool = False
    limit: int = 1000
    offset: int = 0


@dataclass(frozen=True, slots=True)
class FoundUsers:
    """A page of users in the format of ``GET /objects/users``, and the number of all that match."""

    users: list[dict[str, object]]
    total: int


class UserDirectory:
    """Finds and counts the users of a Vault."""

    def __init__(self, database: Database, vault_id: int) -> None:
        self._database = database
        self._vault_id = vault_id

    async def find(self, caller: Caller, wanted: UserFilter) -> FoundUsers:
        """Return a page of the users with a value, ignoring case.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA for an attribute that is not searched or sorted by.
        """
        require(caller, OBJECT, Operation.READ)
        direction = "DESC" if wanted.descending else "ASC"
        column = _sql(SORTED, wanted.sort_by)
        order = f"ORDER BY {column} {direction}, c.user_id"
        where, parameters = "", []
        if wanted.attribute is not None:
            where = f"WHERE lower({_sql(SEARCHED, wanted.attribute)}) = lower($1)"
            # PostgreSQL takes no text with NUL, and no user has one.
            parameters = [wanted.value.replace("\x00", "")]
        n = len(parameters)
        page = f"{SELECT} {where} {order} LIMIT ${n + 1} OFFSET ${n + 2}"
        async with self._database.query_connection(caller.user_id) as connection:
            total = await connection.fetchval(f"{COUNT} {where}", *parameters)
            rows = await connection.fetch(
                page, *parameters, wanted.limit, wanted.offset
            )
        return FoundUsers([user_json(row, self._vault_id) for row in rows], total)

    async def licenses(self, caller: Caller) -> dict[str, int]:
        """Return the number of active users by license type.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        require(caller, OBJECT, Operation.READ)
        async with self._database.connection() as connection:
            rows = await connection.fetch(LICENSES, DEFAULTS[LICENSE])
        return {row["license"]: row["used"] for row in rows}


def _sql(attributes: Mapping[str, str], name: str) -> str:
    """Return the SQL of a known attribute, so that no caller's text gets into a statement.

    :raises VaultFault: INVALID_DATA for another attribute.
    """
    found = attributes.get(name.lower())
    if found is None:
        message = f"Users are not found or sorted by [{name[:100]}]"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return found

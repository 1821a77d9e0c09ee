"""Carries out the group calls; a group has users by membership or by their security profile."""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, assert_never

import asyncpg

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.protocol.whole_numbers import whole_number
from shared.vault.access.permissions import Operation, require
from shared.vault.audit import audit_entries as entries
from shared.vault.audit.audit_entries import AuditAction
from shared.vault.components.naming import name_of_label
from shared.vault.components.platform import SECURITY_PROFILES
from shared.vault.errors import VaultFault

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database

OBJECT = "group__sys"
MAX_LABEL = 255
MAX_DESCRIPTION = 200
MAX_MEMBERS = 10_000
MEMBERS = re.compile(
    r"\s*+(?:(add|delete)\s*+\(([\d\s,]*+)\)\s*+|([\d\s,]*+))",
    re.IGNORECASE | re.ASCII,
)

SELECT = """
SELECT g.*, array(SELECT m.user_id FROM platform.user_group_member m WHERE m.group_id = g.id ORDER BY 1) AS members,
    array(SELECT c.user_id FROM platform.credential c
        WHERE c.active AND c.security_profile = ANY(g.security_profiles) ORDER BY c.user_id) AS implied,
    array(SELECT c.security_profile FROM platform.credential c
        WHERE c.active AND c.security_profile = ANY(g.security_profiles) ORDER BY c.user_id) AS implied_by
FROM platform.user_group g
"""
# The whole group as one text: so the audit trail has it before and after a change.
STATE = """
SELECT (to_jsonb(g) || jsonb_build_object('members', array(
    SELECT m.user_id FROM platform.user_group_member m WHERE m.group_id = g.id ORDER BY 1)))::text
FROM platform.user_group g WHERE g.id = $1
"""
LOCK = "SELECT system_group, modified_date FROM platform.user_group WHERE id = $1 FOR UPDATE"
REMOVE_MEMBERS = "DELETE FROM platform.user_group_member WHERE group_id = $1 AND user_id = ANY($2::bigint[])"
CLEAR_MEMBERS = "DELETE FROM platform.user_group_member WHERE group_id = $1"
COUNT_USERS = (
    "SELECT count(*) FROM platform.credential WHERE user_id = ANY($1::bigint[])"
)
ADD_MEMBERS = """
INSERT INTO platform.user_group_member (group_id, user_id) SELECT $1, unnest($2::bigint[]) ON CONFLICT DO NOTHING
"""
PROFILES_FIELD = "security_profiles__v"
COLUMNS = {
    "label__v": "label",
    "active__v": "active",
    "group_description__v": "description",
    "allow_delegation_among_members__v": "allow_delegation_among_members",
    PROFILES_FIELD: "security_profiles",
}
MEMBERS_FIELD = "members__v"
# What makes a user an implied member; the component type of security profiles.
PROFILE_TYPE = "Securityprofile"
# Fields that are true or false; the others are text.
FLAGS = frozenset({"active__v", "allow_delegation_among_members__v"})
LENGTHS = {"label__v": MAX_LABEL, "group_description__v": MAX_DESCRIPTION}


class MemberChange(StrEnum):
    """The ways in which a call changes the members of a group."""

    SET = "set"
    ADD = "add"
    DELETE = "delete"


class Members(NamedTuple):
    """A change of a group's members, and the ids of the users that it concerns."""

    change: MemberChange
    users: list[int]


NO_MEMBERS = Members(MemberChange.SET, [])


class GroupService:
    """Carries out the group calls of the API."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def all(
        self, caller: Caller, *, implied: bool = False
    ) -> list[dict[str, object]]:
        """Return all groups; with ``implied`` also the members by security profile.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        require(caller, OBJECT, Operation.READ)
        async with self._database.connection() as connection:
            groups = await connection.fetch(f"{SELECT} ORDER BY g.id")
        return [_json(group, implied=implied) for group in groups]

    async def get(
        self,
        caller: Caller,
        group_id: int,
        *,
        implied: bool = False,
    ) -> dict[str, object]:
        """Return one group; with ``implied`` also the members by security profile.

        :raises VaultFault: INSUFFICIENT_ACCESS, and INVALID_DATA when there is no such group.
        """
        require(caller, OBJECT, Operation.READ)
        async with self._database.connection() as connection:
            group = await connection.fetchrow(f"{SELECT} WHERE g.id = $1", group_id)
        if group is None:
            raise _unknown()
        return _json(group, implied=implied)

    async def create(self, caller: Caller, fields: Mapping[str, str]) -> int:
        """Create a group, named after its label, and return its id.

        :raises VaultFault: INSUFFICIENT_ACCESS, PARAMETER_REQUIRED, INVALID_DATA, ATTRIBUTE_NOT_SUPPORTED,
            OPERATION_NOT_ALLOWED when the name is taken, USER_NOT_FOUND.
        """
        require(caller, OBJECT, Operation.CREATE)
        values, members = self._read(fields)
        if not values.get("label"):
            raise VaultFault(
                ErrorType.PARAMETER_REQUIRED, "Missing required parameter [label__v]"
            )
        values["name"] = name_of_label(str(values["label"]))
        values["created_by"] = caller.user_id
        values["modified_by"] = caller.user_id
        # The names are those of a constant, never what a caller has sent.
        names = ", ".join(values)
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        sql = (
            f"INSERT INTO platform.user_group ({names}) VALUES ({places}) RETURNING id"
        )
        try:
            async with self._database.transaction() as connection:
                group_id = int(await connection.fetchval(sql, *values.values()))
                await _change_members(connection, group_id, members or NO_MEMBERS)
                await _note(connection, caller, group_id, AuditAction.CREATE, None)
        # The index decides, not a look before: another call may take the name meanwhile.
        except asyncpg.UniqueViolationError as error:
            message = f"Another resource already exists with [name__v={values['name']}]"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error
        return group_id

    async def update(
        self,
        caller: Caller,
        group_id: int,
        fields: Mapping[str, str],
        seen: str | None = None,
    ) -> None:
        """Change a group; ``members__v`` replaces, adds or deletes members, as ``read_members`` reads it.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, ATTRIBUTE_NOT_SUPPORTED, USER_NOT_FOUND,
            OPERATION_NOT_ALLOWED for the members of a system group; RACE_CONDITION when it was changed after ``seen``.
        """
        require(caller, OBJECT, Operation.EDIT)
        values, members = self._read(fields)
        # Left out, the label stays; empty, it is refused.
        if not values.get("label", "x"):
            message = "Missing required parameter [label__v]"
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
        sets = "".join(f", {name} = ${n}" for n, name in enumerate(values, 3))
        sql = f"UPDATE platform.user_group SET modified_by = $2, modified_date = now(){sets} WHERE id = $1"
        async with self._database.transaction() as connection:
            # Delegation among members is the one attribute of a system group that may be changed.
            await _open_group(
                connection,
                group_id,
                changing=set(values) - {"allow_delegation_among_members"},
                members=members,
                seen=seen,
            )
            before = await connection.fetchval(STATE, group_id)
            await connection.execute(sql, group_id, caller.user_id, *values.values())
            if members is not None:
                await _change_members(connection, group_id, members)
            await _note(connection, caller, group_id, AuditAction.EDIT, before)

    async def delete(self, caller: Caller, group_id: int) -> None:
        """Delete a group that is not a system group.

        :raises VaultFault: INSUFFICIENT_ACCESS, INVALID_DATA, OPERATION_NOT_ALLOWED.
        """
        require(caller, OBJECT, Operation.DELETE)
        async with self._database.transaction() as connection:
            # To delete is a change that a group of the system does not take.
            await _open_group(connection, group_id, changing={"id"}, members=None)
            before = await connection.fetchval(STATE, group_id)
            await connection.execute(
                "DELETE FROM platform.user_group WHERE id = $1", group_id
            )
            await _note(connection, caller, group_id, AuditAction.DELETE, before)

    def _read(
        self, fields: Mapping[str, str]
    ) -> tuple[dict[str, object], Members | None]:
        values, members = _read(fields)
        # The picklist has every security profile, those that components make among them.
        known = self._components.registry.picklists[SECURITY_PROFILES.name].entries
        named = values.get(COLUMNS[PROFILES_FIELD], [])
        if isinstance(named, list) and not set(named) <= set(known):
            raise VaultFault(
                ErrorType.INVALID_DATA,
                f"[{PROFILES_FIELD}] names a security profile that does not exist",
            )
        return values, members


async def _note(
    connection: Connection,
    caller: Caller,
    group_id: int,
    action: AuditAction,
    before: str | None,
) -> None:
    """Write the entry of a change of a group to the audit trail, with its members."""
    after = await connection.fetchval(STATE, group_id)
    await entries.write_entry(
        connection,
        caller,
        entries.DOMAIN,
        action,
        f"Group.{group_id}",
        before=before,
        after=after,
    )


async def _open_group(
    connection: Connection,
    group_id: int,
    *,
    changing: set[str],
    members: Members | None,
    seen: str | None = None,
) -> None:
    """Lock a group for a change of these columns and members.

    :raises VaultFault: INVALID_DATA when there is no such group; OPERATION_NOT_ALLOWED for a change of a system group
        other than whether its members may delegate among themselves; RACE_CONDITION when it was changed after ``seen``.
    """
    row = await connection.fetchrow(LOCK, group_id)
    if row is None:
        raise _unknown()
    if seen is not None and date_time_text(row["modified_date"]) != seen:
        raise VaultFault(ErrorType.RACE_CONDITION, "The group was changed meanwhile")
    if row["system_group"] and (changing or members is not None):
        message = "The group is managed by the system"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)


async def _change_members(
    connection: Connection,
    group_id: int,
    members: Members,
) -> None:
    match members.change:
        case MemberChange.DELETE:
            await connection.execute(REMOVE_MEMBERS, group_id, members.users)
        case MemberChange.SET:
            await connection.execute(CLEAR_MEMBERS, group_id)
            await _add_members(connection, group_id, members.users)
        case MemberChange.ADD:
            await _add_members(connection, group_id, members.users)
        case _:
            assert_never(members.change)


async def _add_members(
    connection: Connection,
    group_id: int,
    users: list[int],
) -> None:
    # Counted, so that one statement finds out whether all of them exist.
    known = await connection.fetchval(COUNT_USERS, users)
    if known != len(users):
        raise VaultFault(
            ErrorType.USER_NOT_FOUND, "[members__v] names a user who does not exist"
        )
    await connection.execute(ADD_MEMBERS, group_id, users)


def _read(
    fields: Mapping[str, str],
) -> tuple[dict[str, object], Members | None]:
    """Return the column values of a call's fields, and the change of members; None when the call has no members."""
    values: dict[str, object] = {}
    members = None
    for name, text in fields.items():
        if name == MEMBERS_FIELD:
            members = read_members(text)
        elif name not in COLUMNS:
            raise VaultFault(
                ErrorType.ATTRIBUTE_NOT_SUPPORTED,
                f"A group has no field [{name[:100]}]",
            )
        else:
            values[COLUMNS[name]] = _value(name, text)
    return values, members


def _value(name: str, text: str) -> object:
    if name in FLAGS:
        if text.lower() not in ("true", "false"):
            raise VaultFault(ErrorType.INVALID_DATA, f"[{name}] takes true or false")
        return text.lower() == "true"
    if name == PROFILES_FIELD:
        profiles = [part.strip() for part in text.split(",") if part.strip()]
        return sorted(set(profiles))
    if len(text) > LENGTHS[name] or "\x00" in text:
        raise VaultFault(
            ErrorType.INVALID_DATA, f"[{name}] holds at most {LENGTHS[name]} characters"
        )
    return text.strip()


def read_members(text: str) -> Members:
    """Return the change in a text: ``1,2`` replaces the members, ``add (1,2)`` and ``delete (1,2)`` change some.

    :raises VaultFault: INVALID_DATA when the text has another form, or names too many users.
    """
    match = MEMBERS.fullmatch(text)
    if match is None:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "[members__v] takes ids of users, or add (…) or delete (…) with them",
        )
    parts = (match[2] if match[1] else match[3]).split(",")
    texts = [part.strip() for part in parts]
    # Two ids with a space and no comma between them are not one id.
    numbers = [whole_number(text) for text in texts if text]
    users = sorted({number for number in numbers if number is not None})
    if None in numbers or len(users) > MAX_MEMBERS:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"[members__v] takes at most {MAX_MEMBERS} ids of users",
        )
    change = MemberChange(match[1].lower()) if match[1] else MemberChange.SET
    return Members(change, users)


def _json(group: Record, *, implied: bool) -> dict[str, object]:
    by_system = group["system_group"]
    shown: dict[str, object] = {
        "id": group["id"],
        "name__v": group["name"],
        "label__v": group["label"],
        "active__v": group["active"],
        "type__v": "System Provided Group" if by_system else "User Managed Group",
        "editable__v": not by_system,
        "system_group__v": by_system,
        "allow_delegation_among_members__v": group["allow_delegation_among_members"],
        "group_description__v": group["description"],
        "members__v": group["members"],
        "security_profiles__v": group["security_profiles"],
        "created_by__v": group["created_by"],
        "created_date__v": date_time_text(group["created_date"]),
        "modified_by__v": group["modified_by"],
        "modified_date__v": date_time_text(group["modified_date"]),
    }
    if implied:
        shown["implied_members__v"] = _implied(group)
    return shown


def _implied(group: Record) -> list[dict[str, object]]:
    """Return the members by security profile: each with its id, and the reason of its membership.

    Vault API reference, Retrieve All Groups; the members are those that the vendor's Java client reads.
    """
    members = zip(group["implied"], group["implied_by"], strict=True)
    return [
        {"id": user_id, "source_name": profile, "source_type": PROFILE_TYPE}
        for user_id, profile in members
    ]


def _unknown() -> VaultFault:
    return VaultFault(ErrorType.INVALID_DATA, "There is no group with this id")

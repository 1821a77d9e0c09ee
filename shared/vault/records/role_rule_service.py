"""Carries out the calls on role assignment rules: lists, creates, changes and deletes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import (
    AuditTrail,
    Operation,
    authorize_components,
    may,
    require,
)
from shared.vault.audit import audit_entries as entries
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.component_model import Field, FieldType
from shared.vault.model.field_types import table
from shared.vault.records.record_roles import roles_of

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Connection, Database

LIFECYCLE = "lifecycle__v"
ROLE = "role__v"
NAME = ".name__v"
OWNER = "owner__v"
HOLDERS = {
    "allowed_users__v": "allowed_users",
    "allowed_groups__v": "allowed_groups",
    "allowed_default_users__v": "default_users",
    "allowed_default_groups__v": "default_groups",
}
"""The parameters of the users and groups that may have a role, or have it by default, and the columns of their ids."""

MAX_NAMED = 1000  # users or groups of one parameter
MAX_CONDITIONS = 10

USERS = "SELECT username AS name, user_id AS id FROM platform.credential WHERE username = ANY($1::text[])"
GROUPS = "SELECT name, id FROM platform.user_group WHERE name = ANY($1::text[])"
NAMES = "ARRAY(SELECT username FROM platform.credential WHERE user_id = ANY({0}) ORDER BY 1) AS {0}"
GROUP_NAMES = "ARRAY(SELECT name FROM platform.user_group g WHERE g.id = ANY({0}) ORDER BY 1) AS {0}"
LISTED = ", ".join(
    (NAMES if column.endswith("users") else GROUP_NAMES).format(column)
    for column in HOLDERS.values()
)
LIST = f"""
SELECT lifecycle, role, conditions, {LISTED} FROM platform.role_assignment_rule
WHERE ($1::text IS NULL OR lifecycle = $1) AND ($2::text IS NULL OR role = $2) AND conditions @> $3::jsonb
AND ($3::jsonb = '{{}}' OR conditions <> '{{}}') ORDER BY lifecycle, role, conditions <> '{{}}', id
"""
CREATE = """
INSERT INTO platform.role_assignment_rule
    (lifecycle, role, conditions, allowed_users, allowed_groups, default_users, default_groups)
VALUES ($1, $2, $3::jsonb, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING id
"""
# What a call does not name stays.
UPDATE = """
UPDATE platform.role_assignment_rule SET allowed_users = coalesce($4, allowed_users),
    allowed_groups = coalesce($5, allowed_groups), default_users = coalesce($6, default_users),
    default_groups = coalesce($7, default_groups)
WHERE lifecycle = $1 AND role = $2 AND conditions = $3::jsonb RETURNING id
"""
DELETE = """
WITH gone AS (
    DELETE FROM platform.role_assignment_rule
    WHERE lifecycle = $1 AND role = $2 AND conditions <> '{}' AND conditions @> $3::jsonb RETURNING id
) SELECT count(*) FROM gone
"""
FIND = "SELECT id FROM {table} WHERE {column} = $1 LIMIT 2"
RECORD_NAME = "SELECT name__v FROM {table} WHERE id = $1"


@dataclass(frozen=True, slots=True)
class RuleKey:
    """The key of a rule: lifecycle, role, and the record ids of its conditions by field."""

    lifecycle: str
    role: str
    conditions: Mapping[str, str]

    @property
    def item(self) -> str:
        """Return the rule's name in the audit trail."""
        conditions = ", ".join(
            f"{name}={value}" for name, value in self.conditions.items()
        )
        return f"Role assignment rule {self.lifecycle}.{self.role} ({conditions})"


class RoleRuleService:
    """Lists and changes the rules; for callers who may change lifecycles."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def listed(
        self,
        caller: Caller,
        lifecycle: str | None,
        role: str | None,
        conditions: Mapping[str, object],
    ) -> list[dict[str, object]]:
        """Return rules in the format of the calls; with conditions, only the overrides that have them.

        :raises VaultFault: INSUFFICIENT_ACCESS; INVALID_DATA for a condition that names no field of the lifecycle.
        """
        _authorize(caller)
        registry = self._components.registry
        async with self._database.connection() as connection:
            wanted = await _conditions(
                connection, registry, caller, lifecycle, conditions
            )
            parameters = (lifecycle, role, json.dumps(wanted))
            rows = await connection.fetch(LIST, *parameters)
            return [await _shown(connection, registry, caller, row) for row in rows]

    async def store(
        self, caller: Caller, rows: Sequence[Mapping[str, object]], *, create: bool
    ) -> list[list[ApiError]]:
        """Create overrides, or change overrides and default rules; return the errors of each row, empty if stored.

        :raises VaultFault: INSUFFICIENT_ACCESS.
        """
        _authorize(caller)
        results: list[list[ApiError]] = []
        for row in rows:
            try:
                async with self._database.transaction() as connection:
                    await self._store(connection, caller, row, create=create)
            except VaultFault as fault:
                results.append([fault.error])
            else:
                results.append([])
        return results

    async def _store(
        self,
        connection: Connection,
        caller: Caller,
        row: Mapping[str, object],
        *,
        create: bool,
    ) -> None:
        key, left = await self._key(connection, caller, row)
        if create and not key.conditions:
            message = "A rule without conditions is the default of its role, which is updated, not created"
            raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
        ids = [await _ids(connection, name, left.get(name)) for name in HOLDERS]
        found = (key.lifecycle, key.role, json.dumps(key.conditions))
        if create or not key.conditions:
            # The default of a role is there before it is set.
            made = await connection.fetchval(
                CREATE, *found, *([] if each is None else each for each in ids)
            )
            if create and made is None:
                message = "There is a rule with these conditions already"
                raise VaultFault(ErrorType.INVALID_DATA, message)
        if not create and await connection.fetchval(UPDATE, *found, *ids) is None:
            message = "There is no rule with these conditions"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        action = entries.CREATE if create else entries.EDIT
        named = {name: left.get(name) for name in HOLDERS if name in left}
        await entries.write_entry(
            connection,
            caller,
            AuditTrail.SYSTEM,
            action,
            key.item,
            after=json.dumps(named),
        )

    async def delete(self, caller: Caller, named: Mapping[str, object]) -> int:
        """Delete the overrides of a role, only those with the named conditions if any are named; return their number.

        :raises VaultFault: INSUFFICIENT_ACCESS, PARAMETER_REQUIRED, INVALID_DATA.
        """
        _authorize(caller)
        async with self._database.transaction() as connection:
            key, _ = await self._key(connection, caller, named)
            found = (key.lifecycle, key.role, json.dumps(key.conditions))
            deleted: int = await connection.fetchval(DELETE, *found)
            if deleted:
                await entries.write_entry(
                    connection, caller, AuditTrail.SYSTEM, entries.DELETE, key.item
                )
        return deleted

    async def _key(
        self, connection: Connection, caller: Caller, row: Mapping[str, object]
    ) -> tuple[RuleKey, dict[str, object]]:
        """Return the key of a row's rule, and the rest of the row.

        :raises VaultFault: PARAMETER_REQUIRED, INVALID_DATA.
        """
        registry = self._components.registry
        left = dict(row)
        lifecycle, role = _text(left.pop(LIFECYCLE, "")), _text(left.pop(ROLE, ""))
        for name, value in ((LIFECYCLE, lifecycle), (ROLE, role)):
            if not value:
                message = f"Missing required parameter [{name}]"
                raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
        if not _fields(registry, lifecycle):
            message = f"There is no lifecycle [{lifecycle[:100]}] of documents or of an object"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        if role == OWNER or role not in roles_of(registry):
            message = f"There is no role [{role[:100]}] that rules can assign"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        named = {name: value for name, value in left.items() if name not in HOLDERS}
        conditions = await _conditions(connection, registry, caller, lifecycle, named)
        return RuleKey(lifecycle, role, conditions), left


def _authorize(caller: Caller) -> None:
    """Check that the caller may change lifecycles, whose rules these are.

    :raises VaultFault: INSUFFICIENT_ACCESS when not.
    """
    authorize_components(caller, [ComponentKind.LIFECYCLE])


def _fields(registry: Registry, lifecycle: str | None) -> dict[str, Field]:
    """Return the fields of records and documents that have this lifecycle, or any lifecycle if it is None."""
    found: dict[str, Field] = {}
    versions = registry.documents.versions
    if versions is not None and (
        lifecycle is None or lifecycle in registry.documents.lifecycles
    ):
        found |= versions.fields
    for target in registry.objects.values():
        if target.lifecycle and lifecycle in (None, target.lifecycle):
            found |= target.fields
    return found


async def _conditions(
    connection: Connection,
    registry: Registry,
    caller: Caller,
    lifecycle: str | None,
    named: Mapping[str, object],
) -> dict[str, str]:
    """Return field → record id; a parameter names the record by id (``product__v``) or name (``product__v.name__v``).

    :raises VaultFault: INVALID_DATA for a parameter that is no reference field of the lifecycle's records, or a record
        that is missing or ambiguous; INSUFFICIENT_ACCESS for records that the caller may not read.
    """
    fields = _fields(registry, lifecycle) if named else {}
    found: dict[str, str] = {}
    for parameter, value in named.items():
        text = _text(value)
        # CSV has a column for each condition that any of its rows has.
        if not text:
            continue
        name = parameter.removesuffix(NAME)
        field = fields.get(name)
        if field is None or field.type is not FieldType.OBJECT or not field.object:
            message = f"[{parameter[:100]}] is no field of this lifecycle that refers to records"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        require(caller, field.object, Operation.READ)
        column = "id" if parameter == name else "name__v"
        sql = FIND.format(table=table(field.object), column=column)
        rows = await connection.fetch(sql, text)
        record_id = rows[0]["id"] if len(rows) == 1 else None
        if record_id is None or found.setdefault(name, record_id) != record_id:
            message = f"[{parameter[:100]}] names no record, or more than one"
            raise VaultFault(ErrorType.INVALID_DATA, message)
    if len(found) > MAX_CONDITIONS:
        message = f"A rule has at most {MAX_CONDITIONS} conditions"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return dict(sorted(found.items()))


async def _ids(
    connection: Connection, parameter: str, value: object
) -> list[int] | None:
    """Return the ids of users or groups in a parameter, None if it is missing.

    :raises VaultFault: INVALID_DATA for a name that nobody has, or too many names.
    """
    if value is None:
        return None
    names = list(dict.fromkeys(_names(value)))
    sql = USERS if "users" in parameter else GROUPS
    rows = await connection.fetch(sql, names) if len(names) <= MAX_NAMED else []
    ids = {row["name"]: row["id"] for row in rows}
    if len(ids) != len(names):
        message = f"[{parameter}] takes the names of at most {MAX_NAMED} users or groups that exist"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return [ids[name] for name in names]


def _names(value: object) -> Iterable[str]:
    """Yield the names in a list, or in a text with commas."""
    parts = value if isinstance(value, list) else str(value).split(",")
    texts = (_text(each) for each in parts)
    return (text for text in texts if text)


def _text(value: object) -> str:
    # PostgreSQL takes no NUL character in a text.
    return "" if value is None else str(value).replace("\x00", "").strip()


async def _shown(
    connection: Connection, registry: Registry, caller: Caller, row: Record
) -> dict[str, object]:
    """Return a rule as calls send it: its conditions by id, and by name where the caller may read the records."""
    shown: dict[str, object] = {LIFECYCLE: row["lifecycle"], ROLE: row["role"]}
    fields = _fields(registry, row["lifecycle"])
    for name, record_id in json.loads(row["conditions"]).items():
        field = fields.get(name)
        owner = field.object if field else None
        if owner in registry.objects and may(caller, str(owner), Operation.READ):
            sql = RECORD_NAME.format(table=table(str(owner)))
            shown[f"{name}{NAME}"] = await connection.fetchval(sql, record_id)
        shown[name] = record_id
    return shown | {name: list(row[column]) for name, column in HOLDERS.items()}

"""Fills the roles of new records and documents as the rules of their lifecycles say."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.components.document_model import DOCUMENT_ID
from shared.vault.model.field_types import DOCUMENTS, quoted, table
from shared.vault.records.record_roles import (
    Assignments,
    Holder,
    RoleChange,
    RoleEdit,
    change_roles,
)

if TYPE_CHECKING:
    from shared.vault.model.component_model import VaultObject
    from shared.vault.storage.database import Connection

# Who has been deactivated or removed since is given nothing.
RULES = """
SELECT lifecycle, role, conditions,
    ARRAY(SELECT user_id FROM platform.credential WHERE active AND user_id = ANY(default_users)) AS users,
    ARRAY(SELECT g.id FROM platform.user_group g WHERE active AND g.id = ANY(default_groups)) AS groups
FROM platform.role_assignment_rule WHERE lifecycle = ANY($1::text[]) ORDER BY id
"""
# The values of fields of records, and of the latest versions of documents.
OF_RECORDS = "SELECT id AS record_id, {fields} FROM {table} WHERE id = ANY($1::text[])"
OF_DOCUMENTS = f"""SELECT {DOCUMENT_ID}::text AS record_id, {{fields}} FROM {{table}}
WHERE {DOCUMENT_ID}::text = ANY($1::text[]) AND latest_version__sys"""


@dataclass(frozen=True, slots=True)
class RoleRule:
    """Who gets a role of a lifecycle: ids of users and groups; ``conditions`` are ids of records by field."""

    lifecycle: str
    role: str
    conditions: Mapping[str, str]
    users: frozenset[int]
    groups: frozenset[int]

    def holds(self, values: Mapping[str, object]) -> bool:
        """Return whether fields with these values refer to all the records that the conditions name."""
        return all(
            _refers(values.get(name), wanted)
            for name, wanted in self.conditions.items()
        )


def _refers(value: object, wanted: str) -> bool:
    return wanted in value if isinstance(value, list) else value == wanted


def deciding(
    rules: Iterable[RoleRule], lifecycle: str, values: Mapping[str, object]
) -> list[RoleRule]:
    """Return for each role the rule that decides: of those that hold the one with most conditions, the earliest."""
    found: dict[str, RoleRule] = {}
    for rule in rules:
        if rule.lifecycle != lifecycle or not rule.holds(values):
            continue
        best = found.get(rule.role)
        if best is None or len(rule.conditions) > len(best.conditions):
            found[rule.role] = rule
    return list(found.values())


async def fill_roles(
    connection: Connection,
    object_name: str,
    stored: VaultObject,
    lifecycles: Mapping[str, str],
) -> list[RoleEdit]:
    """Give the roles of new records to whom the rules name, and return what the caller has to audit.

    ``object_name`` is ``documents`` for documents, of whose versions ``stored`` is the object; ``lifecycles`` are those
    of the records by their ids.
    """
    rows = await connection.fetch(RULES, list(set(lifecycles.values())))
    # Hardly a lifecycle has rules: then nothing is read of the records.
    if not rows:
        return []
    rules = [
        RoleRule(
            row["lifecycle"],
            row["role"],
            json.loads(row["conditions"]),
            frozenset(row["users"]),
            frozenset(row["groups"]),
        )
        for row in rows
    ]
    named = {name for rule in rules for name in rule.conditions}
    fields = sorted(named & stored.fields.keys())
    values = await _values(connection, object_name, stored, list(lifecycles), fields)
    assigned: list[tuple[str, Assignments]] = []
    for record_id, lifecycle in lifecycles.items():
        found = _assignments(deciding(rules, lifecycle, values[record_id]))
        if found:
            assigned.append((record_id, found))
    return await change_roles(connection, object_name, assigned, RoleChange.ADD)


def _assignments(rules: Iterable[RoleRule]) -> Assignments:
    found: dict[tuple[str, Holder], frozenset[int]] = {}
    for rule in rules:
        if rule.users:
            found[rule.role, Holder.USERS] = rule.users
        if rule.groups:
            found[rule.role, Holder.GROUPS] = rule.groups
    return found


async def _values(
    connection: Connection,
    object_name: str,
    stored: VaultObject,
    ids: Sequence[str],
    fields: Sequence[str],
) -> Mapping[str, Mapping[str, object]]:
    """Return the values of fields by record id."""
    if not fields:
        return defaultdict(dict)
    template = OF_DOCUMENTS if object_name == DOCUMENTS else OF_RECORDS
    listed = ", ".join(quoted(name) for name in fields)
    sql = template.format(fields=listed, table=table(stored.name))
    rows = await connection.fetch(sql, ids)
    return {row["record_id"]: dict(row) for row in rows}

"""Finds the participants of a workflow: chosen by its initiator, by roles on the records, by fields and groups."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import whole_number
from shared.vault.components.document_fields import DOCUMENT_ID
from shared.vault.components.workflow_definitions import OWNER
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS, quoted, table

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.components.workflow_definitions import (
        ParticipantControl,
        WorkflowDefinition,
    )
    from shared.vault.storage.database import Connection
    from shared.vault.workflows.workflow_table import WorkflowRow

MAX_PARTICIPANTS = 200
"""Users of one control: each may get a task of their own."""

OWNER_ROLE = "owner__v"
CREATOR = "created_by__v"

_NAMED = re.compile(r"(user|group):([0-9]{1,18})")

# A member by membership, or by security profile; users by their ids, groups by ids and by names.
MEMBERS = """
SELECT user_id FROM platform.credential WHERE active AND user_id = ANY($1::bigint[])
UNION
SELECT c.user_id FROM platform.user_group g JOIN platform.credential c ON c.active AND (
    c.security_profile = ANY(g.security_profiles)
    OR EXISTS (SELECT FROM platform.user_group_member m WHERE m.group_id = g.id AND m.user_id = c.user_id))
WHERE g.active AND (g.id = ANY($2::bigint[]) OR g.name = ANY($3::text[]))
ORDER BY 1
"""
ROLES = """
SELECT user_id, group_id FROM platform.record_role
WHERE object = $1 AND record_id = ANY($2::text[]) AND role = ANY($3::text[])
"""


# The user whom a field of records names, and one of the latest versions of documents.
RECORD = "SELECT {field}::text AS user_id FROM {table} WHERE id = ANY($1::text[])"
DOCUMENT = f"""SELECT {{field}}::text AS user_id FROM {{table}}
WHERE {DOCUMENT_ID}::text = ANY($1::text[]) AND latest_version__sys"""


def chosen(text: str, control: str) -> tuple[list[int], list[int]]:
    """Return the ids of users and of groups that a caller names: ``user:{id},group:{id}``.

    :raises VaultFault: INVALID_DATA when the text has another form, or too many.
    """
    users: list[int] = []
    groups: list[int] = []
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for part in parts:
        match = _NAMED.fullmatch(part)
        if match is None or len(parts) > MAX_PARTICIPANTS:
            message = f"[{control}] takes user:{{id}} and group:{{id}}, separated by commas, at most {MAX_PARTICIPANTS}"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        ids = users if match[1] == "user" else groups
        ids.append(int(match[2]))
    return users, groups


async def named_participants(
    connection: Connection,
    registry: Registry,
    definition: WorkflowDefinition,
    object_name: str,
    record_ids: Sequence[str],
    inputs: Mapping[str, str],
) -> dict[str, list[int]]:
    """Return the users whom the initiator chooses, by control.

    :raises VaultFault: PARAMETER_REQUIRED when a control is left open that only the initiator can fill; INVALID_DATA
        for users who are not active, or who do not belong to the control.
    """
    named: dict[str, list[int]] = {}
    for control in definition.participants.values():
        text = inputs.get(control.name, "")
        if not text.strip():
            if control.chosen:
                message = f"Missing required parameter [{control.name}]"
                raise VaultFault(ErrorType.PARAMETER_REQUIRED, message)
            continue
        users, groups = chosen(text, control.name)
        found = await _members(connection, users, groups)
        belonging = set(found)
        if not control.chosen:
            belonging = set(
                await _of_control(
                    connection, registry, control, object_name, record_ids
                )
            )
        if not found or set(users) - set(found) or set(found) - belonging:
            message = f"[{control.name}] names users who cannot take part"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        named[control.name] = found
    return named


async def participants_of(
    connection: Connection,
    registry: Registry,
    workflow: WorkflowRow,
    name: str,
) -> list[int]:
    """Return the active participants of a control at this moment, in the order of their ids.

    :raises VaultFault: OPERATION_NOT_ALLOWED when there are too many.
    """
    control = workflow.definition.participants.get(name)
    if name == OWNER or control is None:
        found = await _members(connection, [workflow.owner_id], [])
    elif name in workflow.participants:
        found = await _members(connection, workflow.participants[name], [])
    else:
        found = await _of_control(
            connection, registry, control, workflow.object, workflow.record_ids
        )
    if len(found) > MAX_PARTICIPANTS:
        message = f"More than {MAX_PARTICIPANTS} users take part as [{name}]"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)
    return found


async def _of_control(
    connection: Connection,
    registry: Registry,
    control: ParticipantControl,
    object_name: str,
    record_ids: Sequence[str],
) -> list[int]:
    users: list[int] = []
    groups: list[int] = []
    fields = [*control.fields]
    if control.roles:
        roles = list(control.roles)
        rows = await connection.fetch(ROLES, object_name, record_ids, roles)
        users += [row["user_id"] for row in rows if row["user_id"] is not None]
        groups += [row["group_id"] for row in rows if row["group_id"] is not None]
        # Whoever has made a record owns it until somebody else is given the role.
        if not rows and OWNER_ROLE in roles:
            fields.append(CREATOR)
    owner = registry.objects.get(object_name, registry.documents.versions)
    for name in fields:
        if owner is not None and name in owner.fields:
            source = DOCUMENT if object_name == DOCUMENTS else RECORD
            sql = source.format(field=quoted(name), table=table(owner.name))
            rows = await connection.fetch(sql, record_ids)
            found = [row["user_id"] for row in rows if row["user_id"]]
            numbers = map(whole_number, found)
            users += [each for each in numbers if each is not None]
    return await _members(connection, users, groups, control.groups)


async def _members(
    connection: Connection,
    users: Sequence[int],
    groups: Sequence[int],
    named_groups: Sequence[str] = (),
) -> list[int]:
    rows = await connection.fetch(MEMBERS, users, groups, list(named_groups))
    return [row["user_id"] for row in rows]

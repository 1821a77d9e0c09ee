"""Lists workflows and tasks, by record, user or status, with the caller's possible actions on each."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import Grant, Operation, granted, may
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.workflows.workflow_table import TaskStatus, WorkflowStatus

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.storage.database import Database

WORKFLOWS = """
FROM platform.workflow w JOIN LATERAL (
    SELECT object, record_id FROM platform.workflow_item i WHERE i.workflow_id = w.id
    AND ($1::text IS NULL OR (i.object = $1 AND i.record_id = $2)) ORDER BY i.id LIMIT 1) i ON true
WHERE i.object = ANY($3::text[])
AND ($1::text IS NULL OR w.id IN (SELECT workflow_id FROM platform.workflow_item WHERE record_id = $2 AND object = $1))
AND ($4::bigint IS NULL OR w.owner_id = $4 OR EXISTS (SELECT FROM platform.workflow_task t WHERE t.workflow_id = w.id
    AND (t.owner_id = $4 OR EXISTS (SELECT FROM platform.workflow_task_candidate c
        WHERE c.task_id = t.id AND c.user_id = $4))))
AND ($5::text[] IS NULL OR w.status = ANY($5::text[])) AND ($6::bigint IS NULL OR w.id = $6)
"""
WORKFLOW_PAGE = f"""
SELECT w.id, w.name, w.label, w.status, w.owner_id, w.description, w.created_date, w.ended_date, w.cancellation_comment,
    i.object, i.record_id
{WORKFLOWS} ORDER BY w.id DESC LIMIT $7 OFFSET $8
"""
WORKFLOW_COUNT = f"SELECT count(*) {WORKFLOWS}"
# A task that is available has no assignee yet: it is shown to all who may accept it.
TASKS = """
FROM platform.workflow_task t JOIN platform.workflow w ON w.id = t.workflow_id JOIN LATERAL (
    SELECT object, record_id FROM platform.workflow_item i WHERE i.workflow_id = w.id
    AND ($1::text IS NULL OR (i.object = $1 AND i.record_id = $2)) ORDER BY i.id LIMIT 1) i ON true
WHERE i.object = ANY($3::text[])
AND ($1::text IS NULL OR w.id IN (SELECT workflow_id FROM platform.workflow_item WHERE record_id = $2 AND object = $1))
AND ($4::bigint IS NULL OR t.owner_id = $4 OR (t.status = 'available' AND EXISTS (
    SELECT FROM platform.workflow_task_candidate c WHERE c.task_id = t.id AND c.user_id = $4)))
AND ($5::text[] IS NULL OR t.status = ANY($5::text[])) AND ($6::bigint IS NULL OR t.id = $6)
"""
TASK_PAGE = f"""
SELECT t.id, t.label, t.status, t.instructions, t.owner_id, t.created_date, t.assigned_date, t.due_date, t.ended_date,
    t.step, t.comment, t.iteration, w.id AS workflow_id, w.label AS workflow_label, w.status AS workflow_status,
    w.owner_id AS workflow_owner, i.object, i.record_id,
    EXISTS (SELECT FROM platform.workflow_task_candidate c WHERE c.task_id = t.id) AS offered,
    (SELECT string_agg(DISTINCT v.verdict_label, ', ') FROM platform.workflow_task_item v WHERE v.task_id = t.id)
        AS verdict,
    (SELECT string_agg(DISTINCT v.comment, ' / ') FROM platform.workflow_task_item v WHERE v.task_id = t.id)
        AS verdict_comment
{TASKS} ORDER BY t.id DESC LIMIT $7 OFFSET $8
"""
TASK_COUNT = f"SELECT count(*) {TASKS}"
DEFINITION_OF = """
SELECT d.component FROM platform.workflow w JOIN platform.workflow_definition d ON d.id = w.definition_id
WHERE w.id = $1
"""
CONTENTS = (
    "SELECT record_id FROM platform.workflow_item WHERE workflow_id = $1 ORDER BY id"
)
NAME = "coalesce(nullif(concat_ws(' ', u.first_name__sys, u.last_name__sys), ''), c.username)"
NAMES = f"""
SELECT c.user_id, {NAME} AS name FROM platform.credential c LEFT JOIN records.user__sys u ON u.id = c.user_id::text
WHERE c.user_id = ANY($1::bigint[])
"""
COLLEAGUES = f"""
SELECT c.user_id, {NAME} AS name FROM platform.credential c LEFT JOIN records.user__sys u ON u.id = c.user_id::text
WHERE c.active AND c.user_id <> $2 ORDER BY 2, 1 LIMIT $1
"""
MAX_COLLEAGUES = 200  # that a page offers
OPEN = (TaskStatus.AVAILABLE, TaskStatus.ASSIGNED)


@dataclass(frozen=True, slots=True)
class WorkflowFilter:
    """A filter of workflows or tasks: by one record, by one user, by statuses."""

    object: str | None = None
    record_id: str | None = None
    user_id: int | None = None
    statuses: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class WorkflowPage:
    """A page of rows, the latest first; ``total`` counts all of them."""

    rows: Sequence[Record]
    total: int


class WorkflowLists:
    """Lists workflows and tasks about records whose objects the caller may read."""

    def __init__(self, database: Database, components: ComponentService) -> None:
        self._database = database
        self._components = components

    async def workflows(
        self,
        caller: Caller,
        wanted: WorkflowFilter,
        limit: int,
        offset: int,
    ) -> WorkflowPage:
        """Return a page of workflows."""
        statements = (WORKFLOW_COUNT, WORKFLOW_PAGE)
        return await self._page(statements, caller, wanted, limit, offset)

    async def tasks(
        self,
        caller: Caller,
        wanted: WorkflowFilter,
        limit: int,
        offset: int,
    ) -> WorkflowPage:
        """Return a page of tasks."""
        statements = (TASK_COUNT, TASK_PAGE)
        return await self._page(statements, caller, wanted, limit, offset)

    async def workflow(self, caller: Caller, workflow_id: int) -> Record:
        """Return one workflow.

        :raises VaultFault: INVALID_DATA when there is none, or none that the caller may see.
        """
        statements = (WORKFLOW_COUNT, WORKFLOW_PAGE)
        return await self._single_row(statements, caller, workflow_id, "workflow")

    async def task(self, caller: Caller, task_id: int) -> Record:
        """Return one task.

        :raises VaultFault: as ``workflow``.
        """
        statements = (TASK_COUNT, TASK_PAGE)
        return await self._single_row(statements, caller, task_id, "workflow task")

    async def names(self, ids: Collection[int]) -> dict[int, str]:
        """Return the names of users by their ids."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(NAMES, list(ids))
        return {row["user_id"]: row["name"] for row in rows}

    async def colleagues(self) -> list[tuple[int, str]]:
        """Return ids and names of active users, who may take part; at most ``MAX_COLLEAGUES``."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(COLLEAGUES, MAX_COLLEAGUES, SYSTEM.user_id)
        return [(row["user_id"], row["name"]) for row in rows]

    async def definition_of(self, workflow_id: int) -> str:
        """Return the stored component of a workflow that has been found, as JSON."""
        async with self._database.connection() as connection:
            found: str = await connection.fetchval(DEFINITION_OF, workflow_id)
        return found

    async def contents(self, workflow_id: int) -> list[str]:
        """Return the ids of the records or documents in a workflow that has been found."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(CONTENTS, workflow_id)
        return [row["record_id"] for row in rows]

    async def _single_row(
        self, statements: tuple[str, str], caller: Caller, row_id: int, noun: str
    ) -> Record:
        page = await self._page(
            statements, caller, WorkflowFilter(), 1, 0, row_id=row_id
        )
        if not page.rows:
            message = f"There is no {noun} with this id"
            raise VaultFault(ErrorType.INVALID_DATA, message)
        return page.rows[0]

    async def _page(
        self,
        statements: tuple[str, str],
        caller: Caller,
        wanted: WorkflowFilter,
        limit: int,
        offset: int,
        *,
        row_id: int | None = None,
    ) -> WorkflowPage:
        objects = [*self._components.registry.objects, DOCUMENTS]
        readable = [name for name in objects if may(caller, name, Operation.READ)]
        statuses = None if wanted.statuses is None else list(wanted.statuses)
        parameters = (
            wanted.object,
            # PostgreSQL takes no NUL character in a text, and no stored id has one.
            wanted.record_id and wanted.record_id.replace("\x00", ""),
            readable,
            wanted.user_id,
            statuses,
            row_id,
        )
        count, page = statements
        async with self._database.connection() as connection:
            total = await connection.fetchval(count, *parameters)
            rows = await connection.fetch(page, *parameters, limit, offset)
        return WorkflowPage(rows, total)


def task_actions(caller: Caller, task: Record) -> list[tuple[str, str]]:
    """Return name and label of the caller's possible actions on a task of ``WorkflowLists.tasks``."""
    found: list[tuple[str, str]] = []
    if task["status"] not in OPEN or caller.read_only:
        return found
    mine = task["owner_id"] == caller.user_id
    manages = task["workflow_owner"] == caller.user_id or granted(
        caller, Grant.MANAGE_WORKFLOWS
    )
    if task["status"] == TaskStatus.AVAILABLE:
        found.append(("accept", "Accept"))
    if mine:
        found.append(("complete", "Complete"))
        if task["offered"]:
            found.append(("undoaccept", "Undo Accept"))
    if mine or manages:
        found.append(("reassign", "Reassign"))
    if manages:
        found.append(("updateduedate", "Update Due Date"))
        found.append(("cancel", "Cancel"))
    return found


def workflow_actions(caller: Caller, workflow: Record) -> list[tuple[str, str]]:
    """Return name and label of the caller's possible actions on a workflow of ``WorkflowLists.workflows``."""
    if workflow["status"] != WorkflowStatus.ACTIVE or caller.read_only:
        return []
    own = workflow["owner_id"] == caller.user_id
    if not own and not granted(caller, Grant.MANAGE_WORKFLOWS):
        return []
    return [
        ("cancel", "Cancel"),
        ("replaceworkflowowner", "Replace Workflow Owner"),
    ]

"""Reads and writes the rows of workflows, of the records in them, and of their tasks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.vault.components.component_tree import Component
from shared.vault.components.workflow_definitions import (
    WorkflowDefinition,
    read_workflow,
)

if TYPE_CHECKING:
    from datetime import datetime

    from asyncpg import Record

    from shared.vault.components.workflow_definitions import Step
    from shared.vault.storage.database import Connection


class WorkflowStatus(StrEnum):
    """The statuses of a workflow."""

    ACTIVE = "active"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


class TaskStatus(StrEnum):
    """The statuses of a task: available to several users, or assigned to one; both are open."""

    AVAILABLE = "available"
    ASSIGNED = "assigned"
    COMPLETED = "completed"
    CANCELLED = "cancelled"


DEFINITION = """
INSERT INTO platform.workflow_definition AS d (name, version, digest, component)
SELECT $1, 1 + coalesce(max(version), 0), $2, $3::jsonb FROM platform.workflow_definition WHERE name = $1
ON CONFLICT (name, digest) DO UPDATE SET digest = excluded.digest RETURNING id
"""
BEGIN = """
INSERT INTO platform.workflow (definition_id, name, label, description, owner_id, participants, created_by, modified_by)
VALUES ($1, $2, $3, $4, $5, $6::jsonb, $5, $5) RETURNING id
"""
# Which records are in another workflow; those of a record that others start one with at this moment are waited for.
ADD_ITEMS = """
INSERT INTO platform.workflow_item (workflow_id, object, record_id) SELECT $1, $2, unnest($3::text[])
ON CONFLICT (record_id, object) WHERE active DO NOTHING RETURNING id, record_id
"""
BUSY = """
SELECT record_id FROM platform.workflow_item WHERE object = $1 AND record_id = ANY($2::text[]) AND active
"""
LOCK = """
SELECT w.id, w.label, w.status, w.owner_id, w.participants, d.component
FROM platform.workflow w JOIN platform.workflow_definition d ON d.id = w.definition_id
WHERE w.id = $1 FOR UPDATE OF w
"""
ITEMS = "SELECT id, object, record_id FROM platform.workflow_item WHERE workflow_id = $1 AND active ORDER BY id"
END = """
WITH ended AS (
    UPDATE platform.workflow SET status = $2, modified_by = $3, modified_date = date_trunc('milliseconds', now()),
        ended_date = date_trunc('milliseconds', now()), cancellation_comment = $4
    WHERE id = $1 RETURNING id
), items AS (
    UPDATE platform.workflow_item i SET active = false FROM ended WHERE i.workflow_id = ended.id
)
UPDATE platform.workflow_task t SET status = 'cancelled', ended_date = date_trunc('milliseconds', now()),
    modified_date = date_trunc('milliseconds', now())
FROM ended WHERE t.workflow_id = ended.id AND t.status IN ('available', 'assigned')
"""
TOUCH = """
UPDATE platform.workflow SET modified_by = $2, modified_date = date_trunc('milliseconds', now()) WHERE id = $1
"""
OWN = """
UPDATE platform.workflow SET owner_id = $2, modified_by = $3, modified_date = date_trunc('milliseconds', now())
WHERE id = $1
"""
ITERATION = """
SELECT coalesce(max(iteration), 0) FROM platform.workflow_task WHERE workflow_id = $1 AND step = $2
"""
ADD_TASKS = """
INSERT INTO platform.workflow_task
    (workflow_id, step, label, instructions, participant, iteration, status, owner_id, assigned_date)
SELECT $1, $2, $3, $4, $5, $6, $7, u.owner, CASE WHEN u.owner IS NOT NULL THEN date_trunc('milliseconds', now()) END
FROM unnest($8::bigint[]) AS u(owner) RETURNING id
"""
ADD_TASK_ITEMS = """
INSERT INTO platform.workflow_task_item (task_id, item_id)
SELECT t, i FROM unnest($1::bigint[]) t, unnest($2::bigint[]) i
"""
ADD_CANDIDATES = "INSERT INTO platform.workflow_task_candidate (task_id, user_id) SELECT $1, unnest($2::bigint[])"
CANDIDATES = "SELECT user_id FROM platform.workflow_task_candidate WHERE task_id = $1"
OPEN = """
SELECT count(*) FROM platform.workflow_task WHERE workflow_id = $1 AND status IN ('available', 'assigned')
AND ($2::text IS NULL OR (step = $2 AND iteration = $3))
"""
VERDICTS = """
SELECT i.verdict_label FROM platform.workflow_task_item i JOIN platform.workflow_task t ON t.id = i.task_id
WHERE t.workflow_id = $1 AND t.step = $2 AND t.status = 'completed'
AND t.iteration = (SELECT max(iteration) FROM platform.workflow_task WHERE workflow_id = $1 AND step = $2)
"""
# The task and, above it, its workflow are locked by the workflow's lock.
TASK = """
SELECT id, workflow_id, step, label, participant, iteration, status, owner_id FROM platform.workflow_task WHERE id = $1
"""
WORKFLOW_OF = "SELECT workflow_id FROM platform.workflow_task WHERE id = $1"
SET_TASK = """
UPDATE platform.workflow_task SET status = $2, owner_id = $3, modified_date = date_trunc('milliseconds', now()),
    assigned_date = CASE WHEN $2 = 'assigned' THEN date_trunc('milliseconds', now()) END
WHERE id = $1
"""
END_TASK = """
UPDATE platform.workflow_task SET status = $2, completed_by = $3, comment = $4,
    ended_date = date_trunc('milliseconds', now()), modified_date = date_trunc('milliseconds', now())
WHERE id = $1
"""
DUE = """
UPDATE platform.workflow_task SET due_date = $2, modified_date = date_trunc('milliseconds', now()) WHERE id = $1
"""
TASK_VERDICTS = """
SELECT item_id, verdict, verdict_label, comment FROM platform.workflow_task_item
WHERE task_id = $1 AND verdict IS NOT NULL
"""
JUDGE = """
UPDATE platform.workflow_task_item i SET verdict = u.verdict, verdict_label = u.label, comment = u.comment
FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[]) AS u(item_id, verdict, label, comment)
WHERE i.task_id = $1 AND i.item_id = u.item_id
"""
OBJECT_OF = """
SELECT i.object FROM platform.workflow_item i WHERE i.workflow_id = $1 ORDER BY i.id LIMIT 1
"""


@dataclass(frozen=True, slots=True)
class Item:
    """A record in a workflow."""

    id: int
    record_id: str


@dataclass(frozen=True, slots=True)
class WorkflowRow:
    """A workflow locked by this transaction; ``participants`` are users' ids by the control that named them."""

    id: int
    label: str
    status: WorkflowStatus
    owner_id: int
    object: str
    items: Sequence[Item]
    participants: Mapping[str, Sequence[int]]
    definition: WorkflowDefinition

    @property
    def record_ids(self) -> list[str]:
        """Return the ids of its records."""
        return [item.record_id for item in self.items]


@dataclass(frozen=True, slots=True)
class TaskRow:
    """A task, as a call reads it under the lock of its workflow."""

    id: int
    workflow_id: int
    step: str
    label: str
    participant: str
    iteration: int
    status: TaskStatus
    owner_id: int | None

    @property
    def is_open(self) -> bool:
        """Return whether the task is open."""
        return self.status in (TaskStatus.AVAILABLE, TaskStatus.ASSIGNED)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict on one record of a task, by name and by the label that decisions compare."""

    item_id: int
    verdict: str | None
    label: str | None
    comment: str | None


async def begin(
    connection: Connection,
    component: Component,
    definition: WorkflowDefinition,
    owner_id: int,
    participants: Mapping[str, Sequence[int]],
    description: str | None,
) -> int:
    """Store a new workflow with the definition that it is carried out by, and return its id."""
    document = json.dumps(component.to_json(), sort_keys=True)
    digest = hashlib.sha256(document.encode()).hexdigest()
    definition_id = await connection.fetchval(
        DEFINITION, definition.name, digest, document
    )
    workflow_id: int = await connection.fetchval(
        BEGIN,
        definition_id,
        definition.name,
        definition.label,
        description,
        owner_id,
        json.dumps(participants),
    )
    return workflow_id


async def lock_workflow(connection: Connection, workflow_id: int) -> WorkflowRow | None:
    """Lock a workflow and return it with its records; None when there is none of this id."""
    row = await connection.fetchrow(LOCK, workflow_id)
    if row is None:
        return None
    items = await connection.fetch(ITEMS, workflow_id)
    object_name = await connection.fetchval(OBJECT_OF, workflow_id)
    component = Component.from_json(json.loads(row["component"]))
    return WorkflowRow(
        row["id"],
        row["label"],
        WorkflowStatus(row["status"]),
        row["owner_id"],
        object_name,
        [Item(item["id"], item["record_id"]) for item in items],
        json.loads(row["participants"]),
        read_workflow(component),
    )


async def lock_task(
    connection: Connection, task_id: int
) -> tuple[TaskRow, WorkflowRow] | None:
    """Lock the workflow of a task, and return both; None when there is no such task."""
    workflow_id = await connection.fetchval(WORKFLOW_OF, task_id)
    workflow = workflow_id and await lock_workflow(connection, workflow_id)
    # Read behind the lock: whoever held it may have completed the task.
    row = await connection.fetchrow(TASK, task_id)
    if not workflow or row is None:
        return None
    return task_of(row), workflow


def task_of(row: Record) -> TaskRow:
    """Convert a row of the query ``TASK`` to a task."""
    return TaskRow(
        row["id"],
        row["workflow_id"],
        row["step"],
        row["label"],
        row["participant"],
        row["iteration"],
        TaskStatus(row["status"]),
        row["owner_id"],
    )


async def add_tasks(
    connection: Connection,
    workflow: WorkflowRow,
    step: Step,
    users: Sequence[int],
    *,
    each: bool,
) -> None:
    """Add the tasks of a step: one assigned to each user, or one that any of them may accept."""
    iteration = 1 + await connection.fetchval(ITERATION, workflow.id, step.name)
    status = TaskStatus.ASSIGNED if each else TaskStatus.AVAILABLE
    owners = list(users) if each else [None]
    rows = await connection.fetch(
        ADD_TASKS,
        workflow.id,
        step.name,
        step.label,
        step.instructions,
        step.participant,
        iteration,
        status,
        owners,
    )
    ids = [row["id"] for row in rows]
    items = [item.id for item in workflow.items]
    await connection.execute(ADD_TASK_ITEMS, ids, items)
    if not each:
        await connection.execute(ADD_CANDIDATES, ids[0], list(users))


async def end_workflow(
    connection: Connection,
    workflow_id: int,
    status: WorkflowStatus,
    user_id: int,
    comment: str | None = None,
) -> None:
    """End a workflow: cancel its open tasks, and release its records for other workflows."""
    await connection.execute(END, workflow_id, status, user_id, comment)


async def open_tasks(
    connection: Connection, workflow_id: int, task: TaskRow | None = None
) -> int:
    """Return the number of open tasks of a workflow, or only of those of the step and iteration of ``task``."""
    step, iteration = (task.step, task.iteration) if task else (None, None)
    found: int = await connection.fetchval(OPEN, workflow_id, step, iteration)
    return found


async def judge(
    connection: Connection, task_id: int, judgements: Sequence[Judgement]
) -> None:
    """Store the verdicts on the records of a task."""
    await connection.execute(
        JUDGE,
        task_id,
        [each.item_id for each in judgements],
        [each.verdict for each in judgements],
        [each.label for each in judgements],
        [each.comment for each in judgements],
    )


async def recorded_verdicts(
    connection: Connection, task_id: int
) -> dict[int, Judgement]:
    """Return the verdicts noted for an unfinished task, by item."""
    rows = await connection.fetch(TASK_VERDICTS, task_id)
    return {
        row["item_id"]: Judgement(
            row["item_id"], row["verdict"], row["verdict_label"], row["comment"]
        )
        for row in rows
    }


async def set_due(connection: Connection, task_id: int, moment: datetime) -> None:
    """Set when a task is due."""
    await connection.execute(DUE, task_id, moment)

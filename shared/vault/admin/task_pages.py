"""Serves the work list of a user's tasks, one task with its form, and the workflows of a record."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.whole_numbers import LARGEST, whole_number
from shared.vault.admin.inputs import Input, entered, inputs
from shared.vault.admin.listing import PAGE_SIZE, Listing, Page, selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.showing import record_path
from shared.vault.admin.task_documents import contents_of, documents_of
from shared.vault.admin.viewing import view
from shared.vault.api.workflow_tasks import step_of
from shared.vault.components.document_model import VERSIONS
from shared.vault.components.workflow_definitions import VERDICT
from shared.vault.errors import VaultFault
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.vql import literal
from shared.vault.workflows.verdicts import COMMENT
from shared.vault.workflows.workflow_lists import (
    WorkflowFilter,
    task_actions,
    workflow_actions,
)
from shared.vault.workflows.workflow_table import TaskStatus

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.components.workflow_definitions import FieldPrompt, Step
    from shared.vault.model.component_model import Field, VaultObject

router = APIRouter()

Number = Annotated[int, Path(ge=1, le=LARGEST)]
SHOWN = 100  # tasks or workflows of one record on its page
WORK = "/ui/tasks"
COMPLETE = "complete"
DONE = {
    "accept": "The task is yours.",
    "undoaccept": "The task is available to others again.",
    COMPLETE: "The task is completed.",
    "cancel": "The task is cancelled.",
    "reassign": "The task has another assignee.",
}
MARKS = {
    TaskStatus.AVAILABLE: "pending",
    TaskStatus.ASSIGNED: "in_progress",
    TaskStatus.COMPLETED: "success",
    TaskStatus.CANCELLED: "inactive",
}


@dataclass(frozen=True, slots=True)
class ShownTask:
    """A task on a page; ``name`` and ``path`` are of its record, ``owner`` is the name of its assignee.

    ``path`` is empty for the documents of a task, which are listed on the task's own page.
    """

    row: Record
    name: str = ""
    path: str = ""
    owner: str = ""

    @property
    def mark(self) -> str:
        """Return the CSS class of the task's status."""
        return MARKS[TaskStatus(self.row["status"])]

    @property
    def comment(self) -> str:
        """Return the comments on the task's verdict and on the task."""
        texts = (self.row["verdict_comment"], self.row["comment"])
        return " / ".join(text for text in texts if text)


@dataclass(frozen=True, slots=True)
class ShownWorkflow:
    """A workflow on the page of its record, with its tasks."""

    row: Record
    owner: str
    tasks: Sequence[ShownTask]
    may_cancel: bool


@router.get("/tasks")
async def tasks(context: CurrentPage, page: Page = 1) -> Response:
    """List the caller's open tasks, the tasks that they may accept, and those that they have completed."""
    lists = context.vault.workflow_lists
    me = context.caller.user_id
    found: dict[str, Listing] = {}
    for status in (TaskStatus.ASSIGNED, TaskStatus.AVAILABLE, TaskStatus.COMPLETED):
        number = page if status is TaskStatus.COMPLETED else 1
        size = PAGE_SIZE if status is TaskStatus.COMPLETED else SHOWN
        wanted = WorkflowFilter(user_id=me, statuses=(status.value,))
        rows = await lists.tasks(context.caller, wanted, size, (number - 1) * size)
        shown = [{"task": each} for each in await _with_records(context, rows.rows)]
        found[status.value] = Listing(shown, rows.total, number)
    return context.page("tasks.html", lists=found)


@router.get("/tasks/{task_id}")
async def one_task(context: CurrentPage, task_id: Number) -> Response:
    """Show a task with the caller's possible actions, and its record or documents."""
    lists = context.vault.workflow_lists
    row = await lists.task(context.caller, task_id)
    target = contents_of(context, row["object"])
    step = await step_of(context.vault, row)
    prompts = _prompts(step, target)
    record, documents, values = None, [], {}
    if row["object"] == DOCUMENTS:
        ids = await lists.contents(row["workflow_id"])
        names = [each.name for each in prompts]
        documents = await documents_of(context, ids, names)
        # The values are for all records of the task: the form does not begin with those of one record.
        values = documents[0].values if len(documents) == 1 else {}
    else:
        record = await view(context, target.name, row["record_id"])
        values = record.values
    actions = dict(task_actions(context.caller, row))
    fields: list[Input] = []
    if COMPLETE in actions:
        fields = await inputs(context, target, list(prompts), values)
    people = await lists.colleagues() if "reassign" in actions else []
    owners = await lists.names([row["owner_id"]] if row["owner_id"] else [])
    name = record.name if record else ", ".join(each.name for each in documents)
    path = record.path if record else ""
    shown = ShownTask(row, name, path, owners.get(row["owner_id"], ""))
    return context.page(
        "task.html",
        task=shown,
        step=step,
        view=record,
        documents=documents,
        actions=actions,
        inputs=fields,
        people=[each for each in people if each[0] != row["owner_id"]],
    )


@router.post("/tasks/{task_id}/{action_name}")
async def run(context: CurrentPage, task_id: Number, action_name: str) -> Response:
    """Carry out the action of a task's form; redirect to an accepted task, and after other actions to the work list."""
    service, caller = context.vault.workflow_tasks, context.caller
    back = f"{WORK}/{task_id}"
    match action_name:
        case "accept":
            return await _done(
                context, back, action_name, lambda: service.accept(caller, task_id)
            )
        case "undoaccept":
            return await _done(
                context, WORK, action_name, lambda: service.undo_accept(caller, task_id)
            )
        case "cancel":
            return await _done(
                context, WORK, action_name, lambda: service.cancel(caller, task_id)
            )
        case "reassign":
            user_id = whole_number(context.form.fields.get("user", ""))
            if user_id is None:
                raise VaultFault(
                    ErrorType.PARAMETER_REQUIRED, "Choose who gets the task"
                )
            return await _done(
                context,
                WORK,
                action_name,
                lambda: service.reassign(caller, task_id, user_id),
            )
        case "complete":
            values = await _completion(context, task_id)
            return await _done(
                context,
                WORK,
                action_name,
                lambda: service.complete(caller, task_id, values),
            )
        case _:
            raise VaultFault(ErrorType.INVALID_DATA, "Tasks have no such action")


@router.post("/workflows/{workflow_id}/cancel")
async def cancel(context: CurrentPage, workflow_id: Number) -> Response:
    """Cancel a workflow, and redirect to its record."""
    row = await context.vault.workflow_lists.workflow(context.caller, workflow_id)
    path = WORK
    if row["object"] != DOCUMENTS:
        path = record_path(row["object"], row["record_id"])
    comment = context.form.fields.get("comment", "")

    async def carry_out() -> str:
        await context.vault.workflows.cancel(context.caller, workflow_id, comment)
        return path

    await context.once(carry_out)
    return context.go(path, f"{row['label']} is cancelled.")


async def workflows_of(
    context: PageContext, object_name: str, record_id: str
) -> list[ShownWorkflow]:
    """Return the workflows of a record with their tasks, the latest first."""
    lists, caller = context.vault.workflow_lists, context.caller
    wanted = WorkflowFilter(object_name, record_id)
    workflows = await lists.workflows(caller, wanted, SHOWN, 0)
    if not workflows.rows:
        return []
    found = await lists.tasks(caller, wanted, SHOWN, 0)
    owners = {row["owner_id"] for row in (*workflows.rows, *found.rows)}
    names = await lists.names([each for each in owners if each is not None])
    by_workflow: dict[int, list[ShownTask]] = defaultdict(list)
    for row in reversed(found.rows):
        task = ShownTask(row, owner=names.get(row["owner_id"], ""))
        by_workflow[row["workflow_id"]].append(task)
    return [
        ShownWorkflow(
            row,
            names.get(row["owner_id"], ""),
            by_workflow[row["id"]],
            "cancel" in dict(workflow_actions(caller, row)),
        )
        for row in workflows.rows
    ]


async def _done(
    context: PageContext,
    path: str,
    action_name: str,
    change: Callable[[], Awaitable[None]],
) -> Response:
    """Carry out a change once, and redirect to ``path``, where a refusal is shown."""

    async def carry_out() -> str:
        await change()
        return path

    try:
        await context.once(carry_out)
    except VaultFault as fault:
        task = context.request.url.path.rpartition("/")[0]
        return context.refuse(task, fault.error)
    return context.go(path, DONE[action_name])


async def _completion(context: PageContext, task_id: int) -> dict[str, object]:
    """Return the data with which a form completes a task: the verdict, its fields, and the comment."""
    row = await context.vault.workflow_lists.task(context.caller, task_id)
    step = await step_of(context.vault, row)
    target = contents_of(context, row["object"])
    sent = dict(context.form.fields)
    name = sent.get(VERDICT, "")
    verdict = step.verdict(name) if name else None
    prompts = [*step.fields, *(verdict.fields if verdict else ())]
    fields = _known(prompts, target)
    values: dict[str, object] = dict(entered(fields, sent, context.registry))
    if name:
        values[VERDICT] = name
    comment = sent.get("comment", "").strip()
    if comment:
        values[verdict.comment_name if verdict else COMMENT] = comment
    return values


def _prompts(step: Step, target: VaultObject) -> list[Field]:
    """Return the fields that a task's verdicts ask for, each once."""
    prompts = [*step.fields]
    for verdict in step.verdicts:
        prompts += verdict.fields
    return _known(prompts, target)


def _known(prompts: Sequence[FieldPrompt], target: VaultObject) -> list[Field]:
    owner = DOCUMENTS if target.name == VERSIONS else target.name
    names = dict.fromkeys(each.field for each in prompts if each.object == owner)
    return [target.fields[name] for name in names if name in target.fields]


async def _with_records(
    context: PageContext, rows: Sequence[Record]
) -> list[ShownTask]:
    """Return tasks with the names and pages of their records."""
    ids: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        ids[row["object"]].append(row["record_id"])
    names: dict[tuple[str, str], str] = {}
    for document in await documents_of(context, set(ids.pop(DOCUMENTS, []))):
        names[DOCUMENTS, str(document.values["id"])] = document.name
    for object_name, record_ids in ids.items():
        listed = ", ".join(literal(each) for each in dict.fromkeys(record_ids))
        statement = (
            f"SELECT id, name__v FROM {object_name} WHERE id CONTAINS ({listed})"
        )
        for record in await selected(context, statement):
            names[object_name, record["id"]] = record["name__v"]
    shown: list[ShownTask] = []
    for row in rows:
        own = row["object"], row["record_id"]
        # Documents have no page: the task's own shows them.
        path = "" if row["object"] == DOCUMENTS else record_path(*own)
        shown.append(ShownTask(row, names.get(own, own[1]), path))
    return shown

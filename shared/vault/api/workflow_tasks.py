"""Serves tasks of object workflows: lists them, and accepts, completes, reassigns and cancels them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.protocol.whole_numbers import LARGEST
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import (
    media_type,
    parse_form,
    read_body,
    read_fields,
    read_off_loop,
    required,
)
from shared.vault.api.json_rows import unreadable
from shared.vault.api.openapi.request_bodies import JSON, RECORD_DOCUMENTATION
from shared.vault.api.paging import Offset, PageSize
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    parse_moment,
    vault_of,
)
from shared.vault.api.workflows import (
    OfObject,
    OfRecord,
    OfUser,
    Statuses,
    filter_of,
    named,
    no_action,
    offered_label,
    user_in,
    user_of,
)
from shared.vault.components.component_tree import Component
from shared.vault.components.workflow_definitions import (
    VERDICT,
    FieldPrompt,
    Step,
    Verdict,
    read_workflow,
)
from shared.vault.errors import VaultFault
from shared.vault.workflows.workflow_lists import task_actions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asyncpg import Record

    from shared.vault.assembly.vault import Vault

router = APIRouter(prefix=f"{PREFIX}/objects/objectworkflows/tasks", tags=["Workflows"])

# Actions of workflows with several records have names of their own, which do the same.
MULTI_ITEM = "mdw"
TASK_ACTIONS = (
    "accept",
    "undoaccept",
    "complete",
    "reassign",
    "updateduedate",
    "cancel",
    "mdwaccept",
    "mdwcomplete",
    "mdwreassign",
    "mdwmanagecontent",
)
"""The actions of tasks, by the names that the public API gives to operations of their own."""

MAX_BYTES = 2**20

Id = Annotated[int, Path(ge=1, le=LARGEST)]


@router.get("", summary="Tasks of a record or a user")
async def listed(
    request: Request,
    caller: SignedIn,
    object__v: OfObject = None,
    record_id__v: OfRecord = None,
    assignee__v: OfUser = None,
    status__v: Statuses = None,
    page_size: PageSize = 200,
    offset: Offset = 0,
) -> Response:
    """Lists tasks, the latest first: of `object__v` and `record_id__v`, or of `assignee__v`, a user's id or `me()`."""
    # A public client asks for the tasks of a user as it asks for workflows.
    user_id = user_of(
        caller, assignee__v or request.query_params.get("participant"), "assignee__v"
    )
    wanted = filter_of(object__v, record_id__v, user_id, status__v, "assignee__v")
    page = await vault_of(request).workflow_lists.tasks(
        caller, wanted, page_size, offset
    )
    url = request.url
    details = {
        "total": page.total,
        "offset": offset,
        "page_size": page_size,
        "object": _described(f"{url.path}?{url.query}" if url.query else url.path),
    }
    return envelope.success(
        responseDetails=details, data=[_task_json(row) for row in page.rows]
    )


@router.get("/{workflow_task_id}", summary="One task")
async def details(request: Request, caller: SignedIn, workflow_task_id: Id) -> Response:
    """Returns a task."""
    row = await vault_of(request).workflow_lists.task(caller, workflow_task_id)
    path = base_path(request)
    described = _described(f"{path}/metadata/objectworkflows/tasks")
    url = f"{path}/objects/objectworkflows/tasks/{workflow_task_id}"
    return envelope.success(
        responseDetails={"url": url, "object": described}, data=[_task_json(row)]
    )


@router.get("/{workflow_task_id}/actions", summary="Actions of a task")
async def actions(request: Request, caller: SignedIn, workflow_task_id: Id) -> Response:
    """Lists the actions that the caller may run on a task."""
    row = await vault_of(request).workflow_lists.task(caller, workflow_task_id)
    return envelope.success(data=named(task_actions(caller, row)))


@router.get(
    "/{workflow_task_id}/actions/{task_action}",
    summary="Parameters of an action of a task",
)
async def action_metadata(
    request: Request, caller: SignedIn, workflow_task_id: Id, task_action: str
) -> Response:
    """Returns the parameters of an action of a task; those of `complete` are verdicts, comments and fields."""
    vault = vault_of(request)
    row = await vault.workflow_lists.task(caller, workflow_task_id)
    own = task_action.removeprefix(MULTI_ITEM)
    label = offered_label(task_actions(caller, row), own)
    if own != "complete":
        return envelope.success(data={"name": own, "label": label, "controls": []})
    step = await step_of(vault, row)
    shown = {
        "name": step.name,
        "label": row["label"],
        "type": "task",
        "description": row["instructions"],
        "controls": _controls(vault, step),
    }
    return envelope.success(data=shown)


@router.post(
    "/{workflow_task_id}/actions/{task_action}",
    summary="Run an action of a task",
    openapi_extra=RECORD_DOCUMENTATION,
)
async def run(
    request: Request, caller: SignedIn, workflow_task_id: Id, task_action: str
) -> Response:
    """Runs `accept`, `undoaccept`, `complete`, `reassign`, `updateduedate`, `cancel`, `mdwmanagecontent` and so on."""
    values = await _values(request)
    texts = {name: str(value) for name, value in values.items()}
    tasks = vault_of(request).workflow_tasks
    match task_action.removeprefix(MULTI_ITEM):
        case "accept":
            await tasks.accept(caller, workflow_task_id)
        case "undoaccept":
            await tasks.undo_accept(caller, workflow_task_id)
        case "complete":
            await tasks.complete(caller, workflow_task_id, values)
        case "reassign":
            await tasks.reassign(
                caller, workflow_task_id, user_in(texts, "task_assignee__v")
            )
        case "updateduedate":
            (text,) = required(texts, "task_due_date__v")
            moment = parse_moment("task_due_date__v", text)
            if moment is not None:
                await tasks.set_due_date(caller, workflow_task_id, moment)
        case "managecontent":
            await tasks.manage_content(caller, workflow_task_id, values)
        case "cancel":
            await tasks.cancel(caller, workflow_task_id)
        case _:
            raise no_action(task_action)
    return envelope.success()


async def _values(request: Request) -> dict[str, object]:
    """Return the input of an action: a form, or a JSON object, which may have values for each record.

    :raises VaultFault: INVALID_DATA for a malformed body; EXCEEDS_FILE_MAX_SIZE for one that is too large.
    """
    if media_type(request.headers) != JSON:
        return dict(await read_fields(request))
    body = (await read_body(request, MAX_BYTES)).strip()
    # Public examples send a form under this type.
    if not body.startswith(b"{"):
        return dict(await read_off_loop(parse_form, body))
    try:
        document = await read_off_loop(json.loads, body)
    except (ValueError, RecursionError) as error:
        raise unreadable("it is not JSON") from error
    return {str(name): value for name, value in document.items()}


async def step_of(vault: Vault, task: Record) -> Step:
    """Return the step of a task, as defined when the task's workflow was started."""
    stored = await vault.workflow_lists.definition_of(task["workflow_id"])
    definition = read_workflow(Component.from_json(json.loads(stored)))
    step = definition.steps.get(task["step"])
    if step is None:
        raise VaultFault(ErrorType.INVALID_DATA, "The task has no step")
    return step


def _controls(vault: Vault, step: Step) -> list[dict[str, object]]:
    controls: list[dict[str, object]] = []
    if step.instructions:
        controls.append(
            {
                "label": "Instructions",
                "type": "instructions",
                "instructions": step.instructions,
                "prompts": [],
            }
        )
    if step.fields:
        prompts = _prompts(vault, step.fields)
        controls.append({"label": "Fields", "type": "field", "prompts": prompts})
    if step.verdicts:
        controls.append(
            {
                "label": "Verdict",
                "type": "verdict",
                "verdict": VERDICT,
                "prompts": [],
                "verdicts": [_verdict_json(vault, each) for each in step.verdicts],
            }
        )
    return controls


def _verdict_json(vault: Vault, verdict: Verdict) -> dict[str, object]:
    return {
        "name": verdict.name,
        "label": verdict.label,
        "esignature": verdict.esignature,
        "prompts": _prompts(vault, verdict.fields),
        "comment": {
            "name": verdict.comment_name,
            "label": verdict.comment,
            "type": "comment",
            "required": verdict.comment_required,
        },
    }


def _prompts(vault: Vault, prompts: Sequence[FieldPrompt]) -> list[dict[str, object]]:
    shown: list[dict[str, object]] = []
    for prompt in prompts:
        owner = vault.components.registry.objects.get(prompt.object)
        field = owner.fields.get(prompt.field) if owner else None
        if field is not None:
            shown.append(
                {
                    "name": f"{prompt.object}.{prompt.field}",
                    "label": field.label,
                    "required": prompt.required,
                    "multi_value": field.multi_value,
                }
            )
    return shown


def _task_json(row: Record) -> dict[str, object]:
    """Return a task in the format of the API, without members that do not apply."""
    shown: dict[str, object] = {
        "id": row["id"],
        "label__v": row["label"],
        "status__v": [f"{row['status']}__v"],
        "object__v": row["object"],
        "record_id__v": row["record_id"],
        "instructions__v": row["instructions"],
        "created_date__v": date_time_text(row["created_date"]),
        "workflow__v": str(row["workflow_id"]),
    }
    owner = row["owner_id"]
    further = {
        "assignee__v": None if owner is None else str(owner),
        "assigned_date__v": date_time_text(row["assigned_date"]),
        "due_date__v": date_time_text(row["due_date"]),
    }
    # An open task has not ended: a date of its status would stand in the place of *assigned_date__v*.
    if row["ended_date"] is not None:
        further[f"{row['status']}_date__v"] = date_time_text(row["ended_date"])
    return shown | {name: value for name, value in further.items() if value is not None}


def _described(url: str) -> dict[str, str]:
    return {
        "name": "objectworkflow_tasks",
        "label": "Object Workflow Task",
        "url": url,
        "label_plural": "Object Workflow Tasks",
    }

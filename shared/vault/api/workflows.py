"""Serves object workflows: lists them, starts them with records, cancels them, changes their owners."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.protocol.whole_numbers import LARGEST, whole_number
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import missing, read_fields, required
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.paging import Offset, PageSize
from shared.vault.api.request_context import PREFIX, SignedIn, base_path, vault_of
from shared.vault.components.component_kinds import ComponentKind
from shared.vault.errors import VaultFault
from shared.vault.workflows.workflow_lists import WorkflowFilter, workflow_actions
from shared.vault.workflows.workflow_table import WorkflowStatus

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.components.workflow_definitions import WorkflowDefinition

router = APIRouter(prefix=f"{PREFIX}/objects/objectworkflows", tags=["Workflows"])

ME = "me()"
USER = re.compile(r"(?:user:)?([0-9]{1,18})")
RECORD = re.compile(r"Object:([a-z0-9_]{1,100})\.([A-Za-z0-9]{1,50})")
MAX_RECORDS = 100
MULTI_RECORD = "multirecordworkflow"
MULTI_DOCUMENT = "multidocworkflow"

Id = Annotated[int, Path(ge=1, le=LARGEST)]
OfObject = Annotated[
    str | None, Query(max_length=200, description="Name of the record's object.")
]
OfRecord = Annotated[str | None, Query(max_length=200, description="Id of the record.")]
OfUser = Annotated[
    str | None, Query(max_length=200, description="A user's id, or `me()`.")
]
Statuses = Annotated[
    str | None, Query(max_length=200, description="Statuses, separated by commas.")
]


@router.get("", summary="Workflows of a record or a user")
async def listed(
    request: Request,
    caller: SignedIn,
    object__v: OfObject = None,
    record_id__v: OfRecord = None,
    participant: OfUser = None,
    status__v: Statuses = None,
    page_size: PageSize = 200,
    offset: Offset = 0,
) -> Response:
    """Lists workflows, the latest first: of `object__v` and `record_id__v`, or of `participant`, an id or `me()`."""
    user_id = user_of(caller, participant, "participant")
    wanted = filter_of(object__v, record_id__v, user_id, status__v, "participant")
    page = await vault_of(request).workflow_lists.workflows(
        caller, wanted, page_size, offset
    )
    details = {
        "total": page.total,
        "offset": offset,
        "page_size": page_size,
        "object": _described(_object_parameter(request)),
    }
    return envelope.success(
        responseDetails=details, data=[workflow_json(row) for row in page.rows]
    )


@router.get("/actions", summary="Workflows that can be started with records")
async def startable(request: Request, caller: SignedIn) -> Response:
    """Lists the workflows for records that the caller may edit."""
    offered = vault_of(request).workflows.offered(caller)
    shown = [offered_json(each) for each in offered if not each.of_documents]
    return envelope.success(data=shown)


@router.get("/actions/{workflow_name}", summary="Parameters of the start of a workflow")
async def start_metadata(
    request: Request, caller: SignedIn, workflow_name: str
) -> Response:
    """Returns a workflow with the parameters of its start: records, a description, and participants."""
    definition = workflow_named(request, caller, workflow_name)
    contents = {"label": "Contents", "name": "contents__sys"}
    text = {"multi_value": False, "label": "Description", "name": "description__sys"}
    controls: list[dict[str, object]] = [
        {"prompts": [contents], "type": "contents", "label": "Contents"},
        {"prompts": [text], "type": "description", "label": "Description"},
    ]
    controls += participant_controls(definition)
    return envelope.success(data={**offered_json(definition), "controls": controls})


START = form_documentation(
    {
        "contents__sys": "Records, separated by commas: `Object:{object}.{id}`",
        "description__sys": "The purpose of this workflow",
        "{participant}": "Users and groups, separated by commas: `user:{id}`, `group:{id}`",
    }
)


@router.post(
    "/actions/{workflow_name}",
    summary="Start a workflow with records",
    openapi_extra=START,
)
async def start(request: Request, caller: SignedIn, workflow_name: str) -> Response:
    """Starts the workflow with up to 100 records of one object: all of them enter it, or none."""
    definition = workflow_named(request, caller, workflow_name)
    inputs = await read_fields(request)
    contents, description = required(inputs, "contents__sys", "description__sys")
    object_name, ids = _contents(contents)
    del inputs["contents__sys"], inputs["description__sys"]
    started = await vault_of(request).workflows.start(
        caller, definition.name, object_name, ids, description, inputs
    )
    first = started.record_ids[0]
    data = {
        "record_url": f"{base_path(request)}/vobjects/{object_name}/{first}",
        "record_id__v": first,
        "workflow_id": str(started.id),
    }
    return envelope.success(data=data)


@router.get("/{workflow_id}", summary="One workflow")
async def details(request: Request, caller: SignedIn, workflow_id: Id) -> Response:
    """Returns a workflow."""
    row = await vault_of(request).workflow_lists.workflow(caller, workflow_id)
    path = base_path(request)
    described = _described(f"{path}/metadata/objectworkflows")
    url = f"{path}/objects/objectworkflows/{workflow_id}"
    return envelope.success(
        responseDetails={"url": url, "object": described}, data=[workflow_json(row)]
    )


@router.get("/{workflow_id}/actions", summary="Actions of a workflow")
async def actions(request: Request, caller: SignedIn, workflow_id: Id) -> Response:
    """Lists the actions that the caller may run on a workflow."""
    row = await vault_of(request).workflow_lists.workflow(caller, workflow_id)
    return envelope.success(data=named(workflow_actions(caller, row)))


@router.get(
    "/{workflow_id}/actions/{workflow_action}",
    summary="Parameters of an action of a workflow",
)
async def action_metadata(
    request: Request, caller: SignedIn, workflow_id: Id, workflow_action: str
) -> Response:
    """Returns the parameters of an action of a workflow."""
    row = await vault_of(request).workflow_lists.workflow(caller, workflow_id)
    label = offered_label(workflow_actions(caller, row), workflow_action)
    prompt = {"name": "new_workflow_owner", "label": "New Owner", "required": True}
    if workflow_action == "cancel":
        prompt = {"name": "cancellation_comment", "label": "Comment", "required": False}
    control = {"label": "Fields", "type": "field", "prompts": [prompt]}
    return envelope.success(
        data={"name": workflow_action, "label": label, "controls": [control]}
    )


RUN = form_documentation(
    {
        "new_workflow_owner": "`user:{id}`, for `replaceworkflowowner`",
        "cancellation_comment": "Why, for `cancel`",
    }
)


@router.post(
    "/{workflow_id}/actions/{workflow_action}",
    summary="Run an action of a workflow",
    openapi_extra=RUN,
)
async def run(
    request: Request, caller: SignedIn, workflow_id: Id, workflow_action: str
) -> Response:
    """Cancels a workflow (`cancel`), or changes its owner (`replaceworkflowowner`)."""
    fields = await read_fields(request)
    workflows = vault_of(request).workflows
    match workflow_action:
        case "cancel":
            comment = fields.get("cancellation_comment", "")
            await workflows.cancel(caller, workflow_id, comment)
        case "replaceworkflowowner":
            user_id = user_in(fields, "new_workflow_owner")
            await workflows.replace_owner(caller, workflow_id, user_id)
        case _:
            raise no_action(workflow_action)
    return envelope.success()


def participant_controls(definition: WorkflowDefinition) -> list[dict[str, object]]:
    """Return the controls with which the user who starts the workflow names its participants."""
    return [
        {
            "label": control.label,
            "type": "participant",
            "prompts": [
                {
                    "name": control.name,
                    "label": control.label,
                    "multi_value": True,
                    "required": control.chosen,
                }
            ],
        }
        for control in definition.participants.values()
    ]


def workflow_json(row: Record) -> dict[str, object]:
    """Return a workflow in the format of the API, without dates that are not set yet."""
    shown: dict[str, object] = {
        "id": row["id"],
        "label__v": row["label"],
        "status__v": [f"{row['status']}__v"],
        "object__v": row["object"],
        "record_id__v": row["record_id"],
        "initiator__v": row["owner_id"],
        "started_date__v": date_time_text(row["created_date"]),
    }
    ended = date_time_text(row["ended_date"])
    if ended is not None:
        shown[f"{WorkflowStatus(row['status'])}_date__v"] = ended
    return shown


def named(actions_: list[tuple[str, str]]) -> list[dict[str, str]]:
    """Return actions in the format of the API's lists."""
    return [{"name": name, "label": label} for name, label in actions_]


def offered_label(offered: list[tuple[str, str]], name: str) -> str:
    """Return the label of an action.

    :raises VaultFault: INVALID_DATA when the action is not among the offered ones.
    """
    label = dict(offered).get(name)
    if label is None:
        raise no_action(name)
    return label


def no_action(name: str) -> VaultFault:
    """Return the fault of a call of an action that is not offered."""
    message = f"There is no action [{name[:100]}]"
    return VaultFault(ErrorType.INVALID_DATA, message)


def user_of(caller: Caller, text: str | None, name: str) -> int | None:
    """Return the user in a query parameter: an id, or ``me()``; None without one.

    :raises VaultFault: INVALID_DATA when it is neither.
    """
    if not text:
        return None
    if text == ME:
        return caller.user_id
    found = whole_number(text)
    if found is None:
        message = f"[{name}] takes a user's id, or {ME}"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return found


def user_in(fields: dict[str, str], name: str) -> int:
    """Return the user in a field: ``user:{id}``, or the id alone.

    :raises VaultFault: PARAMETER_REQUIRED when the field is missing; INVALID_DATA when its value has another form.
    """
    (text,) = required(fields, name)
    match = USER.fullmatch(text.strip())
    if match is None:
        raise VaultFault(ErrorType.INVALID_DATA, f"[{name}] takes user:{{id}}")
    return int(match[1])


def filter_of(
    object_name: str | None,
    record_id: str | None,
    user_id: int | None,
    status: str | None,
    user_parameter: str,
) -> WorkflowFilter:
    """Return the filter of the workflows or tasks that a call requests.

    :raises VaultFault: PARAMETER_REQUIRED when the call names neither a record nor a user.
    """
    if user_id is None and not (object_name and record_id):
        raise missing("object__v" if record_id else user_parameter)
    statuses = None
    if status:
        names = [name.strip() for name in status.split(",")]
        statuses = [name.removesuffix("__v") for name in names]
    return WorkflowFilter(object_name, record_id, user_id, statuses)


def workflow_named(
    request: Request, caller: Caller, name: str, *, of_documents: bool = False
) -> WorkflowDefinition:
    """Return the workflow that a path names: ``Objectworkflow.{name}``.

    :raises VaultFault: INVALID_DATA when the caller can start no workflow of this name.
    """
    own = name.removeprefix(f"{ComponentKind.WORKFLOW}.")
    for definition in vault_of(request).workflows.offered(caller):
        if definition.name == own and definition.of_documents == of_documents:
            return definition
    message = f"There is no workflow [{name[:100]}] to start"
    raise VaultFault(ErrorType.INVALID_DATA, message)


def _contents(text: str) -> tuple[str, list[str]]:
    """Return the object and the ids in a comma-separated list of ``Object:{object}.{id}``.

    :raises VaultFault: INVALID_DATA when it has another form, or names several objects.
    """
    matches = [RECORD.fullmatch(part.strip()) for part in text.split(",")]
    objects = {match[1] for match in matches if match}
    if None in matches or len(objects) != 1 or len(matches) > MAX_RECORDS:
        message = f"[contents__sys] takes Object:{{object}}.{{id}}, up to {MAX_RECORDS} of one object, with commas"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    return objects.pop(), [match[2] for match in matches if match]


def offered_json(definition: WorkflowDefinition) -> dict[str, object]:
    """Return a workflow as an entry of the list of those that can be started."""
    return {
        "name": f"{ComponentKind.WORKFLOW}.{definition.name}",
        "label": definition.label,
        "type": MULTI_DOCUMENT if definition.of_documents else MULTI_RECORD,
        "cardinality": "OneOrMany" if definition.multiple else "One",
    }


def _object_parameter(request: Request) -> str:
    url = request.url
    return f"{url.path}?{url.query}" if url.query else url.path


def _described(url: str) -> dict[str, str]:
    return {
        "name": "objectworkflows",
        "label": "Object Workflow",
        "url": url,
        "label_plural": "Object Workflows",
    }

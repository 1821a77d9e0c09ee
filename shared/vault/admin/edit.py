"""Serves the forms that create, edit and delete records of any object, and the buttons of their user actions."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.error_advice import labelled
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.field_errors import at_fields
from shared.vault.admin.guided_forms import SEND, UPDATE, Guide, guide_of
from shared.vault.admin.inputs import (
    changed,
    editable,
    entered,
    inputs,
    touched,
)
from shared.vault.admin.named_records import with_ids
from shared.vault.admin.page_context import THEN, CurrentPage, PageContext, safe_target
from shared.vault.admin.record_forms import MODIFIED, create_form, edit_form
from shared.vault.admin.record_pages import record_page
from shared.vault.admin.showing import record_path
from shared.vault.admin.viewing import (
    chosen_participants,
    object_of,
    record_of,
    update_refusal,
    view,
)
from shared.vault.errors import ApiError

if TYPE_CHECKING:
    from shared.vault.actions.action_service import AvailableAction
    from shared.vault.model.component_model import VaultObject
    from shared.vault.records.rows import RowResult

router = APIRouter(prefix="/objects/{object_name}")

OVERTAKEN = ApiError(
    ErrorType.RACE_CONDITION,
    "The record was changed after you opened this form. The form shows your changes; save again to store them",
)
GONE = ApiError(
    ErrorType.RACE_CONDITION,
    "This action is not offered any more: the record was changed after you opened its page",
)
SENT_BEFORE = "The form was sent before; this is what came of it."


@router.get("/new")
async def new(
    context: CurrentPage,
    object_name: str,
) -> Response:
    """Show an empty form; parameters of the address fill in fields."""
    target = object_of(context, object_name, Operation.CREATE)
    # Links from other pages fill in the reference to the record to which the new record belongs.
    values = dict(context.request.query_params)
    return await create_form(context, target, values, ())


@router.post("/new")
async def create(
    context: CurrentPage,
    object_name: str,
) -> Response:
    """Create the record, or show the form again with the errors."""
    target = object_of(context, object_name, Operation.CREATE)
    fields = editable(context, target, creating=True)
    values = entered(fields, context.form.fields, context.registry)
    row, unknown = await with_ids(context, fields, values)
    guide = await guide_of(context, target)
    then = context.form.fields.get(THEN, "")
    if then == UPDATE:
        return await create_form(context, target, row, ())
    if unknown:
        return await create_form(context, target, row, unknown)
    if guide is None:
        return await _create(context, target, row)
    if then == SEND:
        return await _create_and_send(context, guide, row)
    empty = guide.empty_record_error(row)
    if empty is not None:
        return await create_form(context, target, row, (empty,))
    return await _create(context, target, row)


async def _create_and_send(
    context: PageContext, guide: Guide, row: Mapping[str, object]
) -> Response:
    """Create the record and run the actions to its goal, or show the form again with the unmet entry criteria."""
    target, goal_actions = guide.target, guide.goal_actions
    if goal_actions is None:
        # The page had the button before an administrator took the action away.
        gone = ApiError(ErrorType.OPERATION_NOT_ALLOWED, guide.reason_not_sent)
        return await create_form(context, target, row, (gone,))
    unmet = guide.unmet_criteria(row)
    if unmet:
        return await create_form(context, target, row, (unmet.error(target),), unmet)

    async def send() -> RowResult:
        return await context.vault.actions.create_and_run(
            context.caller, target.name, row, goal_actions.actions
        )

    done = guide.form.sent_message
    return await _create_once(context, target, row, send, done, NoteKind.BEGUN)


async def _create(
    context: PageContext, target: VaultObject, row: Mapping[str, object]
) -> Response:
    """Create the record, or show the form again with the errors."""

    async def create() -> RowResult:
        rows = [row]
        (result,) = await context.vault.records.create(
            context.caller, target.name, rows
        )
        return result

    done = f"The {target.label} was created."
    return await _create_once(context, target, row, create, done)


async def _create_once(
    context: PageContext,
    target: VaultObject,
    row: Mapping[str, object],
    make: Callable[[], Awaitable[RowResult]],
    done: str,
    kind: NoteKind = NoteKind.DONE,
) -> Response:
    """Create a record and redirect to it, or show the form again with the errors.

    A form that is sent twice creates one record.
    """
    results: list[RowResult] = []

    async def carry_out() -> str | None:
        result = await make()
        results.append(result)
        return None if result.id is None else record_path(target.name, result.id)

    path = await context.once(carry_out)
    if path is not None:
        if results:
            return context.go(path, done, kind)
        # It was made by the same form, sent before, perhaps by its other button.
        return context.go(path, SENT_BEFORE)
    refused = [error for result in results for error in result.errors]
    return await create_form(context, target, row, refused)


@router.get("/{record_id}/edit")
async def edit(
    context: CurrentPage,
    object_name: str,
    record_id: str,
) -> Response:
    """Show the record in a form; when every change would be refused, show its page, which says why."""
    target = object_of(context, object_name, Operation.EDIT)
    record = await record_of(context, object_name, record_id)
    refused = await update_refusal(context, target, record)
    if refused is not None:
        return context.go(record_path(object_name, record["id"]))
    return await edit_form(context, target, record, {}, ())


@router.post("/{record_id}/edit")
async def update(
    context: CurrentPage,
    object_name: str,
    record_id: str,
) -> Response:
    """Store the fields that were changed in the form, unless another user has changed the record since."""
    target = object_of(context, object_name, Operation.EDIT)
    then = context.form.fields.get(THEN)
    if then == SEND and (earlier := await context.earlier()) is not None:
        # The form was sent twice: the first time has changed the record.
        return context.go(earlier, SENT_BEFORE)
    record = await record_of(context, object_name, record_id)
    fields = editable(context, target)
    values = entered(fields, context.form.fields, context.registry)
    named, unknown = await with_ids(context, fields, values)
    shown = context.form.fields.get("shown", "")
    row = touched(fields, changed(fields, named, record), shown)
    errors = [] if then == UPDATE else unknown
    path = record_path(object_name, record["id"])
    refused = await update_refusal(context, target, record)
    if refused is not None:
        if not row:
            return context.refuse(path, refused, target)
        errors = [refused]
    if then == UPDATE or errors:
        return await edit_form(context, target, record, row, errors)
    if then == SEND:
        return await _save_and_send(context, target, record, row)
    result = await _save(context, target, record, row)
    if isinstance(result, Response):
        return result
    return context.go_with(path, result, f"The {target.label} was saved.")


async def _save(
    context: PageContext,
    target: VaultObject,
    record: Mapping[str, Any],
    row: Mapping[str, Any],
) -> RowResult | Response:
    """Store the changes of a record, or return the form again with the errors."""
    if _is_overtaken(context, record):
        return await edit_form(context, target, record, row, (OVERTAKEN,))
    changes = [{"id": record["id"], **row}]
    (result,) = await context.vault.records.update(
        context.caller, target.name, changes, unchanged_since=str(record[MODIFIED])
    )
    if result.overtaken:
        now = await record_of(context, target.name, record["id"])
        return await edit_form(context, target, now, row, (OVERTAKEN,))
    if result.errors:
        return await edit_form(context, target, record, row, result.errors)
    return result


def _is_overtaken(context: PageContext, record: Mapping[str, Any]) -> bool:
    """Return whether a record was changed since its form, which has the date of the record that it showed."""
    current = str(record[MODIFIED])
    return context.form.fields.get("read", current) != current


async def _save_and_send(
    context: PageContext,
    target: VaultObject,
    record: Mapping[str, Any],
    row: Mapping[str, Any],
) -> Response:
    """Store the changes and run the actions to the goal, or show the form again with the unmet entry criteria."""
    guide = await guide_of(context, target, record)
    if guide is None or guide.goal_actions is None:
        # The page had the button before an administrator took the action away.
        text = guide.reason_not_sent if guide else "Records of this object are not sent"
        gone = ApiError(ErrorType.OPERATION_NOT_ALLOWED, text)
        return await edit_form(context, target, record, row, (gone,))
    unmet = guide.unmet_criteria({**record, **row})
    if unmet:
        errors = (unmet.error(target),)
        return await edit_form(context, target, record, row, errors, unmet)
    if row or _is_overtaken(context, record):
        result = await _save(context, target, record, row)
        if isinstance(result, Response):
            return result
    path, actions = record_path(target.name, record["id"]), guide.goal_actions.actions
    results: list[RowResult] = []

    async def run() -> str | None:
        result = await context.vault.actions.run_each(
            context.caller, target.name, record["id"], actions
        )
        results.append(result)
        return None if result.errors else path

    await context.once(run)
    # The changes stay stored when an action is refused.
    sent = guide.form.sent_message
    return context.go_with(path, results[0], sent, target, NoteKind.BEGUN)


@router.get("/{record_id}/delete")
async def confirm_delete(
    context: CurrentPage,
    object_name: str,
    record_id: str,
) -> Response:
    """Ask whether to delete the record."""
    object_of(context, object_name, Operation.DELETE)
    shown = await view(context, object_name, record_id)
    if shown.refusals.delete is not None:
        return context.refuse(shown.path, shown.refusals.delete)
    return context.page("delete.html", view=shown)


@router.post("/{record_id}/delete")
async def delete(
    context: CurrentPage,
    object_name: str,
    record_id: str,
) -> Response:
    """Delete the record and redirect to the list of its object."""
    target = object_of(context, object_name, Operation.DELETE)
    rows = [{"id": record_id}]
    (result,) = await context.vault.records.delete(context.caller, object_name, rows)
    here, onward = record_path(object_name, record_id), f"/ui/objects/{object_name}"
    path = here if result.errors else onward
    return context.go_with(path, result, f"The {target.label} was deleted.", target)


@router.post("/{record_id}/actions/{action_name}")
async def run_action(
    context: CurrentPage,
    object_name: str,
    record_id: str,
    action_name: str,
) -> Response:
    """Run a user action on a record and redirect to the page with its button."""
    target = object_of(context, object_name, Operation.EDIT)
    offered = await context.vault.actions.available(
        context.caller, object_name, record_id
    )
    action = next((each for each in offered if each.name == action_name), None)
    if action is None and (earlier := await context.earlier()) is not None:
        # Sent twice: the first time has moved the record to a state that does not offer the action.
        return context.go(earlier, "The action was run.")
    if action is None:
        return context.refuse(record_path(object_name, record_id), GONE)
    prompts = [target.fields[name] for name in action.prompts if name in target.fields]
    sent = entered(prompts, context.form.fields, context.registry)
    # A field that was left empty is not set: an action empties no fields.
    values = {name: value for name, value in sent.items() if value not in ("", [])}
    values |= chosen_participants(context, action.workflow)
    back = context.form.fields.get("back", "")
    path = safe_target(back) if back else record_path(object_name, record_id)
    done = f"The action {action.label} was run."
    result: RowResult | None = None

    async def carry_out() -> str | None:
        nonlocal result
        (result,) = await context.vault.actions.run(
            context.caller, object_name, [record_id], action_name, values
        )
        return None if result.errors else path

    await context.once(carry_out)
    # Without a result it was run by the same form, sent before.
    if result is None:
        return context.go(path, done)
    if result.errors and values and not back:
        return await _asked_again(context, target, record_id, action, sent, result)
    return context.go_with(path, result, done, target)


async def _asked_again(
    context: PageContext,
    target: VaultObject,
    record_id: str,
    action: AvailableAction,
    values: Mapping[str, object],
    result: RowResult,
) -> Response:
    """Show the page of a record again, with the refused form of an action as it was filled in."""
    shown = await view(context, target.name, record_id)
    fields = [target.fields[name] for name in action.prompts if name in target.fields]
    filled = at_fields(await inputs(context, target, fields, values), result.errors)
    errors = labelled(result.errors, target.fields.values())
    actions = [
        replace(each, inputs=filled, errors=errors)
        if each.name == action.name
        else each
        for each in shown.actions
    ]
    http_status = status_of(result.errors[0])
    return await record_page(context, replace(shown, actions=actions), http_status)

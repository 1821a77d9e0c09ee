"""Serves Admin > Connections > User Exception Messages: failed transfers by cause, to be retried or ignored."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Grant, Operation, may
from shared.vault.admin.cookies import NoteKind
from shared.vault.admin.error_advice import (
    field_words,
    in_labels,
    in_words,
    object_words,
)
from shared.vault.admin.exception_causes import (
    MAX_ACTED,
    MOST,
    Cause,
    Causes,
    causes_of,
    message_conditions,
    where,
)
from shared.vault.admin.exception_filters import ALL, Age, ExceptionSelection
from shared.vault.admin.exception_mends import (
    ItemCause,
    item_causes,
    links_of,
    rule_path,
)
from shared.vault.admin.exception_origin import origin_of, source_object, source_path
from shared.vault.admin.listing import Listing, Page, listed, selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.showing import ValueFormatter
from shared.vault.admin.viewing import object_of, view
from shared.vault.components.entry_action_definitions import OBJECT_PREFIX
from shared.vault.errors import ApiError, VaultFault
from shared.vault.exceptions.error_explanations import (
    explanation_of,
    first_reason,
    reason_of,
)
from shared.vault.exceptions.exception_model import ITEM, SETTLED, ErrorStatus
from shared.vault.exceptions.exception_model import MESSAGE as OBJECT
from shared.vault.vql import literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shared.vault.admin.exception_mends import Link
    from shared.vault.records.rows import RowResult

router = APIRouter(prefix="/exceptions")

STATUS = "error_status__sys"
TYPE = "error_type__sys"
COLUMNS = (
    "name__v",
    "error_message__sys",  # shown below its meaning
    "integration__sys",
    "message_items_failed__sys",
    STATUS,
    "modified_date__v",
)
HEADINGS = {
    "error_message__sys": "Error",
    "message_items_failed__sys": "Items Failed",
    "modified_date__v": "Latest",
}
ITEM_COLUMNS = (
    "name__v",
    "item__sys",
    "item_data__sys",
    TYPE,
    "error_message__sys",
    "integration_rule__sys",
    "field_rule__sys",
    "target_field__sys",
    STATUS,
    "created_date__v",
    "modified_date__v",
)
RETRY, IGNORE = "retry_transfer__sys", "ignore__sys"
BULK = (RETRY, IGNORE)  # actions that run on several messages
# Fields that a message's page shows outside its details.
ELSEWHERE = frozenset(
    {
        "name__v",
        "message_body_json__sys",
        "queue__sys",
        "error_message__sys",
        TYPE,
        STATUS,
    }
)
SCOPES = (
    ("connection", "connection__sys", "api_name__sys"),
    ("integration", "integration__sys", "integration_api_name__sys"),
)

MENDS = 2  # of one cause in the list; its message's page has all
NONE = Causes([], left_out=False)

SelectionQuery = Annotated[ExceptionSelection, Depends()]


@router.get("")
async def messages(
    context: CurrentPage,
    wanted: SelectionQuery,
    page: Page = 1,
) -> Response:
    """List causes and messages of a status, the latest first; by default the open ones."""
    target = object_of(context, OBJECT)
    formatter = ValueFormatter(target, context.caller, context.registry)
    conditions = where(await message_conditions(context, wanted))
    selection = formatter.selection((TYPE, *COLUMNS))
    order = "ORDER BY modified_date__v DESC"
    statement = f"SELECT {selection} FROM {OBJECT}{conditions} {order}"
    causes = await causes_of(context, wanted)
    for cause in causes.causes:
        cause.links = _correction_links(context, cause)
    return context.page(
        "exceptions.html",
        formatter=formatter,
        columns=COLUMNS,
        headings=HEADINGS,
        listing=await listed(context, statement, page, counted=False),
        wanted=wanted,
        causes=causes,
        most=MOST,
        statuses=[*_labels(context, OBJECT, STATUS), (ALL, "All")],
        types=[*_labels(context, ITEM, TYPE), *_labels(context, OBJECT, TYPE)],
        ages=list(Age),
        scopes=await _scopes(context),
        explanation_of=explanation_of,
        first_reason=first_reason,
        in_words=partial(in_words, registry=context.registry),
        field_words=partial(field_words, registry=context.registry),
        rule_path=rule_path,
    )


def _correction_links(context: PageContext, cause: Cause) -> list[Link]:
    """Return the pages on which a cause of items is corrected, the most direct first."""
    of = cause.selection
    if not of.rule:
        return []
    parts = (of.rule, of.field_rule or "", of.target_field or "")
    item_cause = ItemCause(of.type, *parts, texts=list(cause.texts))
    # The rule and its part are in a column of their own.
    return links_of(context, item_cause, "")[:MENDS]


def _labels(
    context: PageContext, object_name: str, field: str
) -> list[tuple[str, str]]:
    """Return the name and label of each value of a picklist field."""
    found = context.registry.objects[object_name].fields[field]
    picklist = context.registry.picklists[found.picklist or ""]
    return [(entry.name, entry.label) for entry in picklist.entries.values()]


async def _scopes(context: PageContext) -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the options (API name, name) of each parameter that restricts a retry: connection and integration."""
    scopes = []
    for parameter, object_name, name in SCOPES:
        if may(context.caller, object_name, Operation.READ):
            statement = f"SELECT {name}, name__v FROM {object_name} ORDER BY name__v"
            rows = await selected(context, statement)
            options = [(str(row[name]), str(row["name__v"])) for row in rows]
            scopes.append((parameter, options))
    return scopes


@router.post("/actions")
async def run_on_chosen(context: CurrentPage) -> Response:
    """Run Retry Transfer or Ignore on the selected messages."""
    form = context.form.fields
    back = ExceptionSelection.from_form(form).path
    action = _action(form.get("action", ""))
    chosen = [name.partition(".")[2] for name in form if name.startswith("id.")]
    if not chosen:
        message = "Select messages first, by their checkboxes"
        return context.refuse(back, ApiError(ErrorType.PARAMETER_REQUIRED, message))
    results = await _run(context, OBJECT, action, chosen)
    return _done(context, back, "message", results)


@router.post("/causes")
async def run_on_cause(context: CurrentPage) -> Response:
    """Run Retry Transfer on the messages of a cause, or Ignore on its items: at most 500, the latest first."""
    object_of(context, OBJECT, Operation.EDIT)
    wanted = ExceptionSelection.from_form(context.form.fields)
    action = _action(context.form.fields.get("action", ""))
    back = wanted.without_cause.path
    found = await causes_of(context, wanted) if wanted.has_cause else NONE
    object_name = OBJECT
    ids = [message for each in found.causes for message in each.messages]
    if action == IGNORE and wanted.by_items:
        # The messages may have items of other causes, which are not ignored here.
        object_name = ITEM
        ids = [item for each in found.causes for item in each.items]
    if not ids:
        message = "No exception has this cause any more; open the list again"
        return context.refuse(back, ApiError(ErrorType.INVALID_DATA, message))
    results = await _run(context, object_name, action, ids[:MAX_ACTED])
    noun = "message" if object_name == OBJECT else "item"
    return _done(context, back, noun, results, len(ids) - len(results))


def _action(name: str) -> str:
    """Return the name of an action that runs on several records.

    :raises VaultFault: PARAMETER_REQUIRED for any other name.
    """
    if name not in BULK:
        raise VaultFault(
            ErrorType.PARAMETER_REQUIRED, "Missing required parameter [action]"
        )
    return name


async def _run(
    context: PageContext,
    object_name: str,
    action: str,
    ids: Sequence[str],
) -> list[RowResult]:
    """Run an action on each record separately, so that a refused record does not stop the others."""
    name = f"{OBJECT_PREFIX}.{object_name}.{action}"
    return await context.vault.actions.run(context.caller, object_name, ids, name, {})


def _done(
    context: PageContext,
    back: str,
    noun: str,
    results: Sequence[RowResult],
    left: int = 0,
) -> Response:
    """Redirect to the list with the results of an action.

    ``noun`` is the word for one record, ``left`` the number of records that are not processed yet.
    """
    refused = [result for result in results if result.errors]
    text = _outcome(context, len(results), noun, refused)
    if left:
        text = f"{text} {left} more are left; run it again."
    kind = NoteKind.REFUSED if refused else NoteKind.DONE
    return context.go(back, text, kind)


def _outcome(
    context: PageContext, total: int, noun: str, refused: Sequence[RowResult]
) -> str:
    """Return the message after an action on several messages or items."""
    if not refused:
        return f"The action was run on {total} {noun}{'' if total == 1 else 's'}."
    error = refused[0].errors[0]
    reason = in_labels(error.message, context.registry).rstrip(".")
    count = f"{len(refused)} of {total} {'was' if total == 1 else 'were'} refused"
    return f"{count}, the first one: {reason} ({error.type})"


@router.post("/retry")
async def retry_all(context: CurrentPage) -> Response:
    """Start the job that retries all open messages, or those of one connection or integration."""
    form = context.form.fields
    wanted = {name: form.get(name, "") for name in ("connection", "integration")}

    async def carry_out() -> str:
        job_id = await context.vault.bulk_retries.submit(context.caller, wanted)
        return f"/ui/jobs/{job_id}"

    path = await context.once(carry_out)
    return context.go(path, "The job was started.", NoteKind.BEGUN)


@router.get("/{record_id}")
async def one_message(
    context: CurrentPage,
    record_id: str,
    page: Page = 1,
    settled: Page = 1,
) -> Response:
    """Show a message: its errors, where to correct them, and its items, open ones first."""
    shown = await view(context, OBJECT, record_id)
    items = object_of(context, ITEM)
    origin = await origin_of(context, shown.values)
    kind = next(iter(shown.values[TYPE] or ()), "")
    unsettled = set(ErrorStatus) - SETTLED
    open_items = await _items(context, shown.id, unsettled, page)
    settled_items = await _items(context, shown.id, SETTLED, settled)
    failed = open_items.rows or settled_items.rows
    return context.page(
        "exception.html",
        view=shown,
        formatter=ValueFormatter(items, context.caller, context.registry),
        open_items=open_items,
        settled_items=settled_items,
        origin=origin,
        item_causes=item_causes(context, failed, origin.connection_id),
        words=explanation_of(kind),
        facts=[each for each in shown.remaining if each.name not in ELSEWHERE],
        queue=_queue(context, str(shown.values["queue__sys"] or "")),
        rule_path=rule_path,
        reason_of=reason_of,
        first_reason=first_reason,
        in_words=partial(in_words, registry=context.registry),
        field_words=partial(field_words, registry=context.registry),
        source_object=source_object,
        label_of=partial(object_words, registry=context.registry),
        source_path=source_path,
        ignore=f"{OBJECT_PREFIX}.{ITEM}.ignore__sys",
    )


async def _items(
    context: PageContext,
    message_id: str,
    statuses: Iterable[ErrorStatus],
    page: int,
) -> Listing:
    """Return a page of the items of a message that have one of these statuses."""
    wanted = ", ".join(literal(status) for status in sorted(statuses))
    own = f"exception_message__sys = {literal(message_id)}"
    conditions = f"WHERE {own} AND {STATUS} CONTAINS ({wanted}) ORDER BY id"
    columns = ", ".join(ITEM_COLUMNS)
    statement = f"SELECT id, {columns} FROM {ITEM} {conditions}"
    return await listed(context, statement, page, counted=False)


def _queue(context: PageContext, name: str) -> tuple[str, str]:
    """Return the name of a message's queue, and its page when the caller may open it."""
    known = name in context.registry.queues and context.granted(Grant.READ_QUEUES)
    return name, f"/ui/queues/{name}" if known else ""

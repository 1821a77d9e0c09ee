"""Serves the page on which a response is prepared: documents in order, cover letter, preview, and link."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, assert_never

from fastapi import APIRouter
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import on_behalf_of
from shared.vault.access.permissions import Operation
from shared.vault.admin.chosen_documents import (
    approved_documents,
    first_without_file,
    problems_of,
)
from shared.vault.admin.error_advice import labelled
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.leading import leading
from shared.vault.admin.listing import MAX_SEARCH, Row, selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.recipient_pages import (
    Position,
    page,
    sent,
    viewable_file,
)
from shared.vault.admin.response_drafts import Draft, draft_of, packages_of
from shared.vault.admin.showing import record_path
from shared.vault.admin.viewing import object_of, record_of
from shared.vault.documents.versions import MAJOR, MINOR
from shared.vault.errors import ApiError, VaultFault
from shared.vault.fulfillment.fulfillment_model import (
    DOCUMENT,
    EXPIRES,
    LINK,
    REQUEST,
    RESPONSE,
    TEMPLATE,
    PackageFile,
    ResponsePackage,
)
from shared.vault.vql import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.vault.admin.showing import Shown
    from shared.vault.records.rows import RowResult

router = APIRouter(prefix="/responses/{record_id}")

ACTION = f"Objectaction.{RESPONSE}."
MADE = "The package is made. Its link is in the Case Request and goes to Vault CRM."


class Step(StrEnum):
    """The actions that the forms of the page carry out."""

    FIND = "find"
    ADD = "add"
    UP = "up"
    DOWN = "down"
    REMOVE = "remove"
    FILL = "fill"
    SAVE = "save"
    PREVIEW = "preview"
    MAKE = "make"
    REVOKE = "revoke"


Handler = Callable[[PageContext, str], Awaitable[Response]]
"""Carries a step out for the Case Request with this id."""


@router.get("")
async def compose(context: CurrentPage, record_id: str) -> Response:
    """Show the response in preparation, and the earlier packages."""
    return await _page(context, record_id)


@router.get("/preview")
async def preview(context: CurrentPage, record_id: str) -> Response:
    """Show the package as its recipient will see it."""
    object_of(context, REQUEST, Operation.EDIT)
    request = await record_of(context, REQUEST, record_id)
    draft = await draft_of(context, record_id)
    missing = await first_without_file(context, draft.documents)
    if missing is not None:
        return _refuse_without_file(context, record_id, missing)
    files = []
    for number, row in enumerate(draft.documents, 1):
        stored = await viewable_file(context, row)
        names = (str(row["name__v"]), stored.filename, stored.format)
        content = stored.content
        files.append(PackageFile(number, *names, content.sha256, content.size))
    title, now = str(request["name__v"]), datetime.now(UTC)
    package = ResponsePackage(0, draft.id, title, draft.letter, now, None, files)
    back = f"/ui/responses/{request['id']}"
    return page(context.vault, package, f"{back}/documents", back)


@router.get("/documents/{position}")
async def document(
    context: CurrentPage, record_id: str, position: Position
) -> Response:
    """Send the file of a document of the response in preparation."""
    object_of(context, REQUEST, Operation.EDIT)
    draft = await draft_of(context, record_id)
    if position > len(draft.documents):
        raise VaultFault(ErrorType.INVALID_DATA, "The response has no such document")
    row = draft.documents[position - 1]
    if await first_without_file(context, [row]) is not None:
        return _refuse_without_file(context, record_id, row)
    stored = await viewable_file(context, row)
    content = context.vault.document_files.bytes_of(stored)
    return sent(content, stored.filename, stored.content.size, stored.format)


def _refuse_without_file(context: PageContext, record_id: str, row: Row) -> Response:
    """Return a redirect to the page of the response, with an error that names a document without a file."""
    text = f"There is no file of {row['name__v']} to show: add its file to the document, or remove it here"
    return context.refuse(_path(record_id), ApiError(ErrorType.INVALID_DATA, text))


@router.post("")
async def carry_out(context: CurrentPage, record_id: str) -> Response:
    """Carry out the step of a form, and show the page again."""
    object_of(context, REQUEST, Operation.EDIT)
    try:
        step = Step(context.form.fields.get("step", ""))
    except ValueError as error:
        message = "The form has no step that the page knows"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error
    return await _handler(step)(context, record_id)


def _handler(step: Step) -> Handler:
    match step:
        case Step.FIND:
            handler = _find
        case Step.ADD:
            handler = _add
        case Step.UP | Step.DOWN:
            handler = _move
        case Step.REMOVE:
            handler = _remove
        case Step.FILL:
            handler = _fill
        case Step.SAVE:
            handler = _save
        case Step.PREVIEW:
            handler = _save_and_preview
        case Step.MAKE:
            handler = _make
        case Step.REVOKE:
            handler = _revoke
        case _:
            assert_never(step)
    return handler


async def _find(context: PageContext, record_id: str) -> Response:
    """Show the page with the documents that a search finds."""
    words = context.form.fields.get("words", "")[:MAX_SEARCH]
    return await _page(context, record_id, words)


async def _page(
    context: PageContext,
    record_id: str,
    words: str = "",
    errors: Sequence[ApiError] = (),
) -> Response:
    """Show the page; with ``errors``, the refused form as it was filled in."""
    target = object_of(context, REQUEST, Operation.EDIT)
    request = await record_of(context, REQUEST, record_id)
    draft = await draft_of(context, record_id)
    if errors:
        letter, expires = _entered(context)
        draft = replace(draft, letter=letter, expires=expires)
    open_links, made = await packages_of(context, request["id"])
    choose = f"SELECT id, name__v FROM {TEMPLATE} ORDER BY name__v"
    shown: list[Shown] = await leading(context, target, request)
    return context.page(
        "response.html",
        status_of(errors[0]) if errors else 200,
        target=target,
        request=request,
        errors=labelled(errors, context.registry.objects[RESPONSE].fields.values()),
        path=record_path(REQUEST, request["id"]),
        base=f"/ui/responses/{request['id']}",
        asked=[each for each in shown if each.name != LINK],
        draft=draft,
        problems=await problems_of(context, draft.documents),
        chosen={str(each["document_id__v"]) for each in draft.documents},
        words=words,
        found=await approved_documents(context, words) if words.strip() else None,
        templates=await selected(context, choose),
        open_links=open_links,
        made=made,
        most_days=context.vault.settings.response_package_days,
    )


async def _draft_to_edit(context: PageContext, record_id: str) -> Draft:
    """Return the response in preparation, after creating it when there is none."""
    draft = await draft_of(context, record_id)
    if draft.id:
        return draft
    row = {"case_request__v": record_id}
    (result,) = await context.vault.records.create(context.caller, RESPONSE, [row])
    _require(result)
    return Draft(str(result.id))


async def _add(context: PageContext, record_id: str) -> Response:
    """Add the document version that the form names, such as ``12_1_0``, after the other documents."""
    version = context.form.fields.get("version", "")
    draft = await _draft_to_edit(context, record_id)
    approved = f"version_id = {literal(version)} AND status__v = STEADYSTATE()"
    columns = f"id, name__v, {MAJOR}, {MINOR}"
    rows = await selected(
        context, f"SELECT {columns} FROM ALLVERSIONS documents WHERE {approved}"
    )
    if not rows:
        message = "There is no approved document of this version"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    found = rows[0]
    if any(str(each["document_id__v"]) == str(found["id"]) for each in draft.documents):
        return context.go(_path(record_id), "The response has the document already.")
    last = max((int(each["order__v"]) for each in draft.documents), default=0)
    row = {
        "case_response__v": draft.id,
        "name__v": str(found["name__v"])[:128],
        "document_id__v": str(found["id"]),
        "version_number__v": f"{found[MAJOR]}.{found[MINOR]}",
        "order__v": str(last + 1),
    }
    (result,) = await context.vault.records.create(context.caller, DOCUMENT, [row])
    return context.go_with(_path(record_id), result, f"{row['name__v']} was added.")


async def _move(context: PageContext, record_id: str) -> Response:
    """Move a document by one place."""
    draft = await draft_of(context, record_id)
    ids = [str(each["id"]) for each in draft.documents]
    place = _position_of(ids, context.form.fields.get("document", ""))
    up = context.form.fields["step"] == Step.UP
    other = place - 1 if up else place + 1
    if not 0 <= other < len(ids):
        return context.go(_path(record_id))
    ids[place], ids[other] = ids[other], ids[place]
    # All documents are numbered anew, because order numbers set by hand may be equal.
    rows = [{"id": each, "order__v": str(n)} for n, each in enumerate(ids, 1)]
    results = await context.vault.records.update(context.caller, DOCUMENT, rows)
    for result in results:
        _require(result)
    name = draft.documents[place]["name__v"]
    return context.go(_path(record_id), f"{name} is number {other + 1} now.")


async def _remove(context: PageContext, record_id: str) -> Response:
    """Remove a document from the response."""
    document_id = context.form.fields.get("document", "")
    draft = await draft_of(context, record_id)
    ids = [str(each["id"]) for each in draft.documents]
    place = _position_of(ids, document_id)
    object_of(context, DOCUMENT, Operation.EDIT)
    # Users who may add a document may remove it, also without the right to delete records.
    caller, row = on_behalf_of(context.caller), {"id": document_id}
    (result,) = await context.vault.records.delete(caller, DOCUMENT, [row])
    name = draft.documents[place]["name__v"]
    return context.go_with(_path(record_id), result, f"{name} was removed.")


async def _fill(context: PageContext, record_id: str) -> Response:
    """Fill in the cover letter from a template; the user may change it afterwards."""
    template = context.form.fields.get("template", "")
    draft = await _draft_to_edit(context, record_id)
    letter = await context.vault.cover_letters.filled(
        context.caller, template, record_id
    )
    result = await _update(context, draft.id, {"cover_letter__v": letter})
    done = "The cover letter is filled in; change what you like."
    return context.go_with(f"{_path(record_id)}#letter", result, done)


async def _save(context: PageContext, record_id: str) -> Response:
    result = await _saved(context, record_id)
    if result.errors:
        return await _page(context, record_id, errors=result.errors)
    return context.go(_path(record_id), "The response was saved.")


async def _save_and_preview(context: PageContext, record_id: str) -> Response:
    result = await _saved(context, record_id)
    if result.errors:
        return await _page(context, record_id, errors=result.errors)
    return context.go(f"{_path(record_id)}/preview")


async def _saved(context: PageContext, record_id: str) -> RowResult:
    """Store the cover letter and the link's last day from the form."""
    draft = await _draft_to_edit(context, record_id)
    letter, expires = _entered(context)
    changes = {"cover_letter__v": letter, EXPIRES: expires}
    return await _update(context, draft.id, changes)


def _entered(context: PageContext) -> tuple[str, str]:
    """Return the cover letter and the link's last day as the form has them."""
    fields = context.form.fields
    letter = fields.get("letter", "").replace("\r\n", "\n")
    return letter, fields.get("expires", "")


async def _make(context: PageContext, record_id: str) -> Response:
    """Store the cover letter and last day from the form, and make the package of the response."""
    errors: Sequence[ApiError] = ()

    async def once() -> str | None:
        nonlocal errors
        result = await _saved(context, record_id)
        if not result.errors:
            draft = await draft_of(context, record_id)
            result = await _run(context, draft.id, "make_response_package__v")
        errors = result.errors
        return None if errors else f"{_path(record_id)}#made"

    path = await context.once(once)
    if errors:
        return await _page(context, record_id, errors=errors)
    # Sent twice, the form has made the package once.
    return context.go(path or _path(record_id), MADE)


async def _revoke(context: PageContext, record_id: str) -> Response:
    """Close the link of a response."""
    response = context.form.fields.get("response", "")
    result = await _run(context, response, "revoke_response_package__v")
    return context.go_with(_path(record_id), result, "The link is closed.")


async def _run(context: PageContext, response: str, name: str) -> RowResult:
    (result,) = await context.vault.actions.run(
        context.caller, RESPONSE, [response], f"{ACTION}{name}", {}
    )
    return result


async def _update(
    context: PageContext, response: str, changes: Mapping[str, object]
) -> RowResult:
    row = {"id": response, **changes}
    (result,) = await context.vault.records.update(context.caller, RESPONSE, [row])
    return result


def _position_of(ids: list[str], document_id: str) -> int:
    """Return the place of a document in a response, from 0.

    :raises VaultFault: INVALID_DATA when the response does not have the document (any more).
    """
    if document_id not in ids:
        raise VaultFault(ErrorType.INVALID_DATA, "The response has no such document")
    return ids.index(document_id)


def _require(result: RowResult) -> None:
    """Check that a record was written.

    :raises VaultFault: the first error of a refused record.
    """
    if result.errors:
        error = result.errors[0]
        raise VaultFault(error.type, error.message)


def _path(record_id: str) -> str:
    return f"/ui/responses/{record_id}"

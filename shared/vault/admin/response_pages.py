"""Serves the page on which a response is prepared: documents in order, cover letter, preview, and link."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
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
from shared.vault.admin.leading import leading
from shared.vault.admin.listing import MAX_SEARCH, Row, listed, selected
from shared.vault.admin.recipient_pages import (
    Position,
    page,
    sent,
    viewable_file,
)
from shared.vault.admin.showing import record_path
from shared.vault.admin.viewing import object_of, record_of
from shared.vault.admin.visit import Visit, Visiting
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

    from asyncpg import Record

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


Handler = Callable[[Visit, str], Awaitable[Response]]
"""Carries a step out for the Case Request with this id."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A response without a package, with its documents in order; ``id`` is empty before the response is stored."""

    id: str = ""
    letter: str = ""
    expires: str = ""
    documents: list[Row] = field(default_factory=list)


@router.get("")
async def compose(visit: Visiting, record_id: str) -> Response:
    """Show the response in preparation, and the earlier packages."""
    return await _page(visit, record_id)


@router.get("/preview")
async def preview(visit: Visiting, record_id: str) -> Response:
    """Show the package as its recipient will see it."""
    object_of(visit, REQUEST, Operation.EDIT)
    request = await record_of(visit, REQUEST, record_id)
    draft = await _draft(visit, record_id)
    missing = await first_without_file(visit, draft.documents)
    if missing is not None:
        return _refuse_without_file(visit, record_id, missing)
    files = []
    for number, row in enumerate(draft.documents, 1):
        stored = await viewable_file(visit, row)
        names = (str(row["name__v"]), stored.filename, stored.format)
        content = stored.content
        files.append(PackageFile(number, *names, content.sha256, content.size))
    title, now = str(request["name__v"]), datetime.now(UTC)
    package = ResponsePackage(0, draft.id, title, draft.letter, now, None, files)
    back = f"/ui/responses/{request['id']}"
    return page(visit.vault, package, f"{back}/documents", back)


@router.get("/documents/{position}")
async def document(visit: Visiting, record_id: str, position: Position) -> Response:
    """Send the file of a document of the response in preparation."""
    object_of(visit, REQUEST, Operation.EDIT)
    draft = await _draft(visit, record_id)
    if position > len(draft.documents):
        raise VaultFault(ErrorType.INVALID_DATA, "The response has no such document")
    row = draft.documents[position - 1]
    if await first_without_file(visit, [row]) is not None:
        return _refuse_without_file(visit, record_id, row)
    stored = await viewable_file(visit, row)
    content = visit.vault.document_files.bytes_of(stored)
    return sent(content, stored.filename, stored.content.size, stored.format)


def _refuse_without_file(visit: Visit, record_id: str, row: Row) -> Response:
    """Return a redirect to the page of the response, with an error that names a document without a file."""
    text = f"There is no file of {row['name__v']} to show: add its file to the document, or remove it here"
    return visit.refuse(_path(record_id), ApiError(ErrorType.INVALID_DATA, text))


@router.post("")
async def carry_out(visit: Visiting, record_id: str) -> Response:
    """Carry out the step of a form, and show the page again."""
    object_of(visit, REQUEST, Operation.EDIT)
    try:
        step = Step(visit.form.fields.get("step", ""))
    except ValueError as error:
        message = "The form has no step that the page knows"
        raise VaultFault(ErrorType.INVALID_DATA, message) from error
    return await _handler(step)(visit, record_id)


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


async def _find(visit: Visit, record_id: str) -> Response:
    """Show the page with the documents that a search finds."""
    words = visit.form.fields.get("words", "")[:MAX_SEARCH]
    return await _page(visit, record_id, words)


async def _page(visit: Visit, record_id: str, words: str = "") -> Response:
    target = object_of(visit, REQUEST, Operation.EDIT)
    request = await record_of(visit, REQUEST, record_id)
    draft = await _draft(visit, record_id)
    open_links, made = await _packages(visit, request["id"])
    choose = f"SELECT id, name__v FROM {TEMPLATE} ORDER BY name__v"
    shown: list[Shown] = await leading(visit, target, request)
    return visit.page(
        "response.html",
        target=target,
        request=request,
        path=record_path(REQUEST, request["id"]),
        base=f"/ui/responses/{request['id']}",
        asked=[each for each in shown if each.name != LINK],
        draft=draft,
        problems=await problems_of(visit, draft.documents),
        chosen={str(each["document_id__v"]) for each in draft.documents},
        words=words,
        found=await approved_documents(visit, words) if words.strip() else None,
        templates=await selected(visit, choose),
        open_links=open_links,
        made=made,
        most_days=visit.vault.settings.response_package_days,
    )


async def _draft(visit: Visit, record_id: str) -> Draft:
    """Return the latest response to a Case Request without a link; an empty draft when there is none."""
    columns = f"id, LONGTEXT(cover_letter__v) AS cover_letter__v, {EXPIRES}"
    of_request = f"case_request__v = {literal(record_id)} AND {LINK} = null"
    statement = f"SELECT {columns} FROM {RESPONSE} WHERE {of_request}"
    page_ = await listed(visit, f"{statement} ORDER BY created_date__v DESC", size=1)
    if not page_.rows:
        return Draft()
    row = page_.rows[0]
    columns = "id, name__v, document_id__v, version_number__v, order__v"
    of_response = f"case_response__v = {literal(row['id'])}"
    documents = await selected(
        visit,
        f"SELECT {columns} FROM {DOCUMENT} WHERE {of_response} ORDER BY order__v, id",
    )
    letter = row["cover_letter__v"] or ""
    return Draft(row["id"], letter, row[EXPIRES] or "", documents)


async def _packages(visit: Visit, record_id: str) -> tuple[list[Row], list[Record]]:
    """Return the responses with a link, and the history of all packages of a Case Request."""
    columns = f"id, name__v, {LINK}, {EXPIRES}"
    of_request = f"case_request__v = {literal(record_id)}"
    statement = f"SELECT {columns} FROM {RESPONSE} WHERE {of_request}"
    rows = await selected(visit, f"{statement} ORDER BY created_date__v DESC")
    ids = [str(row["id"]) for row in rows]
    made = await visit.vault.package_door.packages_of(ids)
    return [row for row in rows if row[LINK]], made


async def _draft_to_edit(visit: Visit, record_id: str) -> Draft:
    """Return the response in preparation, after creating it when there is none."""
    draft = await _draft(visit, record_id)
    if draft.id:
        return draft
    row = {"case_request__v": record_id}
    (result,) = await visit.vault.records.create(visit.caller, RESPONSE, [row])
    _require(result)
    return Draft(str(result.id))


async def _add(visit: Visit, record_id: str) -> Response:
    """Add the document version that the form names, such as ``12_1_0``, after the other documents."""
    version = visit.form.fields.get("version", "")
    draft = await _draft_to_edit(visit, record_id)
    approved = f"version_id = {literal(version)} AND status__v = STEADYSTATE()"
    columns = f"id, name__v, {MAJOR}, {MINOR}"
    rows = await selected(
        visit, f"SELECT {columns} FROM ALLVERSIONS documents WHERE {approved}"
    )
    if not rows:
        message = "There is no approved document of this version"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    found = rows[0]
    if any(str(each["document_id__v"]) == str(found["id"]) for each in draft.documents):
        return visit.go(_path(record_id), "The response has the document already.")
    last = max((int(each["order__v"]) for each in draft.documents), default=0)
    row = {
        "case_response__v": draft.id,
        "name__v": str(found["name__v"])[:128],
        "document_id__v": str(found["id"]),
        "version_number__v": f"{found[MAJOR]}.{found[MINOR]}",
        "order__v": str(last + 1),
    }
    (result,) = await visit.vault.records.create(visit.caller, DOCUMENT, [row])
    return visit.go_with(_path(record_id), result, f"{row['name__v']} was added.")


async def _move(visit: Visit, record_id: str) -> Response:
    """Move a document by one place."""
    draft = await _draft(visit, record_id)
    ids = [str(each["id"]) for each in draft.documents]
    place = _position_of(ids, visit.form.fields.get("document", ""))
    up = visit.form.fields["step"] == Step.UP
    other = place - 1 if up else place + 1
    if not 0 <= other < len(ids):
        return visit.go(_path(record_id))
    ids[place], ids[other] = ids[other], ids[place]
    # All documents are numbered anew, because order numbers set by hand may be equal.
    rows = [{"id": each, "order__v": str(n)} for n, each in enumerate(ids, 1)]
    results = await visit.vault.records.update(visit.caller, DOCUMENT, rows)
    for result in results:
        _require(result)
    name = draft.documents[place]["name__v"]
    return visit.go(_path(record_id), f"{name} is number {other + 1} now.")


async def _remove(visit: Visit, record_id: str) -> Response:
    """Remove a document from the response."""
    document_id = visit.form.fields.get("document", "")
    draft = await _draft(visit, record_id)
    ids = [str(each["id"]) for each in draft.documents]
    place = _position_of(ids, document_id)
    object_of(visit, DOCUMENT, Operation.EDIT)
    # Users who may add a document may remove it, also without the right to delete records.
    caller, row = on_behalf_of(visit.caller), {"id": document_id}
    (result,) = await visit.vault.records.delete(caller, DOCUMENT, [row])
    name = draft.documents[place]["name__v"]
    return visit.go_with(_path(record_id), result, f"{name} was removed.")


async def _fill(visit: Visit, record_id: str) -> Response:
    """Fill in the cover letter from a template; the user may change it afterwards."""
    template = visit.form.fields.get("template", "")
    draft = await _draft_to_edit(visit, record_id)
    letter = await visit.vault.cover_letters.filled(visit.caller, template, record_id)
    result = await _update(visit, draft.id, {"cover_letter__v": letter})
    done = "The cover letter is filled in; change what you like."
    return visit.go_with(f"{_path(record_id)}#letter", result, done)


async def _save(visit: Visit, record_id: str) -> Response:
    result = await _saved(visit, record_id)
    return visit.go_with(_path(record_id), result, "The response was saved.")


async def _save_and_preview(visit: Visit, record_id: str) -> Response:
    result = await _saved(visit, record_id)
    onward = "" if result.errors else "/preview"
    return visit.go_with(f"{_path(record_id)}{onward}", result, "")


async def _saved(visit: Visit, record_id: str) -> RowResult:
    """Store the cover letter and the link's last day from the form."""
    fields = visit.form.fields
    draft = await _draft_to_edit(visit, record_id)
    letter = fields.get("letter", "").replace("\r\n", "\n")
    changes = {"cover_letter__v": letter, EXPIRES: fields.get("expires", "")}
    return await _update(visit, draft.id, changes)


async def _make(visit: Visit, record_id: str) -> Response:
    """Store the cover letter and last day from the form, and make the package of the response."""
    refused: RowResult | None = None

    async def once() -> str | None:
        nonlocal refused
        result = await _saved(visit, record_id)
        if not result.errors:
            draft = await _draft(visit, record_id)
            result = await _run(visit, draft.id, "make_response_package__v")
        refused = result if result.errors else None
        return None if result.errors else f"{_path(record_id)}#made"

    path = await visit.once(once)
    if refused is not None:
        return visit.go_with(_path(record_id), refused, "")
    # Sent twice, the form has made the package once.
    return visit.go(path or _path(record_id), MADE)


async def _revoke(visit: Visit, record_id: str) -> Response:
    """Close the link of a response."""
    response = visit.form.fields.get("response", "")
    result = await _run(visit, response, "revoke_response_package__v")
    return visit.go_with(_path(record_id), result, "The link is closed.")


async def _run(visit: Visit, response: str, name: str) -> RowResult:
    (result,) = await visit.vault.actions.run(
        visit.caller, RESPONSE, [response], f"{ACTION}{name}", {}
    )
    return result


async def _update(
    visit: Visit, response: str, changes: Mapping[str, object]
) -> RowResult:
    row = {"id": response, **changes}
    (result,) = await visit.vault.records.update(visit.caller, RESPONSE, [row])
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

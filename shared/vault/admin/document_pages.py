"""Serves Documents: lists and searches them, creates them from files, and shows one with everything attached to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.permissions import Operation, may, require
from shared.vault.admin.document_forms import (
    TYPE,
    as_texts,
    choice_inputs,
    chosen,
    editable_fields,
    field_inputs,
)
from shared.vault.admin.fault_pages import status_of
from shared.vault.admin.field_errors import at_fields
from shared.vault.admin.inputs import BLANK, Input, InputKind, entered, inputs
from shared.vault.admin.list_filters import Choice
from shared.vault.admin.listing import Page, find, listed, plain
from shared.vault.admin.named_records import with_ids
from shared.vault.admin.page_context import CurrentPage, PageContext, page_context
from shared.vault.admin.record_names import names_of
from shared.vault.admin.record_pages import searched
from shared.vault.admin.showing import ValueFormatter, writers
from shared.vault.api.documents import DocumentId, Major, Minor
from shared.vault.api.file_body import store_form_file
from shared.vault.api.request_context import VERSIONS
from shared.vault.attachments.attachment_service import FileOwner
from shared.vault.documents.document_locks import DocumentLock
from shared.vault.documents.document_store import Place
from shared.vault.documents.versions import Number
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.component_model import Field, FieldType
from shared.vault.model.field_types import DOCUMENTS
from shared.vault.queries.document_target import document_target, labels_of
from shared.vault.records.record_roles import Holder
from shared.vault.security.group_service import OBJECT as GROUP
from shared.vault.security.user_records import OBJECT as USER
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.admin.showing import Shown
    from shared.vault.assembly.vault import Vault

router = APIRouter(prefix="/documents")

COLUMNS = (
    "name__v",
    "document_number__v",
    "type__v",
    "status__v",
    "filename__v",
    "version_modified_date__v",
)
HEADINGS = ("Document", "Number", "Type", "State", "File", "Changed")
FILTERS = {"type__v": "Type", "status__v": "State"}
# Ids without meaning for users, and fields that the page shows elsewhere.
NOT_SHOWN = frozenset(
    {
        "id",
        "version_id",
        "name__v",
        "link__sys",
        "version_link__sys",
        "global_id__sys",
        "global_version_id__sys",
        "major_version_number__v",
        "minor_version_number__v",
        "status__v",
        "latest_version__v",
        "locked__v",
        "crosslink__v",
        "binder__v",
        "pages__v",
        "owner__v",
    }
)


HOLDER = Field("user", "User", FieldType.OBJECT, object=USER)


@dataclass(frozen=True, slots=True)
class RoleHolders:
    """A role on a document with its users and groups: the kind, id and name of each."""

    name: str
    label: str
    assigned: list[tuple[Holder, int, str]]


def _may_create(caller: Caller) -> None:
    require(caller, DOCUMENTS, Operation.CREATE)


def most_bytes(vault: Vault) -> int:
    """Return the largest size of a document's file in bytes."""
    return vault.settings.document_file_bytes


Creating = Annotated[PageContext, Depends(page_context(most_bytes, _may_create))]


@router.get("")
async def documents(context: CurrentPage, page: Page = 1) -> Response:
    """List documents, the latest first; the address may restrict them to a type, a state or a search."""
    model, _ = context.vault.documents.model(context.caller, Operation.READ)
    parameters = context.request.query_params
    search = parameters.get("search", "")
    q = (
        await context.vault.searches.words(context.caller.user_id, search)
        if search
        else ""
    )
    labels = labels_of(model)
    choices = [
        Choice(
            name,
            label,
            tuple((each, each) for each in sorted(set(labels[name].values()))),
            parameters.get(name, ""),
        )
        for name, label in FILTERS.items()
    ]
    terms = [
        f"{each.name} = {literal(each.chosen)}"
        for each in choices
        if each.chosen in dict(each.options)
    ]
    where = f" WHERE {' AND '.join(terms)}" if terms else ""
    order = "" if q else " ORDER BY version_modified_date__v DESC"
    statement = (
        f"SELECT id, {', '.join(COLUMNS)} FROM {DOCUMENTS}{find(q)}{where}{order}"
    )
    return context.page(
        "documents.html",
        listing=await listed(context, statement, page, counted=False),
        columns=list(zip(COLUMNS, HEADINGS, strict=True)),
        choices=choices,
        q=q,
        narrowed=bool(terms or q),
        search_is_gone=bool(search) and not q,
    )


@router.post("")
async def search(context: CurrentPage) -> Response:
    """Redirect to the list of the documents that contain all words of a search."""
    context.vault.documents.model(context.caller, Operation.READ)
    return await searched(context)


@router.get("/new")
async def new(context: CurrentPage) -> Response:
    """Show an empty form."""
    _may_create(context.caller)
    return await _form(context, {}, ())


@router.post("/new")
async def create(context: Creating) -> Response:
    """Create a document from a form and its file, or show the form again with the errors at their fields."""
    _, versions = context.vault.documents.model(context.caller, Operation.CREATE)
    form, fields = context.form.fields, editable_fields(versions)
    values = entered(fields, form, context.registry)
    row, errors = await with_ids(context, fields, values)
    if not form.get(TYPE):
        errors.append(ApiError(ErrorType.PARAMETER_REQUIRED, f"[{TYPE}] is required"))
    if errors:
        return await _form(context, row, errors)
    texts = {name: text for name, text in as_texts(row).items() if text}

    async def carry_out() -> str | None:
        sent = (
            context.form
            if context.form.file is not None and context.form.file.filename
            else None
        )
        file = (
            await store_form_file(context.vault, context.caller, sent) if sent else None
        )
        result = await context.vault.documents.create(
            context.caller, {**chosen(form), **texts}, file
        )
        errors.extend(result.errors)
        return None if result.errors else f"/ui/documents/{result.id}"

    try:
        path = await context.once(carry_out)
    except VaultFault as fault:
        return await _form(context, row, (fault.error,))
    if path is None:
        return await _form(context, row, errors)
    return context.go(path, "The Document was created.")


async def _form(
    context: PageContext, values: Mapping[str, Any], errors: Sequence[ApiError]
) -> Response:
    """Show the form of a new document with these values and errors; its file has to be chosen again."""
    model, versions = context.vault.documents.model(context.caller, Operation.CREATE)
    offered = [
        *choice_inputs(model, context.form.fields),
        *await field_inputs(context, versions, values),
    ]
    return context.page(
        "document_new.html",
        status_of(errors[0]) if errors else 200,
        inputs=at_fields(offered, errors),
        errors=errors,
    )


@router.get("/{document_id}")
async def latest(context: CurrentPage, document_id: DocumentId) -> Response:
    """Show the latest version of a document."""
    return await _page(context, Place(document_id))


@router.get("/{document_id}/versions/{major}/{minor}")
async def version(
    context: CurrentPage, document_id: DocumentId, major: Major, minor: Minor
) -> Response:
    """Show one version of a document."""
    return await _page(context, Place(document_id, Number(major, minor)))


async def _page(context: PageContext, place: Place) -> Response:
    """Show a version with its actions and renditions, and the document's lock, roles, attachments and versions."""
    vault, caller = context.vault, context.caller
    reader = vault.document_reader
    row = plain(await reader.one(caller, VERSIONS[-1], place))
    numbers = await reader.numbers(caller, VERSIONS[-1], place.document_id)
    _, state = await vault.documents.state(caller, place)
    edits = may(caller, DOCUMENTS, Operation.EDIT)
    owner = FileOwner(caller, DOCUMENTS, str(place.document_id))
    lock = await vault.document_locks.one(caller, place.document_id)
    return context.page(
        "document.html",
        document_id=place.document_id,
        row=row,
        number=f"{row['major_version_number__v']}.{row['minor_version_number__v']}",
        path=f"/ui/documents/{place.document_id}/versions/{row['major_version_number__v']}/{row['minor_version_number__v']}",
        is_latest=numbers[-1]
        == (row["major_version_number__v"], row["minor_version_number__v"]),
        details=await _details(context, row),
        actions=state.user_actions if edits else (),
        edits=edits,
        adds=edits and _may_add_version(context, lock),
        numbers=list(reversed(numbers)),
        renditions=await _renditions(context, place),
        lock=lock,
        unlocks=edits and _may_unlock(context, lock, row),
        roles=await _roles(context, place.document_id),
        holder_inputs=await _holder_inputs(context) if edits else (),
        attachments=await vault.document_attachments.all(owner),
    )


async def _renditions(context: PageContext, place: Place) -> list[tuple[str, str]]:
    """Return the types of a version's renditions with their labels."""
    labels = context.registry.documents.renditions
    names = await context.vault.document_files.renditions(context.caller, place)
    return [(name, labels.get(name, name)) for name in names]


async def _details(context: PageContext, row: Mapping[str, Any]) -> list[Shown]:
    """Return the fields of a version that have a value, with the names of the users and records that they refer to."""
    target = document_target(context.registry.documents)
    if target is None:
        return []
    formatter = ValueFormatter(target.object, context.caller, context.registry)
    formatter.people = await writers(context, row)
    row = {**row, **await _referenced_names(context, formatter, row)}
    shown = [
        formatter.show(name, row)
        for name in row
        if name not in NOT_SHOWN and name in target.object.fields
    ]
    return [each for each in shown if each.text]


async def _referenced_names(
    context: PageContext, formatter: ValueFormatter, row: Mapping[str, Any]
) -> dict[str, str]:
    """Return the names of the records that a version refers to, by the paths that ``ValueFormatter`` uses."""
    found: dict[str, str] = {}
    for name, path in formatter.paths.items():
        value = row.get(name)
        referenced = formatter.target.fields[name].object
        if isinstance(value, str) and referenced:
            names = await names_of(context, referenced, [value])
            found[path] = names.get(value, value)
    return found


def _may_add_version(context: PageContext, lock: DocumentLock | None) -> bool:
    """Return whether the caller may make versions of a document with this lock."""
    free = lock is None or lock.user_id == context.caller.user_id
    return free or may(context.caller, DOCUMENTS, Operation.DELETE)


def _may_unlock(
    context: PageContext, lock: DocumentLock | None, row: Mapping[str, Any]
) -> bool:
    """Return whether the caller may undo a check-out.

    Callers may undo their own check-out and that of a document which they created; administrators may undo any.
    """
    if lock is None:
        return False
    owners = {str(lock.user_id), str(row["created_by__v"])}
    own = str(context.caller.user_id) in owners
    return own or may(context.caller, DOCUMENTS, Operation.DELETE)


async def _roles(context: PageContext, document_id: int) -> list[RoleHolders]:
    """Return the roles on a document; with names of users and groups for callers who may see them."""
    found = await context.vault.document_roles.all(context.caller, document_id)
    user_ids = {each for role in found for each in role.assigned[Holder.USERS]}
    sees_users = may(context.caller, USER, Operation.READ)
    names = await context.vault.security.names_of(user_ids if sees_users else ())
    groups = await _groups(context)
    return [
        RoleHolders(
            role.name,
            role.label,
            [
                *(
                    (
                        Holder.USERS,
                        each,
                        names[each][0] if each in names else f"User {each}",
                    )
                    for each in role.assigned[Holder.USERS]
                ),
                *(
                    (Holder.GROUPS, each, groups.get(each, f"Group {each}"))
                    for each in role.assigned[Holder.GROUPS]
                ),
            ],
        )
        for role in found
    ]


async def _groups(context: PageContext) -> dict[int, str]:
    """Return the labels of groups by id; none for callers who may not see groups."""
    if not may(context.caller, GROUP, Operation.READ):
        return {}
    every = await context.vault.groups.all(context.caller)
    return {int(str(each["id"])): str(each["label__v"]) for each in every}


async def _holder_inputs(context: PageContext) -> list[Input]:
    """Return the inputs that name a user or a group who is to have a role."""
    users = context.registry.objects[USER]
    shown = await inputs(context, users, (HOLDER,), {})
    groups = tuple((str(key), label) for key, label in (await _groups(context)).items())
    if groups:
        shown.append(
            Input("group", "or Group", InputKind.SELECT, options=(BLANK, *groups))
        )
    return shown

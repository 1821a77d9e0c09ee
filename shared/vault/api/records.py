"""Serves records: reads one, lists them, and creates, updates, upserts and deletes up to 500 in a call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import TYPE_CHECKING, Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.api import response_envelope as envelope
from shared.vault.api.admission import CreatesRecords, DeletesRecords, EditsRecords
from shared.vault.api.body import Rows, read_record, read_rows
from shared.vault.api.header_flags import is_true, migration_of
from shared.vault.api.listed_records import NAME, listed_page, order_of
from shared.vault.api.object_json import object_reference
from shared.vault.api.openapi.request_bodies import (
    RECORD_DOCUMENTATION,
    ROWS_DOCUMENTATION,
)
from shared.vault.api.paging import Offset, PageSize
from shared.vault.api.request_context import (
    PREFIX,
    SignedIn,
    base_path,
    vault_of,
    version_of,
    wants_csv,
)
from shared.vault.api.response_envelope import (
    brief,
    by_id,
    results_csv,
    wants_brief,
)
from shared.vault.errors import VaultFault
from shared.vault.records.lineage_entries import HEADER, CallLineage, Origin
from shared.vault.records.rows import RowResult, UnchangedFields, WriteMode

if TYPE_CHECKING:
    from shared.vault.assembly.vault import Vault

router = APIRouter(prefix=f"{PREFIX}/vobjects", tags=["Object records"])

MAX_COLLECTION_FIELDS = 100

IdParam = Annotated[
    str | None,
    Query(
        alias="idParam",
        min_length=1,
        description="A unique field by which rows identify their record.",
    ),
]
# Another spelling of the parameter, taken and not documented.
IdParamAlias = Annotated[
    str | None, Query(alias="id_param", min_length=1, include_in_schema=False)
]

MAX_LINEAGE = 16_384  # characters of the header
MAX_ORIGINS = 50
MAX_OWN = 50
MAX_VAULT_ID = 2**53  # above it, readers of JSON lose digits
ComponentName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.]{1,100}$")]
# Names of integrations and points are chosen by administrators, and need not be valid component names.
ApiName = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class _LineagePart(BaseModel):
    """A part of the lineage header; unknown members are refused, so that a misspelt member is not ignored."""

    model_config = ConfigDict(extra="forbid", strict=True)


class _LineageOrigin(_LineagePart):
    """The origin of rows: source object and rule; ``own`` are the fields that the integration point itself sets."""

    object: ComponentName | None = None
    rule: ComponentName | None = None
    own: Annotated[list[ComponentName], Field(max_length=MAX_OWN)] = []


class _LineageHeader(_LineagePart):
    """The lineage header: the transfer, and the origins that rows refer to."""

    source_vault_id: Annotated[int, Field(ge=1, le=MAX_VAULT_ID)]
    integration: ApiName
    integration_point: ApiName
    run: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None
    time: AwareDatetime
    origins: Annotated[
        list[_LineageOrigin], Field(min_length=1, max_length=MAX_ORIGINS)
    ]


@router.get("/{object_name}", summary="List records")
async def collection(
    request: Request,
    caller: SignedIn,
    object_name: str,
    fields: str = "id,name__v",
    limit: PageSize = 200,
    offset: Offset = 0,
    sort: Annotated[
        str, Query(description="Fields, each followed by `asc` or `desc`.")
    ] = "id asc",
) -> Response:
    """Lists records with the fields that the call names; `POST /query` can do this and more."""
    vault = vault_of(request)
    names = [name.strip() for name in fields.split(",")][:MAX_COLLECTION_FIELDS]
    # Names become part of a VQL statement, so any other text is refused.
    if not all(NAME.fullmatch(name) for name in (*names, object_name)):
        raise VaultFault(ErrorType.INVALID_DATA, "A field or object name is malformed")
    selected = ", ".join(dict.fromkeys(names))
    paging = f"ORDER BY {order_of(sort)} PAGESIZE {limit} PAGEOFFSET {offset}"
    text = f"SELECT {selected} FROM {object_name} {paging}"
    page = await listed_page(vault, caller, text, version_of(request))
    url = f"{base_path(request)}/vobjects/{object_name}"
    details: dict[str, object] = {
        "total": page.total,
        "limit": limit,
        "offset": offset,
        "url": url,
    }
    # None when the statement reads no object of records.
    if page.source is not None:
        details["object"] = object_reference(page.source, base_path(request))
    order = f"&sort={quote(sort)}" if "sort" in request.query_params else ""
    listed = f"{url}?fields={','.join(names)}{order}&limit={limit}&offset="
    if offset + page.size < page.total:
        details["next_page"] = f"{listed}{offset + limit}"
    if offset > 0:
        details["previous_page"] = f"{listed}{max(0, offset - limit)}"
    return envelope.success(responseDetails=details, data=page.rows)


@router.post(
    "/{object_name}",
    summary="Create or upsert records",
    openapi_extra=ROWS_DOCUMENTATION,
)
async def create(
    request: Request,
    caller: CreatesRecords,
    object_name: str,
    id_param: IdParam = None,
    alias: IdParamAlias = None,
) -> Response:
    """Creates records from a JSON array, CSV, or one record as a form; with `idParam`, updates existing ones."""
    records = vault_of(request).records
    mode = mode_of(request)
    lineage = lineage_of(request)
    rows = await _rows(request, caller, object_name)
    key = id_param or alias
    if key is None:
        results = await records.create(
            caller, object_name, rows.rows, mode=mode, lineage=lineage
        )
    else:
        results = await records.upsert(
            caller, object_name, rows.rows, key, mode=mode, lineage=lineage
        )
    return _answer(request, object_name, rows, results)


@router.put(
    "/{object_name}", summary="Update records", openapi_extra=ROWS_DOCUMENTATION
)
async def update(
    request: Request,
    caller: EditsRecords,
    object_name: str,
    id_param: IdParam = None,
    alias: IdParamAlias = None,
) -> Response:
    """Updates records from a JSON array, CSV, or a form; rows name their record by `id` or by the `idParam` field."""
    mode = mode_of(request)
    lineage = lineage_of(request)
    rows = await _rows(request, caller, object_name)
    key = id_param or alias
    results = await vault_of(request).records.update(
        caller, object_name, rows.rows, key, mode=mode, lineage=lineage
    )
    shown = results if key else by_id(results)
    return _answer(request, object_name, rows, shown)


@router.delete(
    "/{object_name}", summary="Delete records", openapi_extra=ROWS_DOCUMENTATION
)
async def delete(
    request: Request,
    caller: DeletesRecords,
    object_name: str,
    id_param: IdParam = None,
    alias: IdParamAlias = None,
) -> Response:
    """Deletes records; rows of the body identify them by `id` or by the `idParam` field."""
    rows = await read_rows(request)
    key = id_param or alias
    results = await vault_of(request).records.delete(
        caller, object_name, rows.rows, key, mode=mode_of(request)
    )
    shown = results if key else by_id(results)
    return _answer(request, object_name, rows, shown, deleted=True)


@router.get("/{object_name}/{record_id}", summary="Read a record")
async def read(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
) -> Response:
    """Returns all fields of one record."""
    vault = vault_of(request)
    # First, since it refuses what is no object, or one that the caller may not read.
    record, assigned = await vault.queries.record_with_roles(
        caller, object_name, record_id
    )
    target = vault.components.registry.objects[object_name]
    details = {
        "url": f"{base_path(request)}/vobjects/{object_name}/{record_id}",
        "object": object_reference(target, base_path(request)),
    }
    return envelope.success(
        responseDetails=details, data=record, manually_assigned_sharing_roles=assigned
    )


@router.put(
    "/{object_name}/{record_id}",
    summary="Update a record",
    openapi_extra=RECORD_DOCUMENTATION,
)
async def update_one(
    request: Request,
    caller: EditsRecords,
    object_name: str,
    record_id: str,
) -> Response:
    """Changes fields of one record, from a form or a JSON object."""
    vault = vault_of(request)
    fields = await read_record(request)
    # The id of the path wins over one in the body.
    row = fields | {"id": record_id}
    rows = await _with_files(vault, caller, object_name, [row])
    results = await vault.records.update(
        caller, object_name, rows, mode=mode_of(request)
    )
    return _answer(request, object_name, Rows(rows, single=True), by_id(results))


@router.delete("/{object_name}/{record_id}", summary="Delete a record")
async def delete_one(
    request: Request,
    caller: SignedIn,
    object_name: str,
    record_id: str,
) -> Response:
    """Deletes one record."""
    row: dict[str, object] = {"id": record_id}
    results = await vault_of(request).records.delete(
        caller, object_name, [row], mode=mode_of(request)
    )
    return _answer(
        request, object_name, Rows([row], single=True), by_id(results), deleted=True
    )


async def _rows(request: Request, caller: Caller, object_name: str) -> Rows:
    """Return the rows of the body, after storing the staged files that their attachment fields name."""
    sent = await read_rows(request)
    rows = await _with_files(vault_of(request), caller, object_name, sent.rows)
    return Rows(rows, sent.single)


async def _with_files(
    vault: Vault,
    caller: Caller,
    object_name: str,
    rows: Sequence[Mapping[str, object]],
) -> Sequence[Mapping[str, object]]:
    """Return the rows with the handles of stored files in place of the staging paths in their attachment fields."""
    target = vault.components.registry.objects.get(object_name)
    if target is None or not target.holds_files:
        return rows
    return await vault.attachment_fields.with_files(caller, object_name, rows)


def _answer(
    request: Request,
    object_name: str,
    rows: Rows,
    results: Sequence[RowResult],
    *,
    deleted: bool = False,
) -> Response:
    """Return the results in the format that the call accepts; deleted records have no address."""
    accept = request.headers.get("accept", "")
    if wants_csv(accept):
        return results_csv(results)
    url = None if deleted else f"{base_path(request)}/vobjects/{object_name}"
    if rows.single:
        return envelope.single(results[0], url)
    if wants_brief(accept) and not deleted:
        return brief(results, url)
    return envelope.batch(results, url)


def lineage_of(request: Request) -> CallLineage | None:
    """Return the lineage in the header of a record call; None for a call without the header.

    :raises VaultFault: INVALID_DATA when it is malformed or too long.
    """
    text = request.headers.get(HEADER)
    if text is None:
        return None
    try:
        if len(text) > MAX_LINEAGE:
            raise ValueError
        header = _LineageHeader.model_validate_json(text)
        time = header.time.astimezone(UTC)
    except ValidationError as error:
        location = error.errors()[0]["loc"]
        name = ".".join(str(part) for part in location)
        message = f"The header {HEADER} cannot be read at [{name[:100]}]"
        # Without its cause, whose text quotes the values.
        raise VaultFault(ErrorType.INVALID_DATA, message) from None
    except (ValueError, OverflowError):
        message = f"The header {HEADER} has at most {MAX_LINEAGE} characters, and a moment of this era"
        raise VaultFault(ErrorType.INVALID_DATA, message) from None
    origins = [
        Origin(each.object, each.rule, frozenset(each.own)) for each in header.origins
    ]
    return CallLineage(
        header.source_vault_id,
        header.integration,
        header.integration_point,
        header.run,
        time,
        tuple(origins),
    )


def mode_of(request: Request) -> WriteMode:
    """Return the write mode that the headers of a record call request.

    :raises VaultFault: INVALID_DATA when X-VaultAPI-UnchangedFieldBehavior has an unknown value.
    """
    header = request.headers.get("x-vaultapi-unchangedfieldbehavior")
    behavior = (header or WriteMode().unchanged).lower()
    known = {each.lower(): each for each in UnchangedFields}
    if behavior not in known:
        allowed = ", ".join(UnchangedFields)
        message = f"X-VaultAPI-UnchangedFieldBehavior takes {allowed}"
        raise VaultFault(ErrorType.INVALID_DATA, message)
    migration = migration_of(request)
    no_triggers = is_true(request, "x-vaultapi-notriggers")
    return WriteMode(migration, no_triggers, known[behavior])

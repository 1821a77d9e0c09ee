"""Records: read one, list them, create, update, upsert and delete, one or up to 500 in a call."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.access.caller import Caller
from shared.vault.api import response_envelope as envelope
from shared.vault.api.addresses import PREFIX, base_path, version_of
from shared.vault.api.body import (
    RECORD_DOCUMENTATION,
    ROWS_DOCUMENTATION,
    Rows,
    read_record,
    read_rows,
)
from shared.vault.api.csv_rows import results_csv
from shared.vault.api.lineage import lineage_of
from shared.vault.api.object_json import object_reference
from shared.vault.api.request_session import SignedIn, vault_of
from shared.vault.errors import VaultFault
from shared.vault.records.rows import RowResult, UnchangedFields, WriteMode

router = APIRouter(prefix=f"{PREFIX}/vobjects", tags=["Object records"])

NAME = re.compile(r"[a-z0-9_.]{1,200}")
MAX_COLLECTION_FIELDS = 100
MAX_LIMIT = 1000
MAX_SORT = 10  # fields

IdParam = Annotated[
    str | None,
    Query(alias="idParam", description="A unique field that names the record."),
]
IdParamAlias = Annotated[str | None, Query(alias="id_param", include_in_schema=False)]


@router.get("/{object_name}", summary="List records")
async def collection(
    request: Request,
    caller: SignedIn,
    object_name: str,
    fields: str = "id,name__v",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 200,
    offset: Annotated[int, Query(ge=0)] = 0,
    sort: Annotated[
        str, Query(description="Fields, each with `asc` or `desc` behind it.")
    ] = "id asc",
) -> Response:
    """Records with the named fields; `POST /query` does this and more."""
    vault = vault_of(request)
    names = [name.strip() for name in fields.split(",")][:MAX_COLLECTION_FIELDS]
    if not all(NAME.fullmatch(name) for name in (*names, object_name)):
        raise VaultFault(ErrorType.INVALID_DATA, "A field or object name is malformed")
    selected = ", ".join(dict.fromkeys(names))
    text = f"SELECT {selected} FROM {object_name} ORDER BY {_order(sort)} PAGESIZE {limit} PAGEOFFSET {offset}"
    page = await vault.queries.run(
        caller, text, describe=False, version_path=version_of(request)
    )
    url = f"{base_path(request)}/vobjects/{object_name}"
    details: dict[str, object] = {
        "total": page.total,
        "limit": limit,
        "offset": offset,
        "url": url,
    }
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
    caller: SignedIn,
    object_name: str,
    id_param: IdParam = None,
    alias: IdParamAlias = None,
) -> Response:
    """A JSON array, CSV, or one record as a form; with `idParam`, records that exist are updated."""
    records = vault_of(request).records
    mode, lineage = mode_of(request), lineage_of(request)
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
    caller: SignedIn,
    object_name: str,
    id_param: IdParam = None,
    alias: IdParamAlias = None,
) -> Response:
    """A JSON array, CSV, or one record as a form; rows name their record by `id` or by the `idParam` field."""
    mode, lineage = mode_of(request), lineage_of(request)
    rows = await _rows(request, caller, object_name)
    key = id_param or alias
    results = await vault_of(request).records.update(
        caller, object_name, rows.rows, key, mode=mode, lineage=lineage
    )
    return _answer(request, object_name, rows, results if key else by_id(results))


@router.delete(
    "/{object_name}", summary="Delete records", openapi_extra=ROWS_DOCUMENTATION
)
async def delete(
    request: Request,
    caller: SignedIn,
    object_name: str,
    id_param: IdParam = None,
    alias: IdParamAlias = None,
) -> Response:
    """Rows with `id`, or with the `idParam` field, in the body."""
    rows = await read_rows(request)
    key = id_param or alias
    results = await vault_of(request).records.delete(
        caller, object_name, rows.rows, key, mode=mode_of(request)
    )
    return _answer(
        request, object_name, rows, results if key else by_id(results), deleted=True
    )


@router.get("/{object_name}/{record_id}", summary="Read a record")
async def read(
    request: Request, caller: SignedIn, object_name: str, record_id: str
) -> Response:
    """All fields of one record."""
    vault = vault_of(request)
    record = await vault.queries.record(caller, object_name, record_id)
    details = {
        "url": f"{base_path(request)}/vobjects/{object_name}/{record_id}",
        "object": object_reference(
            vault.components.registry.objects[object_name], base_path(request)
        ),
    }
    assigned = await vault.roles.assigned(caller, object_name, record_id)
    return envelope.success(
        responseDetails=details, data=record, manually_assigned_sharing_roles=assigned
    )


@router.put(
    "/{object_name}/{record_id}",
    summary="Update a record",
    openapi_extra=RECORD_DOCUMENTATION,
)
async def update_one(
    request: Request, caller: SignedIn, object_name: str, record_id: str
) -> Response:
    """The fields to change, as a form or a JSON object."""
    vault, row = vault_of(request), await read_record(request) | {"id": record_id}
    rows = await vault.attachment_fields.with_files(caller, object_name, [row])
    results = await vault.records.update(
        caller, object_name, rows, mode=mode_of(request)
    )
    return _answer(request, object_name, Rows(rows, single=True), by_id(results))


@router.delete("/{object_name}/{record_id}", summary="Delete a record")
async def delete_one(
    request: Request, caller: SignedIn, object_name: str, record_id: str
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
    """The rows of the body, and with them the files that they name."""
    rows = await read_rows(request)
    return Rows(
        await vault_of(request).attachment_fields.with_files(
            caller, object_name, rows.rows
        ),
        rows.single,
    )


def _answer(
    request: Request,
    object_name: str,
    rows: Rows,
    results: Sequence[RowResult],
    *,
    deleted: bool = False,
) -> Response:
    if wants_csv(request.headers.get("accept", "")):
        return results_csv(results)
    url = None if deleted else f"{base_path(request)}/vobjects/{object_name}"
    return (
        envelope.single(results[0], url)
        if rows.single
        else envelope.batch(results, url)
    )


def by_id(results: Sequence[RowResult]) -> Sequence[RowResult]:
    """Results of rows that named their record by ``id``: that is no ``id_param_value``."""
    for result in results:
        result.id, result.id_param_value = result.id or result.id_param_value, None
    return results


def wants_csv(accept: str) -> bool:
    """Whether an Accept header asks for CSV rather than JSON: the one it names first."""
    kinds = [kind.partition(";")[0].strip().lower() for kind in accept.split(",")]
    return (
        next((kind for kind in kinds if kind in ("text/csv", "application/json")), "")
        == "text/csv"
    )


def _order(sort: str) -> str:
    """The ORDER BY of ``name__v desc, id``; raises VaultFault when it is not that."""
    terms = [term.split() for term in sort.split(",")]
    for words in terms:
        direction = [word.lower() for word in words[1:]]
        if (
            not words
            or not NAME.fullmatch(words[0])
            or direction not in ([], ["asc"], ["desc"])
        ):
            raise VaultFault(
                ErrorType.INVALID_DATA, "Invalid value for parameter [sort]"
            )
    return ", ".join(" ".join(words) for words in terms[:MAX_SORT])


def mode_of(request: Request) -> WriteMode:
    """How the headers of a record call want it to write; raises VaultFault."""
    behavior = (
        request.headers.get("x-vaultapi-unchangedfieldbehavior")
        or WriteMode().unchanged
    )
    known = {each.lower(): each for each in UnchangedFields}
    if behavior.lower() not in known:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"X-VaultAPI-UnchangedFieldBehavior takes {', '.join(UnchangedFields)}",
        )
    migration, no_triggers = (
        request.headers.get(f"x-vaultapi-{name}", "").strip().lower() == "true"
        for name in ("migrationmode", "notriggers")
    )
    return WriteMode(migration, no_triggers, known[behavior.lower()])

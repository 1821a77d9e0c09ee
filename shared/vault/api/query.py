"""Serves VQL queries and the later pages of their results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import missing, read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.paging import MAX_OFFSET, Offset
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of, version_of
from shared.vault.errors import VaultFault
from shared.vault.queries.query_pages import Extras, RecordProperties
from shared.vault.rehearsal.page_faults import ROWS_AT_MOST

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.queries.query_pages import QueryPage

MAX_QUERY_LENGTH = 50_000  # characters
MAX_PAGESIZE = 1000

DESCRIBE = "x-vaultapi-describequery"
PROPERTIES = "x-vaultapi-recordproperties"
FACETS = "x-vaultapi-facets"
# Only the form is checked here; whether there is such a field is known when the query is planned.
FIELD = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)

# Up to the version before this one, the details of a page have the names of LEGACY.
RENAMED = (20, 3)
LEGACY = {"pagesize": "limit", "pageoffset": "offset"}

router = APIRouter(prefix=f"{PREFIX}/query", tags=["Queries"])

Size = Annotated[int | None, Query(ge=1, le=MAX_PAGESIZE)]


@router.post("", summary="Run a query", openapi_extra=form_documentation({"q": "VQL"}))
@router.get("", include_in_schema=False)
async def run(request: Request, caller: SignedIn) -> Response:
    """Runs the VQL statement in form field `q` (or in the URL) and returns the first page of its results.

    Header `X-VaultAPI-DescribeQuery: true` adds a description of the fields, `X-VaultAPI-RecordProperties` (`all`,
    `hidden`, `redacted` or `weblink`) the caller's rights to each record, and `X-VaultAPI-Facets` (names of fields) the
    number of records by value.
    """
    return await _first_page(request, caller)


async def _first_page(request: Request, caller: Caller) -> Response:
    """Run the statement in form field `q`, or in the URL, where clients of older versions put it.

    :raises VaultFault: PARAMETER_REQUIRED without a statement, INVALID_DATA, and as ``QueryService.run``.
    """
    fields = await read_fields(request)
    text = fields.get("q") or request.query_params.get("q", "")
    if not text.strip():
        raise missing("q")
    if len(text) > MAX_QUERY_LENGTH:
        raise VaultFault(
            ErrorType.INVALID_DATA,
            f"A query is at most {MAX_QUERY_LENGTH} characters long",
        )
    version = version_of(request)
    page = await vault_of(request).queries.run(
        caller, text, version_path=version, extras=_extras(request)
    )
    return _answer(page, version)


@router.post(
    "/components",
    summary="Query definitions of components",
    openapi_extra=form_documentation({"q": "VQL"}),
)
async def components(request: Request, caller: SignedIn) -> Response:
    """Runs VQL on `vault_component__v`, whose `mdl_definition__v` and `json_definition__v` define each component."""
    return await _first_page(request, caller)


@router.get("/{cursor}", summary="A later page of a query")
@router.post("/{cursor}", include_in_schema=False)
async def page_of(
    request: Request,
    caller: SignedIn,
    cursor: str,
    pagesize: Size = None,
    pageoffset: Offset = 0,
    limit: Annotated[
        int | None, Query(ge=1, le=MAX_PAGESIZE, include_in_schema=False)
    ] = None,
    offset: Annotated[int, Query(ge=0, le=MAX_OFFSET, include_in_schema=False)] = 0,
) -> Response:
    """Returns the page at the address in `next_page` or `previous_page` of an earlier page.

    Pages of a sub-select are read in the same way.
    """
    queries = vault_of(request).queries
    version = version_of(request)
    # Older versions call the limits by their older names.
    size = pagesize or limit
    begin = pageoffset or offset
    page = await queries.page(caller, cursor, size, begin, version, _extras(request))
    return _answer(page, version)


def _extras(request: Request) -> Extras:
    """Return what the headers request in addition to the rows.

    :raises VaultFault: INVALID_DATA when a header is malformed.
    """
    describe = request.headers.get(DESCRIBE, "").strip().lower()
    properties = request.headers.get(PROPERTIES, "").strip().lower()
    parts = [part.strip() for part in request.headers.get(FACETS, "").split(",")]
    facets = tuple(part for part in parts if part)
    if properties and properties not in set(RecordProperties):
        raise VaultFault(
            ErrorType.INVALID_DATA,
            "Invalid value for header [X-VaultAPI-RecordProperties]",
        )
    if not all(FIELD.fullmatch(name) for name in facets):
        raise VaultFault(
            ErrorType.INVALID_DATA, "Invalid value for header [X-VaultAPI-Facets]"
        )
    return Extras(
        describe=describe == "true",
        properties=RecordProperties(properties) if properties else None,
        facets=facets,
        rows_at_most=getattr(request.state, ROWS_AT_MOST, None),
    )


def _answer(page: QueryPage, version: str) -> Response:
    """Return a page of results in an envelope, with the members that apply."""
    details: dict[str, object] = {}
    if page.find is not None:
        details["find"] = page.find
    details["pagesize"] = page.pagesize
    details["pageoffset"] = page.pageoffset
    details["size"] = page.size
    details["total"] = page.total
    if page.previous_page is not None:
        details["previous_page"] = page.previous_page
    if page.next_page is not None:
        details["next_page"] = page.next_page
    if _number(version) < RENAMED:
        details = _legacy(details)
    members = {
        "queryDescribe": page.describe,
        "responseDetails": details,
        "data": page.rows,
        "record_properties": page.record_properties,
        "facets": page.facets,
    }
    # Members that were not asked for are left out; an empty list or object stays.
    present = {name: member for name, member in members.items() if member is not None}
    return envelope.success(**present)


def _number(version: str) -> tuple[int, int]:
    """Return year and release of an API version; such pairs have the order of the versions."""
    year, _, release = version.removeprefix("v").partition(".")
    return int(year), int(release)


def _legacy(details: Mapping[str, object]) -> dict[str, object]:
    """Return the details with the names that older versions had for the limits, also in the URLs of the pages."""
    renamed = {LEGACY.get(name, name): value for name, value in details.items()}
    for name in ("previous_page", "next_page"):
        if name in renamed:
            address = str(renamed[name])
            address = address.replace("?pagesize=", "?limit=")
            renamed[name] = address.replace("&pageoffset=", "&offset=")
    return renamed

"""Queries: VQL in, a page of rows out, and the pages after it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.protocol.error_types import ErrorType
from shared.vault.api import response_envelope as envelope
from shared.vault.api.body import read_fields
from shared.vault.api.openapi.request_bodies import form_documentation
from shared.vault.api.request_context import PREFIX, SignedIn, vault_of, version_of
from shared.vault.errors import VaultFault
from shared.vault.queries.query_pages import Extras, RecordProperties

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.queries.query_pages import QueryPage

MAX_QUERY_LENGTH = 50_000  # characters
MAX_PAGESIZE = 1000

DESCRIBE = "x-vaultapi-describequery"
PROPERTIES = "x-vaultapi-recordproperties"
FACETS = "x-vaultapi-facets"
FIELD = re.compile(r"[A-Za-z_]\w{0,127}", re.ASCII)

RENAMED = (20, 3)  # the version since which a page's details are called as they are now
LEGACY = {"pagesize": "limit", "pageoffset": "offset"}

router = APIRouter(prefix=f"{PREFIX}/query", tags=["Queries"])

Size = Annotated[int | None, Query(ge=1, le=MAX_PAGESIZE)]
Offset = Annotated[int, Query(ge=0, le=2**31)]


@router.post("", summary="Run a query", openapi_extra=form_documentation({"q": "VQL"}))
async def run(request: Request, caller: SignedIn) -> Response:
    """VQL in form field `q`.

    Header `X-VaultAPI-DescribeQuery: true` asks for a description of the fields, `X-VaultAPI-RecordProperties`
    (`all`, `hidden`, `redacted` or `weblink`) for what the caller may do with each record, and `X-VaultAPI-Facets`
    (names of fields) for how many records of the result have which value.
    """
    return await _first_page(request, caller)


async def _first_page(request: Request, caller: Caller) -> Response:
    text = (await read_fields(request)).get("q", "")
    if not text.strip():
        raise VaultFault(ErrorType.PARAMETER_REQUIRED, "Missing required parameter [q]")
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
    """VQL on `vault_component__v`, whose `mdl_definition__v` and `json_definition__v` are what each component is."""
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
    offset: Annotated[int, Query(ge=0, le=2**31, include_in_schema=False)] = 0,
) -> Response:
    """The address that an earlier page gave as `next_page` or `previous_page`, of a query or of a sub-select."""
    queries, version = vault_of(request).queries, version_of(request)
    size, begin = pagesize or limit, pageoffset or offset
    page = await queries.page(caller, cursor, size, begin, version, _extras(request))
    return _answer(page, version)


def _extras(request: Request) -> Extras:
    """What the headers ask for beside the rows; raises VaultFault INVALID_DATA."""
    properties = request.headers.get(PROPERTIES, "").strip().lower()
    facets = [
        name.strip()
        for name in request.headers.get(FACETS, "").split(",")
        if name.strip()
    ]
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
        describe=request.headers.get(DESCRIBE, "").strip().lower() == "true",
        properties=RecordProperties(properties) if properties else None,
        facets=tuple(facets),
    )


def _answer(page: QueryPage, version: str) -> Response:
    details: dict[str, object] = {} if page.find is None else {"find": page.find}
    details |= {
        "pagesize": page.pagesize,
        "pageoffset": page.pageoffset,
        "size": page.size,
        "total": page.total,
    }
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
    return envelope.success(
        **{name: member for name, member in members.items() if member is not None}
    )


def _number(version: str) -> tuple[int, int]:
    year, _, release = version.removeprefix("v").partition(".")
    return int(year), int(release)


def _legacy(details: Mapping[str, object]) -> dict[str, object]:
    """The details with the older names of the limits, in the addresses too."""
    renamed = {LEGACY.get(name, name): value for name, value in details.items()}
    for name in ("previous_page", "next_page"):
        if name in renamed:
            renamed[name] = (
                str(renamed[name])
                .replace("?pagesize=", "?limit=")
                .replace("&pageoffset=", "&offset=")
            )
    return renamed

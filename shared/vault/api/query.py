"""Queries: VQL in, a page of rows out, and the pages after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from shared.vault.api import envelope
from shared.vault.api.addresses import PREFIX, version_of
from shared.vault.api.body import form_documentation, read_fields
from shared.vault.api.session import SignedIn, vault_of
from shared.vault.errors import ErrorType, VaultFault

if TYPE_CHECKING:
    from shared.vault.records.queries import QueryPage

MAX_QUERY_LENGTH = 50_000  # characters
MAX_PAGESIZE = 1000

router = APIRouter(prefix=f"{PREFIX}/query", tags=["Queries"])


@router.post("", summary="Run a query", openapi_extra=form_documentation({"q": "VQL"}))
async def run(request: Request, caller: SignedIn) -> Response:
    """VQL in form field `q`; header `X-VaultAPI-DescribeQuery: true` asks for a description of the fields."""
    text = (await read_fields(request)).get("q", "")
    if not text.strip():
        raise VaultFault(ErrorType.PARAMETER_REQUIRED, "Missing required parameter [q]")
    if len(text) > MAX_QUERY_LENGTH:
        raise VaultFault(ErrorType.INVALID_DATA, f"A query is at most {MAX_QUERY_LENGTH} characters long")
    describe = request.headers.get("x-vaultapi-describequery", "").lower() == "true"
    page = await vault_of(request).queries.run(caller, text, describe=describe, version_path=version_of(request))
    return _answer(page)


@router.get("/{cursor}", summary="A later page of a query")
@router.post("/{cursor}", include_in_schema=False)
async def page_of(
    request: Request,
    caller: SignedIn,
    cursor: str,
    pagesize: Annotated[int | None, Query(ge=1, le=MAX_PAGESIZE)] = None,
    pageoffset: Annotated[int, Query(ge=0, le=2**31)] = 0,
) -> Response:
    """The address that an earlier page gave as `next_page` or `previous_page`."""
    queries = vault_of(request).queries
    return _answer(await queries.page(caller, cursor, pagesize, pageoffset, version_of(request)))


def _answer(page: QueryPage) -> Response:
    details: dict[str, object] = {
        "pagesize": page.pagesize,
        "pageoffset": page.pageoffset,
        "size": page.size,
        "total": page.total,
    }
    if page.previous_page is not None:
        details["previous_page"] = page.previous_page
    if page.next_page is not None:
        details["next_page"] = page.next_page
    members: dict[str, object] = {} if page.describe is None else {"queryDescribe": page.describe}
    return envelope.success(**members, responseDetails=details, data=page.rows)

"""Makes the calls of queries: bounds pages, rows, bytes and time, and says which refusals may pass.

It also asks for the revision of the configuration, which shows whether what was read before is still current.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from datetime import datetime

from shared.client.errors import (
    ExpiredPage,
    QueryTimeout,
    UnexpectedAnswer,
    VaultRefused,
    VaultUnavailable,
)
from shared.client.results import (
    MAX_ANSWER_BYTES,
    Page,
    QueryResult,
    Revision,
    Row,
    read_page,
)
from shared.client.transport import API, Request, SignedInCalls
from shared.protocol.error_types import ErrorType

# Of the calls that are answered in a session, the one that does least.
_ASK = Request("keep_alive", "POST", f"{API}/keep-alive", repeatable=True)
QUERY = "query"
QUERY_PAGE = "query_page"
"""The call for a later page of a query; its address is the Vault's, so a refusal of it is no fault of the query."""

_NO_SUCH_PAGE = frozenset({ErrorType.INVALID_DATA, ErrorType.MALFORMED_URL})

# A Vault whose pages always name a next one must not keep its reader forever.
MAX_PAGES = 1_000
MAX_ROWS_READ = 200_000
# Far more than the pages of any unit take, also over a slow link.
QUERY_SECONDS = 600.0


@dataclass(slots=True)
class QueryBounds:
    """The pages, rows and bytes of one query so far."""

    pages: int = 0
    rows: int = 0
    bytes: int = 0

    def count(self, page: Page, size: int) -> None:
        """Count one more page, whose answer had ``size`` bytes.

        :raises UnexpectedAnswer: the query has more pages, rows or bytes than any that this client makes.
        """
        self.pages += 1
        self.rows += len(page.rows)
        self.bytes += size
        if self.pages > MAX_PAGES:
            raise UnexpectedAnswer(f"a query of more than {MAX_PAGES} pages")
        if self.rows > MAX_ROWS_READ:
            raise UnexpectedAnswer(f"a query of more than {MAX_ROWS_READ} rows")
        if self.bytes > MAX_ANSWER_BYTES:
            raise UnexpectedAnswer(f"a query of more than {MAX_ANSWER_BYTES} bytes")


@contextmanager
def query_refusals(call: str) -> Iterator[None]:
    """Convert the refusals of a call for a page, :data:`QUERY` or :data:`QUERY_PAGE`.

    :raises ExpiredPage: the Vault has no such later page.
    :raises QueryTimeout: the Vault has stopped the query.
    """
    try:
        yield
    except VaultRefused as refused:
        if call == QUERY_PAGE and refused.type in _NO_SUCH_PAGE:
            raise ExpiredPage(refused.type, refused.message) from refused
        # Of queries a Vault says this for their time only: what the user may not read has a type of its own.
        if refused.type == ErrorType.OPERATION_NOT_ALLOWED:
            raise QueryTimeout(refused.type, refused.message) from refused
        raise


class QueryCalls(SignedInCalls):
    """Calls that run VQL in one Vault."""

    async def revision_since(self, moment: datetime) -> Revision | None:
        """Return the revision of the configuration at ``moment`` or later; None if the Vault has no revisions.

        A call is made only when no call since that moment has returned the revision.
        """
        latest = self._transport.revision
        known = latest.at(moment)
        if known is None and not latest.silent:
            count = latest.count
            await self._call(_ASK)
            latest.silent = latest.count == count
            known = latest.at(moment)
        return known

    def note_revision(self, header: str, moment: datetime) -> None:
        """Note the revision that a message of this Vault has brought, which was queued at ``moment``."""
        self._transport.revision.note(header, moment)

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        """Run a query and return the rows of all its pages.

        :raises UnexpectedAnswer: the query has more pages, rows or bytes than the bounds allow.
        :raises VaultRefused: as ExpiredPage or QueryTimeout when running it again may help.
        """
        rows: list[Row] = []
        description: Row | None = None
        try:
            async with (
                asyncio.timeout(QUERY_SECONDS),
                aclosing(self.query_pages(vql, describe=describe)) as pages,
            ):
                async for page in pages:
                    rows += page.rows
                    description = description or page.describe
        except TimeoutError as error:
            late = f"query: not at its end within {QUERY_SECONDS:g} s"
            raise VaultUnavailable(late) from error
        return QueryResult(rows, description)

    async def query_pages(
        self,
        vql: str,
        *,
        describe: bool = False,
    ) -> AsyncGenerator[Page, None]:
        """Run a query page by page; the next page is fetched while the caller works on the one before.

        Wrap it in ``contextlib.aclosing`` when leaving early, so that the page under way is cancelled.
        """
        headers = {"X-VaultAPI-DescribeQuery": "true"} if describe else {}
        request = Request(
            QUERY,
            "POST",
            f"{API}/query",
            form={"q": vql},
            headers=headers,
            repeatable=True,
        )
        bounds = QueryBounds()
        page = await self._page(request, bounds)
        while page.next_page is not None:
            path = self._transport.local(page.next_page)
            request = Request(QUERY_PAGE, "GET", path)
            following = asyncio.create_task(self._page(request, bounds))
            try:
                yield page
                page = await following
            finally:
                following.cancel()
                # Its error is raised above, or nobody wants the page; here it only has to end.
                await asyncio.gather(following, return_exceptions=True)
        yield page

    async def _page(self, request: Request, bounds: QueryBounds) -> Page:
        with query_refusals(request.call):
            answer, size = await self._call_measured(request)
        page = read_page(answer)
        bounds.count(page, size)
        return page

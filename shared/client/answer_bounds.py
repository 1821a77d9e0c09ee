"""Bounds what a Vault may answer: bytes of one answer; pages, rows, bytes and time of a query."""

from __future__ import annotations

from dataclasses import dataclass

from shared.client.errors import UnexpectedAnswer
from shared.client.results import Page

# Above the largest page of a query: 500 records with long texts. What is larger would fill the memory of a process
# that serves many.
MAX_ANSWER_BYTES = 64 * 1024 * 1024
# Of any answer: a page has a thousand rows of five hundred fields at most. They are counted before the text is decoded,
# which is one step for all of them.
MAX_ANSWER_COMMAS = 2**21
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

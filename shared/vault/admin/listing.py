"""Reads the rows of a query for a page, as JSON like that of the API."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
from fastapi import Query

from shared.vault.api.request_context import VERSIONS
from shared.vault.queries.query_pages import Extras

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext

PAGE_SIZE = 50
MAX_ROWS = 100  # of one page
MAX_PAGE = 100_000
MAX_SEARCH = 200  # characters
MAX_WORDS = 10
WORD = re.compile(r"[^\s()\"'\\*]+")

Page = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Search = Annotated[str, Query(max_length=MAX_SEARCH)]
Row = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of rows; ``number`` is the page's number from 1, ``total`` the number of rows on all pages.

    With ``many``, the rows were not counted: ``total`` says only whether a row follows this page. With ``more_hits``,
    a search has found more hits than it ranks.
    """

    rows: list[Row]
    total: int
    number: int = 1
    size: int = PAGE_SIZE
    many: bool = False
    more_hits: bool = False

    @property
    def first(self) -> int:
        """Return the number of the page's first row among all rows, from 1; 0 without rows."""
        before = (self.number - 1) * self.size
        return before + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """Return the number of the page's last row among all rows."""
        return (self.number - 1) * self.size + len(self.rows)

    @property
    def more(self) -> bool:
        """Return whether another page follows."""
        return bool(self.rows) and self.last < self.total


async def listed(
    context: PageContext,
    statement: str,
    number: int = 1,
    size: int = PAGE_SIZE,
    *,
    counted: bool = True,
    first_hits: bool = False,
) -> Listing:
    """Return a page of the rows that a VQL statement selects for the caller.

    Unless ``counted``, the rows are not counted: one row more than the page shows is read instead. With
    ``first_hits``, a search ranks only the first ``RANKED`` hits.

    :raises VaultFault: as ``QueryService.run``.
    """
    offset = (number - 1) * size
    rows_read = size if counted else size + 1
    text = f"{statement} PAGESIZE {rows_read} PAGEOFFSET {offset}"
    page = await context.vault.queries.run(
        context.caller,
        text,
        version_path=VERSIONS[-1],
        extras=Extras(counted=counted, first_hits=first_hits),
    )
    rows = plain(page.rows[:size])
    many, more = not page.counted, page.more_hits
    return Listing(rows, page.total, number, size, many=many, more_hits=more)


async def selected(context: PageContext, statement: str) -> list[Row]:
    """Return the first rows of a statement, at most ``MAX_ROWS``.

    :raises VaultFault: as ``QueryService.run``.
    """
    page = await listed(context, statement, size=MAX_ROWS, counted=False)
    return page.rows


def plain(rows: T) -> T:
    """Return rows of a query with their JSON fragments decoded; fractions are text, with all digits."""
    # Encoded and decoded again: only the encoder of JSON understands the fragments.
    read: T = json.loads(orjson.dumps(rows), parse_float=str)
    return read


def find(search: str) -> str:
    """Return the ``FIND`` clause for the words of a search, each the beginning of a word of the record.

    Empty without words.
    """
    # Words without the characters that mean something in FIND: users search for text, not by syntax.
    words = WORD.findall(search.replace("\x00", " "))
    # With the wildcard, AND and OR are words like others.
    beginnings = [f"{word}*" for word in words[:MAX_WORDS]]
    return f" FIND ('{' '.join(beginnings)}')" if beginnings else ""

"""Rows of a query, a page at a time, as the API's JSON has them."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import orjson
from fastapi import Query

from shared.vault.api.request_context import VERSIONS

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit

PAGE_SIZE = 50
MAX_ROWS = 100  # of one page
MAX_PAGE = 100_000
MAX_SEARCH = 200  # characters
MAX_WORDS = 10
WORD = re.compile(r"[^\s()\"'\\*]{1,40}")

Page = Annotated[int, Query(ge=1, le=MAX_PAGE)]
Search = Annotated[str, Query(max_length=MAX_SEARCH)]
Row = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of rows, numbered from 1, and how many rows there are in all."""

    rows: list[Row]
    total: int
    number: int = 1
    size: int = PAGE_SIZE

    @property
    def first(self) -> int:
        """The place of the first row, from 1; 0 without rows."""
        return (self.number - 1) * self.size + 1 if self.rows else 0

    @property
    def last(self) -> int:
        """The place of the last row."""
        return (self.number - 1) * self.size + len(self.rows)

    @property
    def more(self) -> bool:
        """Whether another page follows."""
        return bool(self.rows) and self.last < self.total


async def listed(
    visit: Visit, statement: str, number: int = 1, size: int = PAGE_SIZE
) -> Listing:
    """A page of what a statement of VQL selects for the caller; raises VaultFault."""
    text = f"{statement} PAGESIZE {size} PAGEOFFSET {(number - 1) * size}"
    page = await visit.vault.queries.run(visit.caller, text, version_path=VERSIONS[-1])
    return Listing(plain(page.rows), page.total, number, size)


async def selected(visit: Visit, statement: str) -> list[Row]:
    """The first rows of a statement, at most a hundred; raises VaultFault."""
    return (await listed(visit, statement, size=MAX_ROWS)).rows


def plain(rows: T) -> T:
    """Rows of a query as JSON has them, where some values were JSON text; fractions are text, with every digit."""
    read: T = json.loads(orjson.dumps(rows), parse_float=str)
    return read


def find(search: str) -> str:
    """``FIND`` for the words that somebody searches for, all of which must be there; empty without any."""
    words = [word.lower() for word in WORD.findall(search.replace("\x00", " "))][
        :MAX_WORDS
    ]
    return f" FIND ('{' '.join(words)}')" if words else ""

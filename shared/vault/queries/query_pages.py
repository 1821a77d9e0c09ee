"""One page of a query's answer: its rows ready for JSON, and the addresses of the pages beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from shared.vault import vql
from shared.vault.queries.query_properties import RecordProperties

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.model.component_model import VaultObject


@dataclass(frozen=True, slots=True)
class Extras:
    """What a caller wants to know beside the rows."""

    describe: bool = False
    properties: RecordProperties | None = None
    facets: tuple[str, ...] = ()


@dataclass(slots=True)
class QueryPage:
    """One page of rows, JSON-ready, with what ``responseDetails`` says about it."""

    rows: list[dict[str, Any]]
    pagesize: int
    pageoffset: int
    size: int
    total: int
    next_page: str | None = None
    previous_page: str | None = None
    find: str | None = None
    source: VaultObject | None = None
    describe: dict[str, Any] | None = None
    record_properties: list[dict[str, Any]] | None = None
    facets: list[dict[str, Any]] | None = None


def page_of(
    compiled: vql.CompiledQuery, rows: Sequence[Record], pagesize: int, pageoffset: int
) -> QueryPage:
    """The page that these rows of a compiled statement make; its total is yet to be told."""
    keys = compiled.keys
    data = [dict(zip(keys, row, strict=False)) for row in rows]
    for key in compiled.json_keys:
        for item in data:
            if item[key] is not None:
                item[key] = orjson.Fragment(item[key])
    return QueryPage(
        rows=data,
        pagesize=pagesize,
        pageoffset=pageoffset,
        size=len(data),
        total=len(data),
        find=compiled.find,
        source=compiled.source,
    )


def link(page: QueryPage, address: str) -> None:
    """Say where the pages before and behind this one are."""
    following = page.pageoffset + page.size
    if page.size and page.size == page.pagesize and following < page.total:
        page.next_page = f"{address}?pagesize={page.pagesize}&pageoffset={following}"
    if page.pageoffset > 0 and page.pagesize:
        before = max(0, page.pageoffset - page.pagesize)
        page.previous_page = f"{address}?pagesize={page.pagesize}&pageoffset={before}"


def has_more_children(compiled: vql.CompiledQuery, rows: Sequence[Record]) -> bool:
    """Whether a sub-select of any row names a page of its own, in the ``responseDetails`` that it begins with."""
    for number, column in enumerate(compiled.columns):
        if isinstance(column, vql.SubSelectColumn):
            for row in rows:
                text: str = row[number]
                if text.find('"next_page"', 0, text.index("}")) >= 0:
                    return True
    return False

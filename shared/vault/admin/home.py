"""Serves the home page: connections, active integrations, queues, open exceptions and the latest jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, Operation, granted, may
from shared.vault.admin.last_visit import store_visit, visit_times
from shared.vault.admin.listing import Listing, Row, listed, selected
from shared.vault.admin.page_context import CurrentPage, PageContext
from shared.vault.admin.rendering import moment_of
from shared.vault.admin.showing import ValueFormatter, people, record_path
from shared.vault.assembly.work_lists import WorkList
from shared.vault.exceptions.exception_model import MESSAGE as EXCEPTION
from shared.vault.jobs.job_model import JobFilter

router = APIRouter()

# The parts of the configuration that an administrator looks for first.
TABLES = (
    (
        "Connections",
        "connection__sys",
        ("name__v", "state__v", "status__v", "remote_vault_name__sys"),
        "",
    ),
    (
        "Active integrations",
        "integration__sys",
        ("name__v", "connection__sys", "last_successful_run_time__sys"),
        " WHERE status__v = 'active__v'",
    ),
)
"""Label, object, columns, and which records."""
EVERY = JobFilter(frozenset())
LATEST = 5
# Larger numbers are of no use to users, and take long to count.
COUNTED = 100


@dataclass(frozen=True, slots=True)
class ShownWorkList:
    """One work list with its first records, up to ``COUNTED``.

    ``columns`` are the list's columns that the caller may read. ``path`` begins the addresses of the records' pages;
    ``new`` are the ids of the records marked as new.
    """

    work_list: WorkList
    formatter: ValueFormatter
    columns: list[str]
    listing: Listing
    path: str
    new: frozenset[str]

    @property
    def rows(self) -> list[Row]:
        """Return the records that the page shows."""
        return self.listing.rows[:LATEST]

    @property
    def number(self) -> str:
        """Return the number of records, with a plus sign where counting stopped."""
        return _number(self.listing)

    @property
    def more(self) -> bool:
        """Return whether there are more records than the page shows."""
        return len(self.listing.rows) > LATEST


def _number(listing: Listing) -> str:
    """Return the number of rows as text; ``{COUNTED}+`` when there are more."""
    return f"{COUNTED}+" if listing.more else str(len(listing.rows))


@dataclass(frozen=True, slots=True)
class HomeTable:
    """One table of the home page; ``path`` begins the addresses of the records' pages."""

    label: str
    formatter: ValueFormatter
    columns: tuple[str, ...]
    rows: list[Row]
    path: str


@router.get("/")
async def home(context: CurrentPage) -> Response:
    """Show connections, integrations, queues and jobs, as far as the caller may see them, and links to the records."""
    names = context.vault.definition.first_objects
    # Objects of the standard configuration may have been made inactive, or dropped.
    objects = [context.registry.objects.get(name) for name in names]
    first = [
        each
        for each in objects
        if each and each.active and may(context.caller, each.name, Operation.READ)
    ]
    jobs = context.vault.jobs
    ended = await jobs.histories(context.caller, EVERY, limit=LATEST, offset=0)
    queues = None
    if granted(context.caller, Grant.READ_QUEUES):
        queues = await context.vault.queues.depths(context.caller)
    times = visit_times(context)
    page = context.page(
        "home.html",
        desk=context.vault.definition.desk,
        work=await _work(context, times.previous),
        blocks=await _blocks(context),
        open=await _open(context),
        queues=queues,
        first=first,
        jobs=ended.jobs,
    )
    store_visit(context, page, times)
    return page


async def _work(context: PageContext, since: datetime | None) -> list[ShownWorkList]:
    """Return the work lists with their records; none for callers who may not edit the records.

    Records that are new since ``since`` are marked; none when it is None.
    """
    desk = context.vault.definition.desk
    if desk is None or desk.object not in context.registry.objects:
        return []
    if not may(context.caller, desk.object, Operation.EDIT):
        return []
    target = context.registry.objects[desk.object]
    formatter = ValueFormatter(
        target, context.caller, context.registry, desk.related_columns
    )
    formatter.people = await people(context, formatter.target)
    formatter.error_text_fields = context.vault.definition.error_text_fields
    path = record_path(desk.object, "")
    work = []
    for each in desk.lists:
        columns = formatter.known_columns(each.columns)
        dated = [each.new_since] if each.new_since else []
        selection = formatter.selection(dict.fromkeys([*columns, *dated]))
        condition = each.condition.format(user_id=context.caller.user_id)
        source = f"{desk.object} WHERE {condition} ORDER BY {each.order}"
        statement = f"SELECT {selection} FROM {source}"
        listing = await listed(context, statement, size=COUNTED, counted=False)
        new = _new(listing.rows, each.new_since, since)
        work.append(ShownWorkList(each, formatter, columns, listing, path, new))
    return work


def _new(rows: Iterable[Row], field: str, since: datetime | None) -> frozenset[str]:
    """Return the ids of the rows whose ``field``, a date, is after ``since``; none without a field or a date."""
    if not field or since is None:
        return frozenset()
    dated = [row for row in rows if row[field]]
    return frozenset(
        str(row["id"]) for row in dated if moment_of(str(row[field])) > since
    )


async def _blocks(context: PageContext) -> list[HomeTable]:
    """Return the tables whose objects the caller may read."""
    blocks = []
    for label, object_name, columns, condition in TABLES:
        if may(context.caller, object_name, Operation.READ):
            target = context.registry.objects[object_name]
            formatter = ValueFormatter(target, context.caller, context.registry)
            selection = formatter.selection(columns)
            source = f"{object_name}{condition}"
            statement = f"SELECT {selection} FROM {source} ORDER BY name__v"
            rows = await selected(context, statement)
            path = record_path(object_name, "")
            blocks.append(HomeTable(label, formatter, columns, rows, path))
    return blocks


async def _open(context: PageContext) -> str | None:
    """Return the number of open User Exception Messages as text; None when the caller may not read them."""
    if not may(context.caller, EXCEPTION, Operation.READ):
        return None
    where = "WHERE error_status__sys = 'open__sys'"
    statement = f"SELECT id FROM {EXCEPTION} {where}"
    return _number(await listed(context, statement, size=COUNTED, counted=False))

"""Serves the home page: connections, active integrations, queues, open exceptions and the latest jobs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from fastapi import APIRouter
from starlette.responses import Response

from shared.vault.access.permissions import Grant, Operation, granted, may
from shared.vault.admin.last_visit import keep, last_visit
from shared.vault.admin.listing import Listing, Row, listed, selected
from shared.vault.admin.rendering import moment_of
from shared.vault.admin.showing import Shower, people, record_path
from shared.vault.admin.visit import Visit, Visiting
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
# Beyond so many nobody counts their work, and a count of a million takes its time.
COUNTED = 100


@dataclass(frozen=True, slots=True)
class Work:
    """One list of the caller's work: its first records, up to ``COUNTED``."""

    work_list: WorkList
    shower: Shower
    columns: list[str]
    listing: Listing
    path: str
    new: frozenset[str]  # ids of those that are new

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
    """Return the number of rows, with a plus sign where counting stopped."""
    return f"{COUNTED}+" if listing.more else str(len(listing.rows))


@dataclass(frozen=True, slots=True)
class Block:
    """One table of the home page."""

    label: str
    shower: Shower
    columns: tuple[str, ...]
    rows: list[Row]
    path: str


@router.get("/")
async def home(visit: Visiting) -> Response:
    """Show connections, integrations, queues and jobs, as far as the caller may see them, and links to the records."""
    names = visit.vault.definition.first_objects
    # Objects of the standard configuration may have been made inactive, or dropped.
    objects = [visit.registry.objects.get(name) for name in names]
    first = [
        each
        for each in objects
        if each and each.active and may(visit.caller, each.name, Operation.READ)
    ]
    jobs = visit.vault.jobs
    ended = await jobs.histories(visit.caller, EVERY, limit=LATEST, offset=0)
    queues = None
    if granted(visit.caller, Grant.READ_QUEUES):
        queues = await visit.vault.queues.depths(visit.caller)
    last = last_visit(visit)
    page = visit.page(
        "home.html",
        desk=visit.vault.definition.desk,
        work=await _work(visit, last.ended),
        blocks=await _blocks(visit),
        open=await _open(visit),
        queues=queues,
        first=first,
        jobs=ended.jobs,
    )
    keep(visit, page, last)
    return page


async def _work(visit: Visit, since: datetime | None) -> list[Work]:
    """Return the lists of the caller's work with what is new in them; none for those who may not edit its records."""
    desk = visit.vault.definition.desk
    if desk is None or desk.object not in visit.registry.objects:
        return []
    if not may(visit.caller, desk.object, Operation.EDIT):
        return []
    target = visit.registry.objects[desk.object]
    shower = Shower(target, visit.caller, visit.registry, desk.far)
    shower.people = await people(visit, shower.target)
    shower.error_texts = visit.vault.definition.error_texts
    path = record_path(desk.object, "")
    work = []
    for each in desk.lists:
        columns = shower.known(each.columns)
        dated = [each.new_since] if each.new_since else []
        selection = shower.selection(dict.fromkeys([*columns, *dated]))
        condition = each.condition.format(user_id=visit.caller.user_id)
        source = f"{desk.object} WHERE {condition} ORDER BY {each.order}"
        statement = f"SELECT {selection} FROM {source}"
        listing = await listed(visit, statement, size=COUNTED, counted=False)
        new = _new(listing.rows, each.new_since, since)
        work.append(Work(each, shower, columns, listing, path, new))
    return work


def _new(rows: Iterable[Row], field: str, since: datetime | None) -> frozenset[str]:
    """Return the ids of the rows of which a date is after a moment; none without the one or the other."""
    if not field or since is None:
        return frozenset()
    dated = [row for row in rows if row[field]]
    return frozenset(
        str(row["id"]) for row in dated if moment_of(str(row[field])) > since
    )


async def _blocks(visit: Visit) -> list[Block]:
    """Return the tables whose objects the caller may read."""
    blocks = []
    for label, object_name, columns, condition in TABLES:
        if may(visit.caller, object_name, Operation.READ):
            target = visit.registry.objects[object_name]
            shower = Shower(target, visit.caller, visit.registry)
            selection = shower.selection(columns)
            source = f"{object_name}{condition}"
            statement = f"SELECT {selection} FROM {source} ORDER BY name__v"
            rows = await selected(visit, statement)
            path = record_path(object_name, "")
            blocks.append(Block(label, shower, columns, rows, path))
    return blocks


async def _open(visit: Visit) -> str | None:
    """Return the number of open User Exception Messages; None when the caller may not read them."""
    if not may(visit.caller, EXCEPTION, Operation.READ):
        return None
    where = "WHERE error_status__sys = 'open__sys'"
    statement = f"SELECT id FROM {EXCEPTION} {where}"
    return _number(await listed(visit, statement, size=COUNTED, counted=False))

"""Measures how long the pages of a Vault take with 10,000 and 1,000,000 records of each listed object.

``python -m bench.pages`` starts a system of its own for each size, fills Vault CRM with accounts, addresses, inquiries,
user exceptions, steps of messages and audit entries, opens each page as a browser does, and removes everything. It
prints the medians of the whole answer, and of the processor time of the Vault and PostgreSQL, which does not include
waiting.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import aiohttp
import asyncpg
from rich.console import Console
from rich.table import Table

from bench.filling import fill_accounts
from bench.processor_time import processor_seconds
from bench.search import registry_of_crm
from local.system import System
from shared.vault.admin.queue_pages import LOOK_SECONDS
from shared.vault.components.registry import Registry
from shared.vault.components.schema import create_search_index, drop_search_index

SIZES = (10_000, 1_000_000)
ROUNDS = 20
CRM = "crm_vault"
ACCOUNT = "V4AZ00000000123"
EXCEPTION = "exception_message__sys"
CLONED: Mapping[str, Mapping[str, str]] = {
    "medical_inquiry__v": {},
    EXCEPTION: {
        "message_id__sys": "bench",
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": "open__sys",
    },
}
# A row is copied with another id, and without the values that are unique.
COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
    AND attgenerated = ''
"""
CLONE = """
INSERT INTO records.{table} ({columns})
SELECT {values} FROM records.{table} t CROSS JOIN generate_series(1, $2) AS n WHERE t.id = $1
"""
SENT_MESSAGES = """
INSERT INTO platform.sent_message (message_id, queue, object, record_id, records, entered, delivered, attempts)
SELECT 'way-' || n, 'crm_to_medical_outbound_queue__v', 'account__v', 'V4AZ' || lpad(n::text, 11, '0'), 1, now(), now(),
    1
FROM generate_series(1, $1) AS n
"""
TRAIL = """
INSERT INTO platform.audit_entry (trail, user_id, user_name, action, item, record_id, field, old_value, new_value)
SELECT 'object', 1, 'somebody', 'Edit', 'account__v', 'V4AZ' || lpad(n::text, 11, '0'), 'credentials__v', 'MD', 'PhD'
FROM generate_series(1, $1) AS n
"""
LIST = "/ui/objects/account__v"
INQUIRIES = "/ui/objects/medical_inquiry__v"
Figures = dict[str, dict[int, tuple[float, float]]]
"""Milliseconds of each page by size: the median of the answers, and the mean of processor time."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page to open; ``form`` is submitted to it, and the redirect is followed."""

    path: str
    form: Mapping[str, str] | None = None


@dataclass(slots=True)
class Visitor:
    """A user who is signed in to the pages of Vault CRM."""

    http: aiohttp.ClientSession
    url: str
    token: str = ""

    async def sign_in(self, known: Mapping[str, str]) -> None:
        """Sign in, and store the token that forms need."""
        page = await self.open(Page("/ui/sign-in"))
        fields = {"token": _token(page), "next": "/ui/"}
        fields |= {name: known[name] for name in ("username", "password")}
        self.token = _token(await self.open(Page("/ui/sign-in", fields)))

    async def open(self, page: Page) -> str:
        """Return a page."""
        data = None if page.form is None else {"token": self.token, **page.form}
        method = "GET" if data is None else "POST"
        async with self.http.request(method, f"{self.url}{page.path}", data=data) as it:
            text = await it.text()
            assert it.ok, (page.path, it.status, text[-300:])
            return text


def _token(page: str) -> str:
    return page.partition('name="token" value="')[2].partition('"')[0]


def pages_of(size: int, exception: str, view: str) -> Mapping[str, Page]:
    """Return the opened pages, by their descriptions in the table."""
    return {
        "home": Page("/ui/"),
        "list, latest first": Page(LIST),
        "list, by name": Page(f"{LIST}?sort=name__v"),
        "list, one of few values": Page(f"{LIST}?status__v=active__v"),
        "list, a value that none has": Page(f"{LIST}?status__v=inactive__v"),
        "list, days from and to": Page(
            f"{LIST}?modified_date__v.from=2020-01-01&modified_date__v.to=2020-01-31"
        ),
        "list, its last page": Page(f"{LIST}?page={size // 50}"),
        "list, a search": Page(LIST, {"q": "zoe dvo"}),
        "list, a search with many hits": Page(LIST, {"q": "maribel"}),
        "view": Page(f"{LIST}?view={view}"),
        "inquiries": Page(INQUIRIES),
        "work list": Page(f"{INQUIRIES}?list=drafts"),
        "record": Page(f"{LIST}/{ACCOUNT}"),
        "form of a record": Page(f"{LIST}/{ACCOUNT}/edit"),
        "form of a new inquiry": Page(f"{INQUIRIES}/new"),
        "audit trail of a record": Page(f"{LIST}/{ACCOUNT}/audit"),
        "search over all records": Page("/ui/search", {"q": "zoe dvo"}),
        "search over all, many hits": Page("/ui/search", {"q": "maribel"}),
        "offered while one types": Page("/ui/pick/account__v", {"typed": "dvo zo"}),
        "offered, many hits": Page("/ui/pick/account__v", {"typed": "ma"}),
        "user exceptions": Page("/ui/exceptions"),
        "user exception": Page(f"/ui/exceptions/{exception}"),
        "messages of a record": Page(f"/ui/messages?record={ACCOUNT}"),
        "way of a message": Page("/ui/messages/way-123"),
        "jobs": Page("/ui/jobs"),
        "live picture": Page("/ui/live"),
    }


async def _seeds(visitor: Visitor, known: Mapping[str, str]) -> dict[str, str]:
    """Create a record of each object that is cloned, by the API, and return the ids."""
    fields = {name: known[name] for name in ("username", "password")}
    api = f"{visitor.url}/api/v25.1"
    async with visitor.http.post(f"{api}/auth", data=fields) as answer:
        headers = {"Authorization": (await answer.json())["sessionId"]}
    seeds = {}
    for name, row in CLONED.items():
        url = f"{api}/vobjects/{name}"
        async with visitor.http.post(url, json=[row], headers=headers) as answer:
            body = await answer.json()
            seeds[name] = str(body["data"][0]["data"]["id"])
    return seeds


async def fill(dsn: str, seeds: Mapping[str, str], size: int) -> None:
    """Add ``size`` records of each object; indexes of words are built afterwards."""
    registry = registry_of_crm()
    await fill_accounts(dsn, registry, size)
    connection = await asyncpg.connect(dsn)
    try:
        for table, seed in seeds.items():
            await connection.execute(drop_search_index(table))
            await _clone(connection, registry, table, seed, size)
            await connection.execute(create_search_index(registry.objects[table]))
        await connection.execute(SENT_MESSAGES, size)
        await connection.execute(TRAIL, size)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _clone(
    connection: asyncpg.Connection[asyncpg.Record],
    registry: Registry,
    table: str,
    seed: str,
    size: int,
) -> None:
    """Copy a record ``size`` times."""
    fields = registry.objects[table].fields
    own = {
        "id": "left(t.id, 3) || 'B' || lpad(n::text, 11, '0')",
        "name__v": "t.name__v || '-' || n",
        "global_id__sys": "'bench-' || n",
        "created_date__v": "t.created_date__v - n * interval '1 second'",
        "modified_date__v": "t.modified_date__v - n * interval '1 second'",
    }
    rows = await connection.fetch(COLUMNS, f"records.{table}")
    values = {}
    for (name,) in rows:
        field = fields.get(name)
        unique = field is not None and field.unique
        values[name] = own.get(name, "NULL" if unique else f't."{name}"')
    columns = ", ".join(f'"{name}"' for name in values)
    sql = CLONE.format(table=table, columns=columns, values=", ".join(values.values()))
    await connection.execute(sql, seed, size)


async def measure(system: System, size: int) -> dict[str, tuple[float, float]]:
    """Return the figures of a Vault with ``size`` records of each object."""
    dsn = system.postgres.dsn.rpartition("/")[0] + f"/{CRM}"
    known = system.sign_ins()[CRM]["admin"]
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as http:
        visitor = Visitor(http, system.endpoints()[CRM]["url"])
        await visitor.sign_in(known)
        seeds = await _seeds(visitor, known)
        began = time.perf_counter()
        await fill(dsn, seeds, size)
        print(f"{size:,} records in {time.perf_counter() - began:.0f} s", flush=True)
        view = await _view(visitor)
        pages = pages_of(size, seeds[EXCEPTION], view)
        figures = {}
        for name, page in pages.items():
            figures[name] = await _timed(system, visitor, page)
            print(f"{name}: {figures[name][0]:.0f} ms", flush=True)
        return figures


async def _view(visitor: Visitor) -> str:
    """Save a view and return its id."""
    path = (
        f"{LIST}/views?column=external_id__v&column=specialty_1__v&sort=-external_id__v"
    )
    page = await visitor.open(Page(path, {"label": "Of a bench"}))
    return page.partition("?view=all")[2].partition("?view=")[2].partition('"')[0]


async def _timed(system: System, visitor: Visitor, page: Page) -> tuple[float, float]:
    # Not counted: it reads the pages and prepares the statements.
    for _ in range(3):
        await visitor.open(page)
    ids = system.process_ids()
    processes = {name: ids[name] for name in (CRM, "postgres")}
    times = []
    before = processor_seconds(processes)
    for _ in range(ROUNDS):
        began = time.perf_counter()
        await visitor.open(page)
        times.append(time.perf_counter() - began)
    spent = processor_seconds(processes)
    used = sum(spent[name] - before[name] for name in processes)
    return median(times) * 1e3, used / ROUNDS * 1e3


async def run(sizes: Sequence[int]) -> Figures:
    """Measure each size on a system of its own."""
    figures: Figures = {}
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="connection-pages-") as folder:
            # Servers that run as another user pass through to their data.
            Path(folder).chmod(0o711)
            system = System(Path(folder) / "system")
            try:
                await system.start()
                for name, figure in (await measure(system, size)).items():
                    figures.setdefault(name, {})[size] = figure
            finally:
                await system.reset()
    return figures


def show(figures: Figures, sizes: Sequence[int]) -> None:
    """Print a table: the answer and the processor time of each page by size, and the cost of the open live page."""
    heads = [f"{size:,}: {what}" for size in sizes for what in ("answer", "processor")]
    table = Table("milliseconds", *heads)
    for name, by_size in figures.items():
        texts = [f"{value:.0f}" for size in sizes for value in by_size[size]]
        table.add_row(name, *texts)
    Console(width=120).print(table)
    for size, (_, used) in figures["live picture"].items():
        share = used / (LOOK_SECONDS * 1e3)
        print(f"The open live picture takes {share:.2%} of a core ({size:,} records).")


def main() -> int:
    """Print the table, and return 0."""
    parser = argparse.ArgumentParser(prog="bench.pages", description="Pages by size")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    figures = asyncio.run(run(arguments.sizes))
    show(figures, arguments.sizes)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

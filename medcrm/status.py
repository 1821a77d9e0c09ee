"""Reads the present status of both Vaults, the connector, connections and queues."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from http import HTTPStatus

import aiohttp

from medcrm.console_session import Account, ConsoleFault, signed_in
from medcrm.outages import outage_of, unexpected_answer
from medcrm.tables import aligned
from shared.client import VaultClient
from shared.client.results import Row, rows_of, text, whole

TIMEOUT_SECONDS = 10.0
CONNECTIONS = "SELECT api_name__sys, state__v, status__v FROM connection__sys ORDER BY api_name__sys ASC"
INTEGRATIONS = (
    "SELECT integration_api_name__sys, status__v, connection__sysr.api_name__sys FROM integration__sys "
    "ORDER BY integration_api_name__sys ASC"
)
OPEN_EXCEPTIONS = (
    "SELECT id FROM exception_message__sys WHERE error_status__sys = 'open__sys'"
)
ACTIVE_STATE, ACTIVE = "active_state__sys", "active__v"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of the system: ``place`` is its address, ``wrong`` whether it needs attention."""

    place: str
    kind: str
    name: str
    state: str
    detail: str = ""
    wrong: bool = False


async def ready(place: str, kind: str) -> Part:
    """Return the state of a service, by its readiness."""
    url = f"{place.rstrip('/')}/readyz"
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(url, allow_redirects=False) as answer,
        ):
            if answer.status == HTTPStatus.OK:
                return Part(place, kind, "", "ready")
            reason = (await answer.text())[:200]
    except (aiohttp.ClientError, OSError, ValueError) as error:
        detail = outage_of(error).text("the address")
        return Part(place, kind, "", "no answer", detail, wrong=True)
    if answer.status != HTTPStatus.SERVICE_UNAVAILABLE or "<" in reason:
        # The page of something else, such as a proxy, says nothing to a reader of a table.
        reason = unexpected_answer(f"status {answer.status}").text("the address")
    return Part(place, kind, "", "not ready", reason, wrong=True)


async def parts_of_vault(who: Account, connection: str | None) -> list[Part]:
    """Return connections with their integrations, queues and the number of open exceptions of a Vault."""
    try:
        async with signed_in(who) as client:
            return await _parts(client, who.url, connection)
    except ConsoleFault as error:
        return [Part(who.url, "sign-in", who.username, "refused", str(error), True)]


async def _parts(client: VaultClient, place: str, connection: str | None) -> list[Part]:
    connections = (await client.query(CONNECTIONS)).rows
    integrations = (await client.query(INTEGRATIONS)).rows
    names = [str(queue["name"]) for queue in await client.queues()]
    queues = await asyncio.gather(*(client.queue(name) for name in names))
    opened = (await client.query(OPEN_EXCEPTIONS)).rows
    parts: list[Part] = []
    for row in connections:
        if connection is None or text(row, "api_name__sys") == connection:
            parts += connection_parts(place, row, integrations)
    if connection is not None and not parts:
        parts.append(Part(place, "connection", connection, "does not exist", "", True))
    parts += [queue_part(place, queue) for queue in queues]
    return [*parts, Part(place, "exceptions", "", f"{len(opened)} open")]


def connection_parts(
    place: str, connection: Row, integrations: Sequence[Row]
) -> list[Part]:
    """Return a connection and its integrations; it is wrong if it is not Active, or has no active integration."""
    name = text(connection, "api_name__sys")
    own = [
        row
        for row in integrations
        if text(row, "connection__sysr.api_name__sys") == name
    ]
    state = text(connection, "state__v").removesuffix("_state__sys")
    is_active = text(connection, "state__v") == ACTIVE_STATE
    detail = ""
    if text(connection, "status__v") != ACTIVE:
        is_active, state, detail = False, "inactive", "its status is inactive"
    elif not is_active:
        detail = "establish and activate it"
    elif own and not any(text(row, "status__v") == ACTIVE for row in own):
        detail = "none of its integrations is active"
    parts = [Part(place, "connection", name, state, detail, bool(detail))]
    for row in own:
        integration = text(row, "integration_api_name__sys")
        status = text(row, "status__v").removesuffix("__v")
        parts.append(Part(place, "integration", integration, status))
    return parts


def queue_part(place: str, queue: Row) -> Part:
    """Return a queue with its waiting messages; it is wrong when it does not deliver, or its last delivery failed."""
    waiting = whole(queue.get("messages_in_queue", 0), "messages_in_queue")
    state = f"{waiting} waiting"
    remarks = []
    if text(queue, "status") != "active":
        remarks.append("it is inactive")
    if text(queue, "delivery") == "disabled":
        remarks.append("its delivery is disabled")
    for each in rows_of(queue.get("connections", []), "connections"):
        last = text(each, "last_message_delivered")
        if last not in ("", "ok"):
            remarks.append(f"the last message over {text(each, 'name')}: {last}")
    wrong = bool(remarks)
    if waiting and text(queue, "waiting_since"):
        remarks.append(f"the oldest since {text(queue, 'waiting_since')}")
    return Part(place, "queue", text(queue, "name"), state, "; ".join(remarks), wrong)


def to_json(parts: Sequence[Part]) -> Row:
    """Return the JSON for scripts: the parts, and whether all is well."""
    is_well = not any(part.wrong for part in parts)
    return {"ok": is_well, "parts": [asdict(part) for part in parts]}


def table(parts: Sequence[Part]) -> list[str]:
    """Return the parts as lines; those that need attention are marked."""
    rows = [["", "part", "name", "state", "detail"]]
    place = ""
    for part in parts:
        if part.place != place:
            place = part.place
            rows.append(["", place, "", "", ""])
        mark = "!" if part.wrong else ""
        rows.append([mark, f"  {part.kind}", part.name, part.state, part.detail])
    return aligned(rows)

"""Defines the users of the story, and the steps that every chapter has: ask, wait, create, activate, run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from local.narration import Narration
from shared.client import VaultClient

WAIT_SECONDS = 60.0
# Often, as the story prints how long a transfer took.
POLL_SECONDS = 0.05
INTEGRATION = "medical_inquiry_details__v"
Row = dict[str, Any]


class StoryFailed(Exception):
    """Raised when a step of the story has another result than expected; the text says which."""


@dataclass(frozen=True)
class Cast:
    """The users who act in the story, each with a client of their own."""

    crm_admin: VaultClient
    rep: VaultClient
    medical_admin: VaultClient
    agent: VaultClient


async def until(what: str, question: Callable[[], Awaitable[Row | None]]) -> Row:
    """Call ``question`` until it returns a row, and return the row.

    :raises StoryFailed: ``question`` returned None for a minute.
    """
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answer = await question()
        if answer is not None:
            return answer
        await asyncio.sleep(POLL_SECONDS)
    message = f"{what} did not happen within {WAIT_SECONDS:.0f} s"
    raise StoryFailed(message)


async def one(client: VaultClient, vql: str) -> Row | None:
    """Return the first row of a query, or None."""
    answer = await client.query(vql)
    rows = answer.rows
    if rows:
        return rows[0]
    return None


async def need(client: VaultClient, vql: str, what: str) -> Row:
    """Return the first row of a query.

    :raises StoryFailed: the query has no rows; its text names ``what``.
    """
    row = await one(client, vql)
    if row is None:
        message = f"{what} is missing"
        raise StoryFailed(message)
    return row


async def create(client: VaultClient, object_name: str, row: Row) -> str:
    """Create a record and return its id.

    :raises StoryFailed: the Vault refused the record.
    """
    (result,) = await client.create(object_name, [row])
    if not result.ok or result.id is None:
        reasons = [error.message for error in result.errors]
        message = f"creating {object_name} was refused: {'; '.join(reasons)}"
        raise StoryFailed(message)
    return result.id


async def activate(
    narration: Narration, where: str, client: VaultClient, integration: str
) -> None:
    """Activate an integration in the Vault of ``client``, unless it is active."""
    found = await need(
        client,
        "SELECT id, name__v, status__v, connection__sysr.name__v FROM integration__sys "
        f"WHERE integration_api_name__sys = '{integration}'",
        f"the integration {integration}",
    )
    name = found["name__v"]
    active = found["status__v"] == ["active__v"]
    state = "active" if active else "inactive"
    connection = found["connection__sysr.name__v"]
    narration.event(where, f"{connection}: {name} is {state}")
    if not active:
        row = {"id": found["id"], "status__v": "active__v"}
        await client.update("integration__sys", [row])
        narration.event(where, f"{name} {found['id']} is active now")


async def run(
    narration: Narration, where: str, client: VaultClient, integration: str
) -> None:
    """Request a run of an integration and wait for its end.

    :raises StoryFailed: the run did not end in time, or ended with another status than SUCCESS.
    """
    job = await client.request_run(integration)

    async def ended() -> Row | None:
        answer = await client.run(integration, job)
        report = dict(answer)
        return None if report["status"] in ("QUEUED", "RUNNING") else report

    report = await until(f"the end of run {job}", ended)
    status, counts = report["status"], report["counts"]
    title = f"run {job} of {integration}"
    if status != "SUCCESS":
        message = f"{title} ended with {status}, {counts['failed']} records failed"
        raise StoryFailed(message)
    done = f"{counts['read']} read, {counts['written']} written"
    narration.event(where, f"{title}: {done}")

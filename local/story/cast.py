"""Who acts in the story, and what every chapter does: ask, wait, create, activate, run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from local.narration import Narration
from shared.client import VaultClient

WAIT_SECONDS = 60.0
POLL_SECONDS = 0.05
INTEGRATION = "medical_inquiry_details__v"
Row = dict[str, Any]


class StoryFailed(Exception):
    """Something did not happen as the story tells it; the text says what."""


@dataclass(frozen=True)
class Cast:
    """Who acts in the story, each signed in with a client of their own."""

    crm_admin: VaultClient
    rep: VaultClient
    medical_admin: VaultClient
    agent: VaultClient


async def until(what: str, question: Callable[[], Awaitable[Row | None]]) -> Row:
    """Ask until there is an answer; raises StoryFailed when none comes in time."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answer = await question()
        if answer is not None:
            return answer
        await asyncio.sleep(POLL_SECONDS)
    message = f"{what} did not happen within {WAIT_SECONDS:.0f} s"
    raise StoryFailed(message)


async def one(client: VaultClient, vql: str) -> Row | None:
    """The first row of a query, or None."""
    rows = (await client.query(vql)).rows
    return rows[0] if rows else None


async def need(client: VaultClient, vql: str, what: str) -> Row:
    """The first row of a query; raises StoryFailed when there is none."""
    row = await one(client, vql)
    if row is None:
        message = f"{what} is missing"
        raise StoryFailed(message)
    return row


async def create(client: VaultClient, object_name: str, row: Row) -> str:
    """Create a record; its id. Raises StoryFailed when that is refused."""
    (result,) = await client.create(object_name, [row])
    if not result.ok or result.id is None:
        message = f"creating {object_name} was refused: {'; '.join(e.message for e in result.errors)}"
        raise StoryFailed(message)
    return result.id


async def activate(
    narration: Narration, where: str, client: VaultClient, integration: str
) -> None:
    """Have an integration active in the Vault of ``client``."""
    found = await need(
        client,
        "SELECT id, name__v, status__v, connection__sysr.name__v FROM integration__sys "
        f"WHERE integration_api_name__sys = '{integration}'",
        f"the integration {integration}",
    )
    active = found["status__v"] == ["active__v"]
    narration.hop(
        where,
        f"{found['connection__sysr.name__v']}: {found['name__v']} is {'active' if active else 'inactive'}",
    )
    if not active:
        await client.update(
            "integration__sys", [{"id": found["id"], "status__v": "active__v"}]
        )
        narration.hop(where, f"{found['name__v']} {found['id']} is active now")


async def run(
    narration: Narration, where: str, client: VaultClient, integration: str
) -> None:
    """Have an integration run, and wait for its end without failures."""
    job = await client.request_run(integration)

    async def ended() -> Row | None:
        told = dict(await client.run(integration, job))
        return None if told["status"] in ("QUEUED", "RUNNING") else told

    told = await until(f"the end of run {job}", ended)
    counts = told["counts"]
    if told["status"] != "SUCCESS":
        message = f"run {job} of {integration} ended with {told['status']}, {counts['failed']} records failed"
        raise StoryFailed(message)
    narration.hop(
        where,
        f"run {job} of {integration}: {counts['read']} read, {counts['written']} written",
    )

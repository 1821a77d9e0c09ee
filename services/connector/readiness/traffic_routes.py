"""Serves the traffic of a Vault: the queues of the remote Vaults, and whether the connector consumes messages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import APIRouter, Request, Response

from services.connector.asking.answers import Answers, success
from services.connector.asking.described import described
from services.connector.vaults.vaults import ConnectedVault, KnownVault, Vaults
from shared.client.client import VaultClient
from shared.client.errors import ClientError
from shared.client.results import Row, text
from shared.runtime.waiting import concurrently

# What a picture says of a queue.
SHOWN = ("name", "type", "status", "delivery", "messages_in_queue")


def router(
    answers: Answers,
    consumers: Callable[[], Awaitable[str | None]],
) -> APIRouter:
    """Return the route; ``consumers`` returns why messages are not consumed, None when they are."""
    routes = APIRouter(tags=["readiness"])

    @routes.get("/traffic/{vault}", openapi_extra=described())
    async def traffic(request: Request, vault: str) -> Response:
        """Return the remote Vaults' queues with their numbers of messages, and why none are consumed, else null."""

        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            async with concurrently() as group:
                others = [
                    group.create_task(_vault_with_queues(other))
                    for other in vaults.remotes(own)
                ]
            found = [other.result() for other in others]
            return success({"connector": await consumers(), "vaults": found})

        return await answers.respond(request, vault, work)

    return routes


async def _vault_with_queues(vault: KnownVault) -> dict[str, object]:
    """Return a Vault with its Spark queues; the queues are None while the Vault is away."""
    seen: dict[str, object] = {"vault_id": vault.vault_id, "name": vault.name}
    try:
        listed = await vault.client.queues()
        names = [text(each, "name") for each in listed if each.get("type") != "job"]
        async with concurrently() as group:
            reads = [group.create_task(_queue(vault.client, name)) for name in names]
    except ClientError:
        # The picture is of what there is: one Vault that is away leaves the others in it.
        return {**seen, "queues": None}
    return {**seen, "queues": [read.result() for read in reads]}


async def _queue(client: VaultClient, name: str) -> dict[str, object]:
    row: Row = await client.queue(name)
    connections = row.get("connections")
    entries = connections if isinstance(connections, list) else []
    failing = any(
        isinstance(entry, dict) and entry.get("error") is not None for entry in entries
    )
    return {**{key: row.get(key) for key in SHOWN}, "failing": failing}

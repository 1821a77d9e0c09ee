"""Serves a message's steps, writes and exceptions in the other Vaults, to callers who may read them there."""

from __future__ import annotations

from collections.abc import Awaitable

from fastapi import APIRouter, Request, Response

from services.connector.asking.answers import Answers, success
from services.connector.asking.caller_reads import CallerSessions
from services.connector.asking.described import described
from services.connector.rules.rows import literal
from services.connector.vaults.vaults import ConnectedVault, Vaults, passing_refusals
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.client.results import Row
from shared.protocol.error_types import ErrorType
from shared.runtime.waiting import concurrently

MAX_EXCEPTIONS = 50
EXCEPTIONS = (
    "SELECT id, name__v, error_status__sys, created_date__v, modified_date__v FROM exception_message__sys "
    "WHERE message_id__sys = {message} MAXROWS {most}"
)
_NOT_READABLE = frozenset({ErrorType.INSUFFICIENT_ACCESS, ErrorType.INVALID_SESSION_ID})


def router(answers: Answers) -> APIRouter:
    """Return the route ``GET /ways/{vault}/{message_id}``."""
    routes = APIRouter(tags=["messages"])

    @routes.get(
        "/ways/{vault}/{message_id}", openapi_extra=described(reads_source=True)
    )
    async def message(request: Request, vault: str, message_id: str) -> Response:
        """Return the steps, writes and exceptions of a message in the other Vaults, as far as the caller may read them.

        A Vault that does not accept the source session, or in which its user may read none of this, is left out.
        """

        async def work(vaults: Vaults, own: ConnectedVault) -> Response:
            session = CallerSessions.of(request).source_session
            found = []
            for other in vaults.remotes(own) if session else ():
                # Read in the caller's own session alone: the Vault decides whether they may.
                client = other.client.for_session(session)
                with passing_refusals():
                    seen = await _message_in_vault(client, message_id)
                if seen is not None:
                    found.append(
                        {"vault_id": other.vault_id, "name": other.name, **seen}
                    )
            return success(found)

        return await answers.respond(request, vault, work)

    return routes


async def _message_in_vault(
    client: VaultClient, message_id: str
) -> dict[str, object] | None:
    """Return a message's steps, writes and exceptions in a Vault; None when the session's user may read none."""
    statement = EXCEPTIONS.format(message=literal(message_id), most=MAX_EXCEPTIONS)
    async with concurrently() as group:
        steps = group.create_task(_rows_if_readable(client.message_steps(message_id)))
        writes = group.create_task(_rows_if_readable(client.message_writes(message_id)))
        exceptions = group.create_task(_rows_if_readable(_rows(client, statement)))
    found = {
        "steps": steps.result(),
        "writes": writes.result(),
        "exceptions": exceptions.result(),
    }
    if all(part is None for part in found.values()):
        return None
    return {name: part or [] for name, part in found.items()}


async def _rows(client: VaultClient, statement: str) -> list[Row]:
    result = await client.query(statement)
    return list(result.rows)


async def _rows_if_readable(reading: Awaitable[list[Row]]) -> list[Row] | None:
    """Return the rows that ``reading`` yields; None when the session's user may not read them."""
    try:
        return await reading
    except VaultRefused as refused:
        if refused.type in _NOT_READABLE:
            return None
        raise

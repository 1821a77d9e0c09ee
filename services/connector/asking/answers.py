"""Answers questions in the envelopes of the Vault REST API, each within a minute and a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
from fastapi import Request, Response

from services.connector.asking.access import MANAGE_INTEGRATIONS, require_permission
from services.connector.asking.caller_reads import NotReadable
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.vaults import ConnectedVault, Vaults
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.protocol.error_types import ErrorType

ANSWER_SECONDS = 60.0
# Few at a time, because questions share the calls of the Vaults with the transfers.
AT_ONCE = 2

JSON = "application/json;charset=UTF-8"
CSV = "text/csv;charset=UTF-8"
# Answers may show records, which belong in no cache.
_UNCACHED = {"Cache-Control": "no-store"}

Work = Callable[[Vaults, ConnectedVault], Awaitable[Response]]
"""Finds an answer; raises VaultRefused, NotReadable, ConfigurationFault or RuleError with a message for the caller."""


class Answers:
    """Answers requests of callers who hold a permission at the Vault that they ask about."""

    def __init__(self, vaults: Callable[[], Vaults | None]) -> None:
        """Take a function that returns the connector's Vaults, None until it is connected with them."""
        self._vaults = vaults
        self._places = asyncio.Semaphore(AT_ONCE)

    async def respond(
        self,
        request: Request,
        name: str,
        work: Work,
        permission: str = MANAGE_INTEGRATIONS,
    ) -> Response:
        """Return the response to a question about a Vault; ``name`` is its name in the settings, or its id.

        A fault of ``work`` becomes a response with its error, and is not raised.
        """
        try:
            # The wait for a place counts towards the minute, so that no caller waits longer than it.
            async with asyncio.timeout(ANSWER_SECONDS):
                # Callers without the permission take no place, so that no flood of them delays the others.
                vaults, own = await self._admitted(request, name, permission)
                async with self._places:
                    return await work(vaults, own)
        except VaultRefused as refused:
            return _failure(refused.type, refused.message)
        except NotReadable as refusal:
            return _failure(refusal.type, str(refusal))
        except (ConfigurationFault, RuleError) as fault:
            return _failure(ErrorType.INVALID_DATA, str(fault))
        except VaultUnavailable:
            return _unavailable("A Vault is away, or the connector is starting")
        except TimeoutError:
            message = f"It took longer than {ANSWER_SECONDS:.0f} seconds; ask for less"
            return _unavailable(message)

    async def _admitted(
        self,
        request: Request,
        name: str,
        permission: str,
    ) -> tuple[Vaults, ConnectedVault]:
        """Return the connector's Vaults, and the one called ``name``, once the caller's permission is checked.

        :raises VaultUnavailable: a Vault is away, or the connector is not connected yet.
        :raises VaultRefused: INVALID_DATA for an unknown Vault; and as ``require_permission`` does.
        """
        vaults = self._vaults()
        if vaults is None:
            raise VaultUnavailable
        # A Vault's pages know its id; how the connector calls it they do not.
        named = (
            known
            for known in vaults.connected
            if name in (known.name, str(known.vault_id))
        )
        own = next(named, None)
        if own is None:
            message = "This connector has no Vault of this name"
            raise VaultRefused(ErrorType.INVALID_DATA, message)
        session_id = request.headers.get("authorization", "")
        await require_permission(own.client, session_id, permission)
        return vaults, own


def success(data: object) -> Response:
    """Return a SUCCESS envelope around ``data``."""
    body = {"responseStatus": "SUCCESS", "data": data}
    return _response(body)


def csv_file(name: str, content: str) -> Response:
    """Return a CSV file that browsers save as ``name``."""
    disposition = f'attachment; filename="{name}"'
    headers = {**_UNCACHED, "Content-Disposition": disposition}
    return Response(content, HTTPStatus.OK, headers, CSV)


def _failure(type: str, message: str) -> Response:
    body = _errors("FAILURE", type, message)
    return _response(body)


def _unavailable(message: str) -> Response:
    body = _errors("EXCEPTION", ErrorType.UNEXPECTED_ERROR, message)
    return _response(body, HTTPStatus.SERVICE_UNAVAILABLE)


def _errors(status: str, type: str, message: str) -> dict[str, object]:
    """Return an envelope with one error."""
    error = {"type": type, "message": message}
    return {"responseStatus": status, "errors": [error]}


def _response(
    body: Mapping[str, object],
    status: HTTPStatus = HTTPStatus.OK,
) -> Response:
    content = orjson.dumps(body)
    return Response(content, status, _UNCACHED, JSON)

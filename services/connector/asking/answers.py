"""Answers in the envelopes of the Vault REST API, each within a minute and a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus

import orjson
from fastapi import Request, Response

from services.connector.asking.access import MANAGE_INTEGRATIONS, require_permission
from services.connector.rules.rule import RuleError
from services.connector.vaults.configuration import ConfigurationFault
from services.connector.vaults.vaults import ConnectedVault, Vaults
from shared.client.errors import VaultRefused, VaultUnavailable
from shared.protocol.error_types import ErrorType

ANSWER_SECONDS = 60.0
AT_ONCE = 2
"""How many questions are answered at a time: they share the calls of the Vaults with the transfers."""

_KEPT_NOWHERE = {"Cache-Control": "no-store"}  # answers may show records

Work = Callable[[Vaults, ConnectedVault], Awaitable[Response]]
"""Finds an answer; raises VaultRefused, ConfigurationFault or RuleError with what the asker is told."""


class Answers:
    """Answers those who hold a permission at the Vault that they ask about."""

    def __init__(self, vaults: Callable[[], Vaults | None]) -> None:
        """``vaults`` are those of the connector, None until it is connected with them."""
        self._vaults = vaults
        self._places = asyncio.Semaphore(AT_ONCE)

    async def give(
        self,
        request: Request,
        name: str,
        work: Work,
        permission: str = MANAGE_INTEGRATIONS,
    ) -> Response:
        """The answer to a question about the Vault that the settings name ``name``."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._places:
                return await self._worked(request, name, work, permission)
        except VaultRefused as refused:
            return _failure(refused.type, refused.message)
        except (ConfigurationFault, RuleError) as fault:
            return _failure(ErrorType.INVALID_DATA, str(fault))
        except VaultUnavailable:
            return _unavailable("A Vault is away, or the connector is starting")
        except TimeoutError:
            return _unavailable(
                f"It took longer than {ANSWER_SECONDS:.0f} seconds; ask for less"
            )

    async def _worked(
        self, request: Request, name: str, work: Work, permission: str
    ) -> Response:
        vaults = self._vaults()
        if vaults is None:
            raise VaultUnavailable
        own = next((known for known in vaults.connected if known.name == name), None)
        if own is None:
            raise VaultRefused(
                ErrorType.INVALID_DATA, "This connector has no Vault of this name"
            )
        await require_permission(
            own.client, request.headers.get("authorization", ""), permission
        )
        return await work(vaults, own)


def success(data: object) -> Response:
    """A SUCCESS envelope."""
    return _answer({"responseStatus": "SUCCESS", "data": data})


def csv_file(name: str, content: str) -> Response:
    """A CSV file to be saved under this name."""
    headers = {**_KEPT_NOWHERE, "Content-Disposition": f'attachment; filename="{name}"'}
    return Response(content, HTTPStatus.OK, headers, "text/csv;charset=UTF-8")


def _failure(kind: str, message: str) -> Response:
    errors = [{"type": kind, "message": message}]
    return _answer(
        {"responseStatus": "FAILURE", "responseMessage": None, "errors": errors}
    )


def _unavailable(message: str) -> Response:
    errors = [{"type": ErrorType.UNEXPECTED_ERROR, "message": message}]
    body = {"responseStatus": "EXCEPTION", "responseMessage": None, "errors": errors}
    return _answer(body, HTTPStatus.SERVICE_UNAVAILABLE)


def _answer(body: Mapping[str, object], status: HTTPStatus = HTTPStatus.OK) -> Response:
    return Response(
        orjson.dumps(body), status, _KEPT_NOWHERE, "application/json;charset=UTF-8"
    )

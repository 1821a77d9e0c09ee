"""Serves the address to which Vaults elsewhere deliver; answers 200 once a message is stored on its queue."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from services.connector.asking.request_body import read_body
from services.connector.receiving.replays import Full
from services.connector.receiving.signed_messages import (
    Replayed,
    SignedMessages,
    UnknownAddress,
)
from services.connector.receiving.verification import NotVerified
from services.connector.vaults.vaults import Vaults
from shared.client.errors import VaultUnavailable
from shared.runtime.logging import get_logger
from shared.runtime.telemetry import metrics
from shared.spark.broker_errors import BrokerUnavailable, MalformedMessage, Unroutable
from shared.spark.envelope import MAX_BODY_BYTES

_log = get_logger(__name__)


class TooLarge(Exception):
    """Raised for a body that is larger than a message may be."""


# The senders are programs: the status is all they act upon, and a text would say more to strangers than they need.
STATUSES: dict[type[Exception], HTTPStatus] = {
    UnknownAddress: HTTPStatus.NOT_FOUND,
    Unroutable: HTTPStatus.NOT_FOUND,
    NotVerified: HTTPStatus.UNAUTHORIZED,
    Replayed: HTTPStatus.CONFLICT,
    MalformedMessage: HTTPStatus.BAD_REQUEST,
    TimeoutError: HTTPStatus.REQUEST_TIMEOUT,
    TooLarge: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    Full: HTTPStatus.SERVICE_UNAVAILABLE,
    BrokerUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    VaultUnavailable: HTTPStatus.SERVICE_UNAVAILABLE,
}


def router(messages: SignedMessages, vaults: Callable[[], Vaults | None]) -> APIRouter:
    """Return the route; ``vaults`` returns the connector's Vaults, None until it is connected with them."""
    routes = APIRouter(include_in_schema=False)

    @routes.post("/messages/{vault}/{queue}")
    async def take(request: Request, vault: str, queue: str) -> Response:
        status = await _take(request, vault, queue)
        metrics.messages_received.labels(str(status.value)).inc()
        return Response(status_code=status)

    async def _take(request: Request, vault: str, queue: str) -> HTTPStatus:
        connected = vaults()
        if connected is None:
            return HTTPStatus.SERVICE_UNAVAILABLE

        async def read() -> bytes:
            body = await read_body(request, MAX_BODY_BYTES)
            if body is None:
                raise TooLarge
            return body

        try:
            await messages.take(connected, vault, queue, request.headers, read)
        except tuple(STATUSES) as problem:
            # Not logged: anybody can send such requests, as many as they like. The metrics count them.
            return _status(problem)
        _log.debug("message received", vault=vault, queue=queue)
        return HTTPStatus.OK

    return routes


def _status(problem: Exception) -> HTTPStatus:
    """Return the HTTP status for a problem, by its class or the first of its base classes that has one."""
    statuses = (
        status for kind, status in STATUSES.items() if isinstance(problem, kind)
    )
    return next(statuses)

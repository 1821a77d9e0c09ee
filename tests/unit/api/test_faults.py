"""Faults: which HTTP statuses tell a client to retry, and which must not."""

from __future__ import annotations

import asyncio

import asyncpg
import orjson
import pytest
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from shared.spark.broker_errors import BrokerUnavailable
from shared.vault.api.response_envelope import Faults, status_of
from shared.vault.storage.database import DatabaseUnavailable
from tests.unit.api.requests import request


@pytest.mark.parametrize(
    ("error", "reading", "writing"),
    [
        (DatabaseUnavailable("x"), 503, 503),
        (asyncpg.DeadlockDetectedError("x"), 503, 503),
        (asyncpg.AdminShutdownError("x"), 503, 503),
        (asyncpg.TooManyConnectionsError("x"), 503, 503),
        (asyncpg.QueryCanceledError("x"), 503, 503),
        (asyncpg.ReadOnlySQLTransactionError("x"), 503, 503),
        (asyncpg.TransactionTimeoutError("x"), 503, 503),
        (asyncpg.DiskFullError("x"), 503, 503),
        (asyncpg.OutOfMemoryError("x"), 503, 503),
        (asyncpg.CannotConnectNowError("x"), 503, 503),
        (asyncpg.PostgresIOError("x"), 503, 503),
        (asyncpg.UndefinedFileError("x"), 503, 503),
        (asyncpg.DataCorruptedError("x"), 503, 503),
        (asyncpg.InvalidPasswordError("x"), 503, 503),
        (asyncpg.InvalidCatalogNameError("x"), 503, 503),
        (asyncpg.InsufficientPrivilegeError("x"), 503, 503),
        (asyncpg.InternalServerError("x"), 500, 200),
        (asyncpg.ConnectionDoesNotExistError("x"), 503, 504),
        (asyncpg.TransactionResolutionUnknownError("x"), 503, 504),
        (asyncpg.InterfaceError("x"), 503, 504),
        (ConnectionResetError(), 503, 504),
        (TimeoutError(), 503, 504),
        (BrokerUnavailable("x"), 503, 504),
        (KeyError("x"), 500, 200),
        (asyncpg.UndefinedTableError("x"), 500, 200),
    ],
)
def test_a_write_is_never_answered_so_that_it_is_sent_twice(
    error: Exception, reading: int, writing: int
) -> None:
    assert status_of(error, "GET") == reading
    assert {status_of(error, method) for method in ("POST", "PUT", "DELETE")} == {
        writing
    }


async def answer_to(error: BaseException, *, begun: bool = False) -> list[Message]:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        if begun:
            await Response("half")(scope, receive, send)
        raise error

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asked = request()
    asked.scope["state"] = {"execution_id": "E-1"}
    await Faults(endpoint)(asked.scope, asked.receive, send)
    return sent


async def test_a_defect_is_answered_without_its_text() -> None:
    start, content = await answer_to(ValueError("secret"))
    assert start["status"] == 200
    assert orjson.loads(content["body"]) == {
        "responseStatus": "EXCEPTION",
        "errors": [
            {
                "type": "UNEXPECTED_ERROR",
                "message": "An unexpected error occurred; execution E-1",
            }
        ],
    }


async def test_an_answer_that_has_begun_is_broken_off() -> None:
    with pytest.raises(ValueError, match="secret"):
        await answer_to(ValueError("secret"), begun=True)


async def test_cancellation_passes() -> None:
    with pytest.raises(asyncio.CancelledError):
        await answer_to(asyncio.CancelledError())

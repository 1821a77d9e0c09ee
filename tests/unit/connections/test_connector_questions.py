"""A Vault's questions to its connector for visitors of a page."""

from __future__ import annotations

import asyncio

import pytest

from shared.protocol.error_types import ErrorType
from shared.vault.connections import connector_questions
from shared.vault.connections.connector_questions import (
    ConnectorQuestions,
    PageSessions,
)
from shared.vault.errors import VaultFault

LOOKERS = 5


async def test_those_who_look_do_not_wait_for_each_other_without_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connector_questions, "LOOK_SECONDS", 0.05)
    ended = asyncio.Event()

    async def never_answer(
        _: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await ended.wait()
        writer.close()

    server = await asyncio.start_server(never_answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    questions = ConnectorQuestions(f"http://127.0.0.1:{port}", 10101)
    looks = (questions.traffic(PageSessions("a-session")) for _ in range(LOOKERS))
    # Without a bound of each the first would take a minute, and each further one another.
    async with asyncio.timeout(30):
        faults = await asyncio.gather(*looks, return_exceptions=True)
    ended.set()
    await questions.close()
    server.close()
    await server.wait_closed()
    assert len(faults) == LOOKERS
    for fault in faults:
        assert isinstance(fault, VaultFault)
        assert fault.error.type is ErrorType.UNEXPECTED_ERROR

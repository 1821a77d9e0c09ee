"""A stand-in for the connector: it returns the test's answers, and records the questions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from shared.vault.assembly.vault import Vault
from shared.vault.connections.connector_questions import ConnectorQuestions
from tests.service.vault.served import served


@dataclass
class ConnectorStub:
    """Answers by the question, or by the question and the names after the connection.

    For a question without an answer the connector is away.
    """

    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)

    def succeed(self, question: str, data: Any) -> None:
        self.answers[question] = {"responseStatus": "SUCCESS", "data": data}

    def refuse(self, question: str, type: str, message: str) -> None:
        errors = [{"type": type, "message": message}]
        self.answers[question] = {"responseStatus": "FAILURE", "errors": errors}

    async def answer(self, request: Request) -> Response:
        self.asked.append(request)
        self.bodies.append(await request.json() if request.method == "POST" else None)
        # Without the Vault and the connection that it is about.
        question, *names = request.url.path.split("/")[1:]
        precise = "/".join([question, *names[2:]])
        answer = self.answers.get(precise) or self.answers.get(question)
        return Response(status_code=503) if answer is None else JSONResponse(answer)


@asynccontextmanager
async def connector_stub(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[ConnectorStub]:
    """Connect the pages of the Vault with a connector whose answers the test sets."""
    made = ConnectorStub()
    app = FastAPI()
    app.add_api_route("/{path:path}", made.answer, methods=["GET", "POST"])
    async with served(app) as client:
        questions = ConnectorQuestions(client.url, vault.vault_id)
        monkeypatch.setattr(vault, "connector", questions)
        yield made
        await questions.close()

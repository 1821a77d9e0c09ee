"""Every call with a body is refused before its body is read, when its caller may not make it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.types import Message

from shared.vault.api.api_app import CHAPTERS, create_api
from shared.vault.api.body_limits import MAX_FORM_BYTES, MAX_SIGN_IN_BYTES
from shared.vault.api.scim import MAX_RESOURCE_BYTES
from shared.vault.assembly.vault import Vault
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Api

DECLARED = 40_000_000
CHUNK = b"x" * 65_536
WRITING = frozenset({"POST", "PUT", "DELETE"})

ANY_USER = {
    "POST /api/v25.1/query": MAX_FORM_BYTES,
    "POST /api/v25.1/delegation/login": MAX_FORM_BYTES,
    "POST /api/v25.1/services/delegations": MAX_FORM_BYTES,
    "POST /api/v25.1/query/components": MAX_FORM_BYTES,
    "PUT /api/v25.1/services/notifications": MAX_FORM_BYTES,
    "PUT /api/v25.1/scim/v2/Me": MAX_RESOURCE_BYTES,
    # Whose workflow or task it is says who may, and that is known by its record.
    "POST /api/v25.1/objects/objectworkflows/1/actions/1": MAX_FORM_BYTES,
    "POST /api/v25.1/objects/objectworkflows/tasks/1/actions/1": MAX_FORM_BYTES,
    "POST /api/v25.1/objects/users/me/password": MAX_SIGN_IN_BYTES,
    "POST /api/v25.1/auth": MAX_SIGN_IN_BYTES,
    "POST /auth/discovery": MAX_SIGN_IN_BYTES,
}
"""Calls that need no right but a session, with the bytes of their bodies."""

ANYBODY = {
    "POST /api/v25.1/objects/users/me/password": MAX_SIGN_IN_BYTES,
    "POST /api/v25.1/auth": MAX_SIGN_IN_BYTES,
    "POST /auth/discovery": MAX_SIGN_IN_BYTES,
}
"""Calls without a session."""

VALUES = {
    "version": "v25.1",
    "object_name": "thing__c",
    # Another user than the caller.
    "user_id": "1",
}


def calls() -> Iterator[str]:
    """Verb and path of every call that may have a body."""
    for chapter in CHAPTERS:
        for route in chapter.router.routes:
            assert isinstance(route, APIRoute)
            path = re.sub(r"{(\w+)(:\w+)?}", _value, route.path)
            for method in sorted((route.methods or set()) & WRITING):
                # Ends the session of the tests.
                if not path.endswith("/session") or method != "DELETE":
                    yield f"{method} {path}"


def _value(match: re.Match[str]) -> str:
    return VALUES.get(match[1], "1")


@dataclass
class Client:
    """A client that declares a large body, and counts the bytes that the server reads."""

    taken: int = 0
    sent: list[Message] = field(default_factory=list)

    async def receive(self) -> Message:
        self.taken += len(CHUNK)
        more = self.taken < DECLARED
        return {"type": "http.request", "body": CHUNK, "more_body": more}

    async def send(self, message: Message) -> None:
        self.sent.append(message)

    async def call(self, app: FastAPI, call: str, session_id: str | None) -> Any:
        """Make a call and return the envelope of its answer."""
        method, _, path = call.partition(" ")
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(DECLARED).encode()),
            (b"x-vaultapi-filepartnumber", b"1"),
        ]
        if session_id is not None:
            headers.append((b"authorization", session_id.encode()))
        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": headers,
            "server": ("localhost", 80),
            "client": ("localhost", 1),
        }
        await app(scope, self.receive, self.send)
        return orjson.loads(b"".join(each.get("body", b"") for each in self.sent))


@pytest.fixture(scope="module")
def app(vault: Vault, api: Api) -> FastAPI:
    """The application of the Vault that runs; called without a server, which would read ahead."""
    assert api.url
    return create_api(vault)


@pytest.fixture(scope="module")
async def rightless(api: Api) -> Api:
    """A user whose profile allows nothing."""
    return await with_profile(await api.signed_in("admin"), set(), {})


@pytest.mark.parametrize("call", sorted(set(calls())))
async def test_who_may_not_make_a_call_is_refused_before_its_body_is_read(
    app: FastAPI, rightless: Api, call: str
) -> None:
    client = Client()
    answer = await client.call(app, call, rightless.session_id)
    errors = {error["type"] for error in answer.get("errors", ())}
    assert "INVALID_SESSION_ID" not in errors
    if call in ANY_USER:
        assert client.taken <= ANY_USER[call] + len(CHUNK)
        assert errors == {"EXCEEDS_FILE_MAX_SIZE"}
    else:
        assert client.taken == 0


@pytest.mark.parametrize("call", sorted(set(calls())))
async def test_who_has_no_session_is_refused_before_the_body_is_read(
    app: FastAPI, call: str
) -> None:
    client = Client()
    answer = await client.call(app, call, None)
    assert answer["responseStatus"] == "FAILURE"
    limit = ANYBODY[call] + len(CHUNK) if call in ANYBODY else 0
    assert client.taken <= limit

"""A mail server for tests: accepts mail over STARTTLS from signed-in clients, and refuses as the test says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any, cast

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from local.tls import LocalTls

USERNAME, SECRET = "vault", "the vault's own"


@dataclass
class Post:
    """The received mail, and the replies (``451 …``) that a recipient's next messages get instead of 250."""

    ca_file: Path
    port: int = 0
    received: list[EmailMessage] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)

    def to(self, address: str) -> list[EmailMessage]:
        return [message for message in self.received if message["To"] == address]

    async def handle_DATA(  # noqa: N802
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        waiting = self.answers.get(envelope.rcpt_tos[0])
        if waiting:
            return waiting.pop(0)
        message = BytesParser(policy=default).parsebytes(
            cast("bytes", envelope.content)
        )
        self.received.append(message)
        return "250 OK"


def _authenticated(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any
) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USERNAME.encode(),
        SECRET.encode(),
    )
    return AuthResult(success=known)


@asynccontextmanager
async def post_office(tls: LocalTls) -> AsyncIterator[Post]:
    """Run the server on a free port of localhost during the block."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls.certificate, tls.key)
    post = Post(tls.ca_file)

    def protocol() -> SMTP:
        return SMTP(
            post,
            tls_context=context,
            require_starttls=True,
            authenticator=_authenticated,
            auth_required=True,
        )

    server = await asyncio.get_running_loop().create_server(protocol, "localhost", 0)
    post.port = server.sockets[0].getsockname()[1]
    try:
        yield post
    finally:
        server.close()
        await server.wait_closed()

"""Posts messages, signed by their Vault, to External connections; status 200 means that a message is delivered."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from services.connector.delivery.destinations import Destination, Sending
from services.connector.delivery.guarded_names import GuardedNames
from services.connector.delivery.receiver_breakers import Breakers, Unreachable
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.protocol.redaction import without_values

USER_AGENT = "Veeva Vault Spark Message Agent"
# Well below the bound on one message, so that an address that drops packets costs little.
CONNECT_SECONDS = 5.0
# So that a call stays small, and a signature fresh while the messages before it are posted.
SIGNED_AT_ONCE = 50


class Receivers:
    """HTTPS client for External receivers: follows no redirects, keeps no cookies, reads only the status of answers."""

    def __init__(
        self,
        timeout: float,
        ca_file: Path | None = None,
        resolver: AbstractResolver | None = None,
    ) -> None:
        """Take the time limit of one message in seconds, and a PEM file of authorities to trust besides the system's.

        Names are resolved by ``resolver``, or by the system, and guarded.

        :raises OSError: the file cannot be read, or contains no certificate.
        """
        self.breakers = Breakers(timeout)
        self._timeout = aiohttp.ClientTimeout(
            total=timeout, sock_connect=CONNECT_SECONDS
        )
        # The trust of the system and more, because partners may have an authority of their own.
        self._trust = ssl.create_default_context()
        self._trust.minimum_version = ssl.TLSVersion.TLSv1_2
        if ca_file is not None:
            self._trust.load_verify_locations(ca_file)
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """Post a message and return the status of the answer.

        :raises Unreachable: there is no answer, or the address is not https.
        """
        # The address is what an administrator typed; messages go nowhere in the clear.
        if URL(url).scheme != "https":
            raise Unreachable("the address is not https")
        session = self._open()
        sent = {**headers, "Content-Type": "application/json", "User-Agent": USER_AGENT}
        try:
            async with session.post(
                url, data=body, headers=sent, allow_redirects=False
            ) as answer:
                return answer.status
        except TimeoutError:
            raise Unreachable("no answer in time") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise Unreachable(type(error).__name__) from error

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        # Not in the constructor: a session belongs to the loop that runs when it is made.
        if self._session is None:
            names = GuardedNames(self._resolver)
            connector = aiohttp.TCPConnector(ssl=self._trust, resolver=names)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


async def deliver(
    own: VaultClient,
    receivers: Receivers,
    destination: Destination,
    waiting: Sequence[Sending],
) -> None:
    """Post messages in order, each once; stop when the receiver cannot be reached or hangs.

    The reason why a message is not delivered is added to its ``missing``.

    :raises VaultUnavailable: the Vault that signs is away.
    """
    name = destination.connection
    breaker = receivers.breakers.of(own.vault_id, name)
    left = deque(waiting)
    try:
        while left:
            breaker.check()
            size = min(len(left), SIGNED_AT_ONCE)
            batch = [left[number] for number in range(size)]
            bodies = [_body(sending) for sending in batch]
            texts = [body.decode() for body in bodies]
            url, signed = await own.sign_messages(name, texts)
            for sending, body, values in zip(batch, bodies, signed, strict=True):
                headers = {key: str(value) for key, value in values.items()}
                status = await breaker.post(partial(receivers.post, url, headers, body))
                left.popleft()
                if status == HTTPStatus.OK:
                    sending.reached.add(destination)
                else:
                    reason = f"the receiver of connection {name} answered with status {status}"
                    sending.missing[name] = reason
    # What is still left has not been answered; what was popped has its own outcome already.
    except VaultRefused as refused:
        text = without_values(refused.message)
        reason = f"connection {name} cannot be used: {refused.type}: {text}"
        _note_undelivered(left, name, reason)
    except Unreachable as problem:
        reason = f"the receiver of connection {name} cannot be reached: {problem}"
        _note_undelivered(left, name, reason)


def _note_undelivered(
    sendings: Iterable[Sending], connection: str, reason: str
) -> None:
    """Note why messages were not delivered over a connection."""
    for sending in sendings:
        sending.missing[connection] = reason


def _body(sending: Sending) -> bytes:
    envelope = replace(
        sending.envelope,
        send_attempt=sending.attempts,
        send_message_timestamp=sending.sent,
    )
    return envelope.encode()

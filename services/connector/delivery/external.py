"""Messages to External connections: signed by their Vault, posted by HTTPS, delivered once the answer is 200."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path

import aiohttp
from yarl import URL

from services.connector.delivery.destinations import Destination
from services.connector.delivery.sending import Sending
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused

USER_AGENT = "Veeva Vault Spark Message Agent"
CONNECT_SECONDS = 5.0
SIGNED_AT_ONCE = 50
"""So that a call stays small, and a signature fresh while the messages before it are posted."""


class Unreachable(Exception):
    """A receiver that cannot be asked at all; the text says why."""


class Receivers:
    """HTTPS to the receivers outside; follows no redirects, keeps no cookies, reads no answer but its status."""

    def __init__(self, timeout: float, ca_file: Path | None = None) -> None:
        """``timeout`` bounds one message in seconds; ``ca_file`` (PEM) has authorities to trust beside the system's.

        :raises OSError: the file cannot be read, or holds no certificate.
        """
        self._timeout = aiohttp.ClientTimeout(
            total=timeout, sock_connect=CONNECT_SECONDS
        )
        self._trust = ssl.create_default_context()
        self._trust.minimum_version = ssl.TLSVersion.TLSv1_2
        if ca_file is not None:
            self._trust.load_verify_locations(ca_file)
        self._session: aiohttp.ClientSession | None = None

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The status that a receiver answers a message with; raises Unreachable."""
        if URL(url).scheme != "https":
            raise Unreachable("the address is not https")
        if self._session is None:
            connector = aiohttp.TCPConnector(ssl=self._trust)
            self._session = aiohttp.ClientSession(
                connector=connector,
                timeout=self._timeout,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        sent = {**headers, "Content-Type": "application/json", "User-Agent": USER_AGENT}
        try:
            async with self._session.post(
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


async def deliver(
    own: VaultClient,
    receivers: Receivers,
    destination: Destination,
    waiting: Sequence[Sending],
) -> None:
    """One try to post messages in order; a receiver that cannot be reached is asked once only.

    What is not delivered is noted with each message. Raises VaultUnavailable.
    """
    name, left = destination.connection, deque(waiting)
    try:
        while left:
            signed = [left[number] for number in range(min(len(left), SIGNED_AT_ONCE))]
            bodies = [_body(sending) for sending in signed]
            url, headers = await own.sign_messages(
                name, [body.decode() for body in bodies]
            )
            for sending, body, own_headers in zip(signed, bodies, headers, strict=True):
                status = await receivers.post(
                    url, {key: str(value) for key, value in own_headers.items()}, body
                )
                left.popleft()
                if status == HTTPStatus.OK:
                    sending.reached.add(destination)
                else:
                    sending.missing[name] = (
                        f"the receiver of connection {name} answered with status {status}"
                    )
    except VaultRefused as refused:
        _note(
            left,
            name,
            f"connection {name} cannot be used: {refused.type}; see that it is Active",
        )
    except Unreachable as problem:
        _note(
            left,
            name,
            f"the receiver of connection {name} cannot be reached: {problem}",
        )


def _note(sendings: Iterable[Sending], connection: str, reason: str) -> None:
    for sending in sendings:
        sending.missing[connection] = reason


def _body(sending: Sending) -> bytes:
    envelope = sending.envelope
    return replace(
        envelope, send_attempt=sending.attempts, send_message_timestamp=sending.sent
    ).encode()

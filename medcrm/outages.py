"""Describes in plain words why a service gave no answer of its API, and what to check."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from shared.client.errors import VaultUnavailable

RUNNING = "Check {option}, and whether the service is running"
SCHEME = "Check whether {option} has to begin with http:// or https://"
ANOTHER = "Check {option}: it has to be the address of the service itself"


@dataclass(frozen=True, slots=True)
class Outage:
    """The reason why a service gave no answer; ``{option}`` in ``check`` stands for the option of its address."""

    reason: str
    check: str

    def text(self, option: str) -> str:
        """Return reason and check as two sentences, without the full stop of the last one."""
        return f"{self.reason}. {self.check.format(option=option)}"


def outage_of(error: BaseException) -> Outage:
    """Return the outage that an error of a call describes; for ``VaultUnavailable``, that of the error behind it."""
    cause = error.__cause__ if isinstance(error, VaultUnavailable) else None
    match cause or error:
        case aiohttp.ClientConnectorDNSError():
            found = Outage(
                "No host of this name is known", "Check the name in {option}"
            )
        case aiohttp.ClientConnectorCertificateError():
            trust = "set SSL_CERT_FILE to the certificate of a private authority"
            found = Outage(
                "Its certificate is not trusted, or is of another name",
                f"Check the name in {{option}}, or {trust}",
            )
        case aiohttp.ClientSSLError():
            found = Outage("It does not speak TLS as https needs it", SCHEME)
        case aiohttp.ClientConnectorError() as failed:
            found = _not_connected(failed.os_error)
        case TimeoutError():
            found = Outage("It gave no answer in time", f"{RUNNING}, or overloaded")
        case aiohttp.NonHttpUrlClientError():
            found = Outage("This is no address of a service", SCHEME)
        case aiohttp.InvalidURL() | ValueError():
            found = Outage("This is no address of a service", "Check {option}")
        case aiohttp.ClientError() | OSError():
            found = Outage("It ended the connection without an answer", SCHEME)
        case other:
            found = unexpected_answer(str(other))
    return found


def _not_connected(error: OSError) -> Outage:
    """Return the outage of a connection that could not be made."""
    if isinstance(error, ConnectionRefusedError):
        return Outage("Nothing listens at this port", RUNNING)
    reason = error.strerror or "no route to it"
    return Outage(f"It cannot be reached ({reason})", RUNNING)


def unexpected_answer(text: str) -> Outage:
    """Return the outage of an answer that is not one of the API, by the status in the text of the client's error."""
    _, found, after = text.partition("status ")
    status = after[:3]
    if not found or not status.isdecimal():
        return Outage("What answers there is no service of this system", ANOTHER)
    if status.startswith("5"):
        wait = "Wait until it has started, and look at its log if it stays so"
        return Outage(f"It cannot work at the moment (status {status})", wait)
    if status.startswith("3"):
        return Outage(f"It leads to another address (status {status})", ANOTHER)
    return Outage(
        f"What answers there is no service of this system (status {status})", ANOTHER
    )

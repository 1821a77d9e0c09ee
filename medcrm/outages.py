"""Says in plain words why a service gave no answer of its API, and what to check."""

from __future__ import annotations

from dataclasses import dataclass

import aiohttp

from shared.client.errors import VaultUnavailable

RUNNING = "Check {option}, and whether the service is running"
SCHEME = "Check whether {option} has to begin with http:// or https://"
ANOTHER = "Check {option}: it has to be the address of the service itself"


@dataclass(frozen=True, slots=True)
class Outage:
    """Why there is no answer, and what to check, with ``{option}`` for what has the address."""

    why: str
    check: str

    def text(self, option: str) -> str:
        """Return both as two sentences, without the last full stop."""
        return f"{self.why}. {self.check.format(option=option)}"


def outage_of(error: BaseException) -> Outage:
    """Return the outage behind an error of a call, or of the client that made it."""
    behind = error.__cause__ if isinstance(error, VaultUnavailable) else None
    match behind or error:
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
        case aiohttp.ClientConnectorError() as away:
            found = _unreached(away.os_error)
        case TimeoutError():
            found = Outage("It gave no answer in time", f"{RUNNING}, or overloaded")
        case aiohttp.InvalidURL() | ValueError():
            found = Outage("This is no address of a service", "Check {option}")
        case aiohttp.ClientError() | OSError():
            found = Outage("It ended the connection without an answer", SCHEME)
        case other:
            found = _answered(str(other))
    return found


def _unreached(error: OSError) -> Outage:
    """Return the outage of a connection that could not be made."""
    if isinstance(error, ConnectionRefusedError):
        return Outage("Nothing listens at this port", RUNNING)
    reason = error.strerror or "no way there"
    return Outage(f"It cannot be reached ({reason})", RUNNING)


def _answered(text: str) -> Outage:
    """Return the outage of an answer that is none of the API, by the text of the client's error."""
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

"""Defines the faults that replace the answer of a call; the call is not carried out."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

from shared.protocol.error_types import ErrorType
from shared.vault.rehearsal.fault import (
    HTML,
    JSON,
    STATUS_HEADER,
    CallFault,
    StruckCall,
    envelope,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal(CallFault):
    """The Vault refuses the call with an error of its API."""

    type: ErrorType
    message: str

    async def strike(self, call: StruckCall) -> None:
        """Answer with the FAILURE envelope of the error and HTTP 200, as for every call that a Vault has processed."""
        body = envelope("FAILURE", self.type, self.message)
        await call.answer(HTTPStatus.OK, body, JSON, ((STATUS_HEADER, b"FAILURE"),))


@dataclass(frozen=True, slots=True, kw_only=True)
class TooManyRequests(CallFault):
    """A server in front of the Vault has too many calls, and says after how long to retry."""

    async def strike(self, call: StruckCall) -> None:
        """Answer 429 with ``Retry-After``, in whole seconds."""
        seconds = max(1, round(call.seconds))
        message = "Too many requests; try again later"
        body = envelope("FAILURE", ErrorType.API_LIMIT_EXCEEDED, message)
        retry_after = (b"retry-after", str(seconds).encode())
        await call.answer(HTTPStatus.TOO_MANY_REQUESTS, body, JSON, (retry_after,))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerError(CallFault):
    """A server error of the Vault, or of a server in front of it; ``html`` selects a server's page instead of JSON."""

    status: HTTPStatus
    html: bool

    async def strike(self, call: StruckCall) -> None:
        """Answer with the fault's HTTP status, and a page of a server or the EXCEPTION envelope of the API."""
        title = f"{self.status.value} {self.status.phrase}"
        if self.html:
            page = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>"
            await call.answer(self.status, page.encode(), HTML)
            return
        message = f"{title}; try again later"
        body = envelope("EXCEPTION", ErrorType.UNEXPECTED_ERROR, message)
        await call.answer(self.status, body, JSON, ((STATUS_HEADER, b"EXCEPTION"),))

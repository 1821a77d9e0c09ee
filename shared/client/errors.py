"""Defines the errors of the Vault client: the ways in which a call can end without an answer.

* ClientError

  - VaultUnavailable: will pass; the call may be repeated when it is idempotent

    * LinkLost: the connection was refused or lost, which may pass at once

  - VaultRefused: will not pass by waiting; carries the error type of the API

    * UnexpectedAnswer: JSON of another shape than the API has
    * ExpiredPage: a later page of a query is gone; the query may be run again from its beginning
    * QueryTimeout: the Vault stopped a query; a smaller query, or a later one, may succeed
"""

from __future__ import annotations

UNEXPECTED_ANSWER = "UNEXPECTED_ANSWER"
"""Error type of an answer that this client cannot use; no Vault sends it, so it is no member of ``ErrorType``."""


class ClientError(Exception):
    """Base of the errors of the Vault client."""


class VaultUnavailable(ClientError):
    """The Vault refused the connection, did not answer in time or answered with no envelope; it will pass.

    Whether a write was carried out is unknown; repeat it only if it is idempotent.
    """


class LinkLost(VaultUnavailable):
    """The connection was refused, or lost before the answer."""


class VaultRefused(ClientError):
    """The Vault answered with an error of its API; waiting does not help.

    ``type`` is the API's error type, for example ``INVALID_DATA``; ``message`` is the Vault's text, which may
    repeat values of the request.
    """

    def __init__(self, type: str, message: str) -> None:
        super().__init__(type, message)
        self.type = type
        self.message = message

    def __str__(self) -> str:
        return f"{self.type}: {self.message}"


class UnexpectedAnswer(VaultRefused):
    """The Vault answered with JSON of another shape than its API has, or too much of it."""

    def __init__(self, message: str) -> None:
        super().__init__(UNEXPECTED_ANSWER, message)
        # A copy is made of ``args`` for each caller that waited for one sign-in, and this class takes one argument.
        self.args = (message,)


class ExpiredPage(VaultRefused):
    """The Vault no longer has a later page of a query; run again from its beginning, the query has new pages."""


class QueryTimeout(VaultRefused):
    """The Vault stopped a query that took too long: the query is too expensive, or the Vault is slow now."""

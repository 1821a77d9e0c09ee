"""What a call of a Vault can end in besides its answer: a fault that will pass, or one that will not."""

from __future__ import annotations


class ClientError(Exception):
    """Base of the errors of the Vault client."""


class VaultUnavailable(ClientError):
    """The Vault refused the connection, did not answer in time or answered with no envelope; it will pass.

    Whether a write was carried out is unknown; repeat it only if it is idempotent.
    """


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
        super().__init__("UNEXPECTED_ANSWER", message)
        self.args = (message,)

"""Provides an asyncio client of the Vault REST API."""

from shared.client.client import VaultClient
from shared.client.errors import (
    ClientError,
    UnexpectedAnswer,
    VaultRefused,
    VaultUnavailable,
)
from shared.client.results import ApiError, Page, QueryResult, Row, RowResult

__all__ = [
    "ApiError",
    "ClientError",
    "Page",
    "QueryResult",
    "Row",
    "RowResult",
    "UnexpectedAnswer",
    "VaultClient",
    "VaultRefused",
    "VaultUnavailable",
]

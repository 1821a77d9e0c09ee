"""Provides an asyncio client of the Vault REST API."""

from shared.client.client import VaultClient
from shared.client.errors import (
    ClientError,
    ExpiredPage,
    QueryTimeout,
    UnexpectedAnswer,
    VaultRefused,
    VaultUnavailable,
)
from shared.client.results import ApiError, Page, QueryResult, Row, RowResult

__all__ = [
    "ApiError",
    "ClientError",
    "ExpiredPage",
    "Page",
    "QueryResult",
    "QueryTimeout",
    "Row",
    "RowResult",
    "UnexpectedAnswer",
    "VaultClient",
    "VaultRefused",
    "VaultUnavailable",
]

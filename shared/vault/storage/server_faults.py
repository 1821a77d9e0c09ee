"""Lists the errors of PostgreSQL that are caused by the server or its operation, independent of the statement."""

from __future__ import annotations

import asyncpg

SERVER_FAULTS = (
    # 25: the database or its server takes no writes (a standby, a maintenance), or ended a session.
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.TransactionTimeoutError,
    # 28, 3D, 42501: role, database or right was taken away, or files are on a read-only disk; no statement of a
    # Vault needs more than its role has.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    # 53: disk, memory or connections are exhausted. 57: an operator intervened. 58: input and output. F0: its files.
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.ConfigFileError,
    # XX001, XX002: a page cannot be read. XX000 may be a defect that a statement provokes each time, so it is none.
    asyncpg.DataCorruptedError,
    asyncpg.IndexCorruptedError,
)
"""Errors that pass when the server is mended; nothing was committed. Lost connections (08) do not say that."""

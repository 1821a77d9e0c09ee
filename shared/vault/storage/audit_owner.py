"""The audit table out of the service's hands: owned by another role, open to the service for INSERT and SELECT."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

CONNECT_TIMEOUT = 10.0
OWNED = "SELECT relowner = current_user::regrole FROM pg_class WHERE oid = 'platform.audit_entry'::regclass"
# Who owns a schema may drop what is in it.
TAKE_OVER = (
    "ALTER SCHEMA platform OWNER TO CURRENT_USER",
    "GRANT USAGE, CREATE ON SCHEMA platform TO {service}",
    "ALTER TABLE platform.audit_entry OWNER TO CURRENT_USER",
    "ALTER FUNCTION platform.refuse_audit_change() OWNER TO CURRENT_USER",
    "REVOKE ALL ON platform.audit_entry FROM {service}",
    "GRANT SELECT, INSERT ON platform.audit_entry TO {service}",
)


@asynccontextmanager
async def as_owner(
    dsn: str, service: str, patience: float
) -> AsyncIterator[Connection]:
    """A transaction of the owner's, in which whatever is made is the service's; the audit table is not, at its end.

    The owner must be a member of the service's role, and own the database.
    """
    connection: Connection = await asyncpg.connect(
        dsn, timeout=CONNECT_TIMEOUT, command_timeout=patience
    )
    try:
        async with connection.transaction():
            role = await connection.fetchval("SELECT quote_ident($1)", service)
            await connection.execute(f"GRANT CREATE ON SCHEMA public TO {role}")
            await connection.execute(f"SET LOCAL ROLE {role}")
            yield connection
            await connection.execute("RESET ROLE")
            if not await connection.fetchval(OWNED):
                for statement in TAKE_OVER:
                    await connection.execute(statement.format(service=role))
    finally:
        await connection.close(timeout=CONNECT_TIMEOUT)

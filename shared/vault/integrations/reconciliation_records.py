"""Records results and findings of reconciliations, and has findings transferred again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

from shared.protocol.error_types import ErrorType
from shared.protocol.json_values import date_time_text
from shared.protocol.reconciliation_verdicts import TRANSFERABLE
from shared.vault.access.caller import SYSTEM
from shared.vault.access.permissions import Grant, Operation, authorize, require
from shared.vault.errors import VaultFault
from shared.vault.integrations import reconciliation_table as table
from shared.vault.integrations.reconciliation_messages import transfer_again
from shared.vault.integrations.reconciliation_model import findings
from shared.vault.records.field_values import in_milliseconds
from shared.vault.storage.database import OneTransaction

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.access.caller import Caller
    from shared.vault.configuration.component_service import ComponentService
    from shared.vault.integrations.reconciliation_model import Reconciliation
    from shared.vault.records.record_service import RecordService
    from shared.vault.records.rows import RowResult
    from shared.vault.storage.database import Connection

OBJECT = "reconciliation__sys"
FINDING = "reconciliation_finding__sys"
AGAIN = "transferred_again__sys"
# Counts are always of all; a next reconciliation finds what is left after these are mended.
MAX_FINDINGS = 10_000
MAX_RESULTS = 20  # results of a connection
ROWS = 500
MAX_DETAILS = 1500  # characters, of the field
OLD = f"""
SELECT id FROM records.{OBJECT} WHERE connection__sys = $1 ORDER BY id DESC OFFSET {MAX_RESULTS}
"""
SELECTED = f"""
SELECT f.id, f.integration_point__sys AS point, f.source_object__sys AS object, f.source_record__sys AS item
FROM records.{FINDING} f JOIN records.{OBJECT} r ON r.id = f.reconciliation__sys
WHERE r.job_id__sys = $1 AND ($2::text[] IS NULL OR f.id = ANY($2::text[]))
AND (f.kind__sys = ANY($3::text[]) OR f.kind__sys = 'extra__sys' AND strpos(f.details__sys, '.') > 0)
ORDER BY point, object, item
"""

ALL = f"""
SELECT f.id, f.kind__sys, f.integration_point__sys, f.source_object__sys, f.source_record__sys, f.details__sys,
    f.transferred_again__sys
FROM records.{FINDING} f JOIN records.{OBJECT} r ON r.id = f.reconciliation__sys WHERE r.job_id__sys = $1 ORDER BY f.id
"""

T = TypeVar("T")


class ReconciliationRecords:
    """The records of reconciliations: a result for each, and its findings."""

    def __init__(self, components: ComponentService, records: RecordService) -> None:
        self._components = components
        self._records = records

    async def carry_out(self, work: Callable[[Connection], Awaitable[T]]) -> T:
        """Run a unit of work that writes records, in a transaction."""
        return await self._records.carry_out(work)

    async def record(self, connection: Connection, stored: Reconciliation) -> None:
        """Create the record of a reconciliation that has ended, and its findings, in a transaction.

        :raises VaultFault: UNEXPECTED_ERROR when a record is refused.
        """
        found = await table.findings(connection, stored.job_id, MAX_FINDINGS)
        (parent,) = await self._create(connection, OBJECT, [_result(stored)])
        rows = [_finding(str(parent.id), row) for row in found]
        for part in _parts(rows):
            await self._create(connection, FINDING, list(part))

    async def _create(
        self,
        connection: Connection,
        object_name: str,
        rows: Sequence[Mapping[str, object]],
    ) -> list[RowResult]:
        own = self._records.within(OneTransaction(connection), self._components)
        results = await own.create(SYSTEM, object_name, rows)
        for result in results:
            if result.errors:
                raise VaultFault(ErrorType.UNEXPECTED_ERROR, result.errors[0].message)
        return results

    async def findings(
        self, caller: Caller, stored: Reconciliation
    ) -> Sequence[Record]:
        """Return the findings of a reconciliation; they are names and ids of records.

        :raises VaultFault: INSUFFICIENT_ACCESS
        """
        require(caller, FINDING, Operation.READ)

        async def work(connection: Connection) -> Sequence[Record]:
            rows: Sequence[Record] = await connection.fetch(ALL, str(stored.job_id))
            return rows

        return await self._records.carry_out(work)

    async def remove_old(self, stored: Reconciliation) -> None:
        """Remove the oldest results of a connection with their findings, so that their number stays bounded."""

        async def old(connection: Connection) -> Sequence[Record]:
            rows: Sequence[Record] = await connection.fetch(
                OLD, stored.scope.connection
            )
            return rows

        rows = [{"id": row["id"]} for row in await self._records.carry_out(old)]
        for part in _parts(rows):
            await self._records.delete(SYSTEM, OBJECT, list(part))

    async def transfer_again(
        self,
        caller: Caller,
        stored: Reconciliation,
        chosen: Sequence[str] | None,
    ) -> int:
        """Transfer findings (record ids, or all) once more by messages; return their number.

        Surplus records in the target are omitted, since no transfer removes them, unless fields exist that flag them.

        :raises VaultFault: INSUFFICIENT_ACCESS; OPERATION_NOT_ALLOWED when no message of the connection can be sent.
        """
        authorize(caller, Grant.REQUEST_RUNS)
        kinds = [f"{verdict}__sys" for verdict in TRANSFERABLE]

        async def work(connection: Connection) -> int:
            ids = None if chosen is None else list(chosen)
            rows = await connection.fetch(SELECTED, str(stored.job_id), ids, kinds)
            registry = self._components.registry
            for (point, name), group in groupby(rows, _place):
                items = [row["item"] for row in group]
                await transfer_again(connection, registry, stored, point, name, items)
            target = registry.objects[FINDING]
            now = in_milliseconds(datetime.now(UTC))
            for part in _parts(rows):
                marked = [row["id"] for row in part]
                await self._records.change_in(
                    connection, SYSTEM, target, marked, {}, {AGAIN: now}
                )
            return len(rows)

        return await self._records.carry_out(work)


def _parts(rows: Sequence[T]) -> Iterator[Sequence[T]]:
    """Yield rows in parts of at most the size of one call."""
    for start in range(0, len(rows), ROWS):
        yield rows[start : start + ROWS]


def _place(row: Record) -> tuple[str, str]:
    return row["point"], row["object"]


def _result(stored: Reconciliation) -> dict[str, object]:
    """Return the row of a reconciliation's result."""
    counts = stored.total
    scope = stored.scope
    lines = [f"{name}: {number}" for name, number in stored.fields.items()]
    return {
        "job_id__sys": str(stored.job_id),
        "connection__sys": scope.connection,
        "integration_api_name__sys": scope.integration,
        "integration_point_api_name__sys": scope.integration_point,
        "compared_date__sys": date_time_text(stored.source_time),
        "clean__sys": findings(counts) == 0,
        "different_fields__sys": "\n".join(lines) or None,
        **{f"{name}__sys": number for name, number in counts.items()},
    }


def _finding(parent: str, row: Record) -> dict[str, object]:
    return {
        "reconciliation__sys": parent,
        "kind__sys": f"{row['verdict']}__sys",
        "integration_point__sys": row["integration_point"],
        "source_object__sys": row["object"],
        "source_record__sys": row["item"],
        "details__sys": ", ".join(row["details"])[:MAX_DETAILS] or None,
    }

"""Applies a folder's configuration to a Vault, in dependency order, up to the first refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from medcrm.configuration import RECORD_SETS, Configuration, ConfigurationFault
from medcrm.difference import Difference, Kind, RecordDifference
from medcrm.statement_order import Statement, statements
from shared.client import VaultClient
from shared.client.errors import ClientError
from shared.client.results import RowResult

Report = Callable[[str], None]


async def apply(
    client: VaultClient,
    difference: Difference,
    wanted: Configuration,
    present: Configuration,
    report: Report,
) -> None:
    """Carry out the difference, and call ``report`` with each completed step.

    :raises ConfigurationFault: at the first step that the Vault refuses; the steps before it stay.
    """
    ordered = statements(difference, wanted, present)
    removing = [statement for statement in ordered if statement.removes]
    adding = [statement for statement in ordered if not statement.removes]
    await _execute(client, adding, report)
    for record_set in RECORD_SETS:
        rows = [
            record
            for record in difference.records
            if record.object == record_set.object and record.values is not None
        ]
        await _save(client, record_set.object, record_set.key, rows, report)
    # In reverse, since a record cannot be deleted while others refer to it.
    for record_set in reversed(RECORD_SETS):
        removed = [
            record
            for record in difference.records
            if record.object == record_set.object and record.kind is Kind.REMOVED
        ]
        await _delete(client, present, record_set.object, removed, report)
    # Last: records may have referred to what goes.
    await _execute(client, removing, report)


async def _execute(
    client: VaultClient,
    ordered: Sequence[Statement],
    report: Report,
) -> None:
    for statement in ordered:
        try:
            await client.execute_mdl(statement.text)
        except ClientError as error:
            raise ConfigurationFault(f"{statement.title}: {error}") from error
        report(statement.title)


async def _save(
    client: VaultClient,
    object_name: str,
    key: str,
    rows: Sequence[RecordDifference],
    report: Report,
) -> None:
    if not rows:
        return
    values = [dict(row.values or {}) for row in rows]
    try:
        results = await client.upsert(object_name, values, key)
    except ClientError as error:
        raise ConfigurationFault(f"{object_name}: {error}") from error
    _report_rows(object_name, rows, results, report)


async def _delete(
    client: VaultClient,
    present: Configuration,
    object_name: str,
    rows: Sequence[RecordDifference],
    report: Report,
) -> None:
    if not rows:
        return
    known = present.tables[object_name].ids
    ids = [known[row.key] for row in rows]
    try:
        results = await client.delete(object_name, ids)
    except ClientError as error:
        raise ConfigurationFault(f"{object_name}: {error}") from error
    _report_rows(object_name, rows, results, report)


def _report_rows(
    object_name: str,
    rows: Sequence[RecordDifference],
    results: Sequence[RowResult],
    report: Report,
) -> None:
    """Report each completed row.

    :raises ConfigurationFault: the Vault refused a row.
    """
    for row, result in zip(rows, results, strict=True):
        if not result.ok:
            error = result.errors[0]
            raise ConfigurationFault(
                f"{object_name} {row.key}: {error.type}: {error.message}"
            )
        report(f"{row.kind} {object_name} {row.key}")

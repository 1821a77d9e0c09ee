"""Counts the results of a run's batches, and reports them to the Vault."""

from __future__ import annotations

from collections.abc import Collection
from typing import assert_never

from services.connector.messages.units import RunBatch
from services.connector.points.transfer import Outcome
from services.connector.rules.item_failures import ItemErrorType
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.runtime.logging import get_logger

_log = get_logger(__name__)


def counts(
    outcome: Outcome | None,
    read: int,
    ignored: Collection[str] = (),
) -> dict[str, int]:
    """Return the results of ``read`` records: ``read = skipped + written + failed``; some written are unchanged.

    Without an outcome all of them have failed. Those with ``ignored`` exceptions count as skipped.
    """
    if outcome is None:
        return {
            "read": read,
            "mapped": 0,
            "skipped": len(ignored),
            "written": 0,
            "failed": read - len(ignored),
            "unchanged": 0,
        }
    written = len(outcome.done)
    kinds = [
        failure.error_type
        for item, failure in outcome.failures.items()
        if item not in ignored
    ]
    skipped = len(outcome.skipped) + len(outcome.failures) - len(kinds)
    return {
        "read": written + len(kinds) + skipped,
        "mapped": written + sum(map(_was_mapped, kinds)),
        "skipped": skipped,
        "written": written,
        "failed": len(kinds),
        "unchanged": len(outcome.done - outcome.changed),
    }


def _was_mapped(kind: ItemErrorType) -> bool:
    """Return whether a record that failed with this error already had its target values."""
    match kind:
        # Both come after evaluation: the record was matched or saved by its target values.
        case ItemErrorType.SAVE | ItemErrorType.MATCH:
            return True
        case (
            ItemErrorType.FIELD_VALUE
            | ItemErrorType.LOOKUP
            | ItemErrorType.REFERENCE
            | ItemErrorType.SOURCE
            | ItemErrorType.PROCESSING
        ):
            return False
        case _:
            assert_never(kind)


async def report(
    client: VaultClient,
    batch: RunBatch,
    integration_point: str,
    result: dict[str, int],
) -> None:
    """Report the results of a batch to the Vault.

    :raises VaultUnavailable: the Vault is away.
    """
    try:
        await client.report_batch(
            batch.integration, batch.run, batch.number, integration_point, result
        )
    except VaultRefused as refused:
        # The run is gone; the records are where they belong all the same.
        _log.warning(
            "batch not counted",
            run=batch.run,
            batch=batch.number,
            error_type=refused.type,
        )

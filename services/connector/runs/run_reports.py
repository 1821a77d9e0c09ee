"""What batches of a run came to, counted and told to the Vault."""

from __future__ import annotations

from services.connector.messages.units import RunBatch
from services.connector.points.transfer import Outcome
from services.connector.rules.item_failures import ItemErrorType
from shared.client.client import VaultClient
from shared.client.errors import VaultRefused
from shared.runtime.logging import get_logger

_log = get_logger(__name__)

_MAPPED = frozenset({ItemErrorType.SAVE, ItemErrorType.MATCH})
"""Where a record fails that has been given its target values."""


def counts(outcome: Outcome | None, read: int) -> dict[str, int]:
    """What became of ``read`` records: ``read = skipped + written + failed``; all failed without an outcome."""
    if outcome is None:
        return {"read": read, "mapped": 0, "skipped": 0, "written": 0, "failed": read}
    written, failed = len(outcome.done), len(outcome.failures)
    mapped = written + sum(
        failure.error_type in _MAPPED for failure in outcome.failures.values()
    )
    return {
        "read": written + failed + len(outcome.skipped),
        "mapped": mapped,
        "skipped": len(outcome.skipped),
        "written": written,
        "failed": failed,
    }


async def report(
    client: VaultClient, batch: RunBatch, integration_point: str, result: dict[str, int]
) -> None:
    """Tell the Vault what a batch came to; raises VaultUnavailable."""
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

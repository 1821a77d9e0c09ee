"""Puts messages of reconciliations on the queue that connectors share: to compare a slice, or to transfer again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.spark.envelope import ReconciliationEvent
from shared.vault.errors import VaultFault
from shared.vault.integrations.run_job import inbound_queue
from shared.vault.queues.outbox import announce, put

if TYPE_CHECKING:
    from shared.spark.envelope import JsonValue
    from shared.vault.components.registry import Registry
    from shared.vault.integrations.reconciliation_model import Reconciliation
    from shared.vault.model.component_model import Queue
    from shared.vault.storage.database import Connection


async def announce_slice(
    connection: Connection, registry: Registry, stored: Reconciliation
) -> None:
    """Queue the message that makes a connector compare the next slice.

    :raises VaultFault: OPERATION_NOT_ALLOWED when no message of the connection can be sent.
    """
    queue, source = _route(registry, stored)
    attributes: dict[str, JsonValue] = {
        "event": ReconciliationEvent.SLICE.value,
        "reconciliation": stored.job_id,
        "source_vault_id": source,
    }
    await announce(connection, queue, attributes)


async def transfer_again(
    connection: Connection,
    registry: Registry,
    stored: Reconciliation,
    point: str,
    object_name: str,
    items: Sequence[str],
) -> None:
    """Queue messages that transfer source records of one object once more at an integration point (API name).

    :raises VaultFault: OPERATION_NOT_ALLOWED when no message of the connection can be sent.
    """
    queue, source = _route(registry, stored)
    attributes: dict[str, JsonValue] = {
        "object": object_name,
        "event": ReconciliationEvent.TRANSFER_AGAIN.value,
        "integration_point": point,
        "source_vault_id": source,
    }
    await put(connection, queue, attributes, items)


def _route(registry: Registry, stored: Reconciliation) -> tuple[Queue, int]:
    """Return the queue on which a connection's messages arrive, and the id of its source Vault."""
    queue = inbound_queue(registry, stored.connection)
    if queue is None or stored.source_vault is None:
        text = f"The connection [{stored.connection}] has no active inbound queue, or no Remote Vault ID"
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, text)
    return queue, stored.source_vault

"""Entry criteria of lifecycle states: which records may not enter, looked at in the transaction that moves them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.components.criteria_definitions import satisfied_query
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import EntryCriterion, LifecycleState
    from shared.vault.storage.database import Connection


async def unsatisfied(
    connection: Connection,
    registry: Registry,
    object_name: str,
    state: LifecycleState,
    ids: Sequence[str],
) -> Mapping[str, ApiError]:
    """The records (500 at most) that a criterion of the state does not hold of, each with the first that it fails.

    :raises VaultFault: OPERATION_NOT_ALLOWED when a criterion cannot be looked at.
    """
    refused: dict[str, ApiError] = {}
    for criterion in state.entry_criteria:
        left = [record_id for record_id in ids if record_id not in refused]
        if not left:
            break
        holds = await _satisfied(connection, registry, object_name, criterion, left)
        error = ApiError(ErrorType.OPERATION_NOT_ALLOWED, criterion.message)
        refused |= {record_id: error for record_id in left if record_id not in holds}
    return refused


async def _satisfied(
    connection: Connection,
    registry: Registry,
    object_name: str,
    criterion: EntryCriterion,
    ids: Sequence[str],
) -> set[str]:
    try:
        compiled = satisfied_query(criterion, object_name, registry, ids)
    except vql.VqlError as error:
        message = (
            f"Entry criterion [{criterion.name}] is no condition on [{object_name}]"
        )
        raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error
    sql, parameters = compiled.page(len(ids), 0)
    if compiled.deferred:
        parameters = vql.resolve(parameters, vql.Execution(datetime.now(UTC), {}, ""))
    return {row[0] for row in await connection.fetch(sql, *parameters)}

"""Checks records against the entry criteria of a state; a record that is refused learns all that it lacks at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.components.configured_queries import satisfied_query
from shared.vault.errors import ApiError, VaultFault

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import (
        EntryCriterion,
        LifecycleState,
        VaultObject,
    )
    from shared.vault.storage.database import Connection

NEEDED = "These fields need a value: "


async def unsatisfied(
    connection: Connection,
    registry: Registry,
    target: VaultObject,
    state: LifecycleState,
    ids: Sequence[str],
) -> Mapping[str, ApiError]:
    """Return the records (of at most 500) that fail entry criteria of the state, each with one error that names them.

    It sees what the transaction of ``connection`` has written so far.

    :raises VaultFault: OPERATION_NOT_ALLOWED when a criterion is not a valid condition on the object.
    """
    entering = _EnteringRecords(connection, registry, target.name, ids)
    complete = await entering.complete(state.entry_criteria)
    failed: dict[str, list[EntryCriterion]] = {}
    for criterion in state.entry_criteria:
        asked = ids
        if criterion.condition is not None:
            asked = await entering.concerned(criterion.condition)
        elif criterion.required_field is not None:
            asked = [record_id for record_id in ids if record_id not in complete]
        for record_id in await entering.failing(criterion, asked):
            failed.setdefault(record_id, []).append(criterion)
    errors: dict[str, ApiError] = {}
    for record_id, criteria in failed.items():
        message = failure_message(target, criteria)
        errors[record_id] = ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)
    return errors


def failure_message(target: VaultObject, criteria: Sequence[EntryCriterion]) -> str:
    """Return what a record lacks: the fields by label and name, then the messages of the other criteria."""
    fields: list[str] = []
    messages: list[str] = []
    for criterion in criteria:
        if criterion.message:
            messages.append(criterion.message)
        elif criterion.required_field is not None:
            fields.append(_described(target, criterion.required_field))
    if fields:
        # A field may be needed for several reasons.
        named = ", ".join(dict.fromkeys(fields))
        messages.insert(0, NEEDED + named)
    return "; ".join(messages)


def _described(target: VaultObject, name: str) -> str:
    """Return a field's label and name; the name alone of a field of another record."""
    field = target.fields.get(name)
    return f"[{name}]" if field is None else f"{field.label} [{name}]"


async def meeting(
    connection: Connection,
    registry: Registry,
    object_name: str,
    ids: Sequence[str],
    criteria: str,
) -> frozenset[str]:
    """Return those of the records that meet criteria in VQL, as configuration writes them.

    :raises VaultFault: OPERATION_NOT_ALLOWED when they are not VQL, or name what the object does not have.
    """
    records = _EnteringRecords(connection, registry, object_name, ids)
    return await records.meeting(criteria, ids)


class _EnteringRecords:
    """Evaluates criteria on the records that enter a state; queries nothing twice."""

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        object_name: str,
        ids: Sequence[str],
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._object = object_name
        self._ids = ids
        self._concerned: dict[str, list[str]] = {}

    async def complete(self, criteria: Sequence[EntryCriterion]) -> frozenset[str]:
        """Return the records that have all the fields that are required of every record."""
        texts = [
            criterion.criteria
            for criterion in criteria
            if criterion.required_field is not None and criterion.condition is None
        ]
        # One query for what nearly all records meet, in place of one for each field.
        if not texts:
            return frozenset()
        return await self.meeting(" AND ".join(texts), self._ids)

    async def concerned(self, condition: str) -> list[str]:
        """Return the records that a criterion with this condition is asked of."""
        if condition not in self._concerned:
            met = await self.meeting(condition, self._ids)
            self._concerned[condition] = [each for each in self._ids if each in met]
        return self._concerned[condition]

    async def failing(
        self,
        criterion: EntryCriterion,
        asked: Sequence[str],
    ) -> list[str]:
        """Return those of some records that do not meet the criterion."""
        met = await self.meeting(criterion.criteria, asked)
        return [record_id for record_id in asked if record_id not in met]

    async def meeting(self, text: str, ids: Sequence[str]) -> frozenset[str]:
        """Return those of the records that meet criteria in VQL.

        :raises VaultFault: OPERATION_NOT_ALLOWED when they are not VQL, or name what the object does not have.
        """
        if not ids:
            return frozenset()
        try:
            compiled = satisfied_query(text, self._object, self._registry, ids)
        except vql.VqlError as error:
            message = f"Criteria of the configuration are no condition on [{self._object}]: {error}"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error
        sql, parameters = compiled.page(len(ids), 0)
        if compiled.deferred:
            # Times like now() are those of the moment at which the statement runs.
            execution = vql.Execution(datetime.now(UTC), {}, "")
            parameters = vql.resolve(parameters, execution)
        rows = await self._connection.fetch(sql, *parameters)
        return frozenset(row[0] for row in rows)

"""Checks records against the entry criteria of a state; a refused record gets one error with everything it lacks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.components.configured_queries import satisfied_query, value_query
from shared.vault.errors import ApiError, VaultFault
from shared.vault.model.component_model import ValueFormat
from shared.vault.records.email_addresses import is_one_address

if TYPE_CHECKING:
    from asyncpg import Record

    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import (
        EntryCriterion,
        LifecycleState,
        VaultObject,
    )
    from shared.vault.storage.database import Connection

NEEDED = "These fields need a value: "
# Of a telephone number: fewer are reached inside one building only.
LEAST_DIGITS = 5
BETWEEN_DIGITS = "+()-./,;:#*"


async def unsatisfied(
    connection: Connection,
    registry: Registry,
    target: VaultObject,
    state: LifecycleState,
    ids: Sequence[str],
) -> Mapping[str, ApiError]:
    """Return an error for each record (of at most 500) that fails entry criteria of the state, with all that it lacks.

    The criteria see what the transaction of ``connection`` has written so far.

    :raises VaultFault: OPERATION_NOT_ALLOWED when a criterion is not a valid condition on the object.
    """
    entering = _EnteringRecords(connection, registry, target.name, ids)
    complete = await entering.complete(state.entry_criteria)
    failed: dict[str, list[EntryCriterion]] = {}
    malformed: dict[str, list[EntryCriterion]] = {}
    for criterion in state.entry_criteria:
        concerned = ids
        if criterion.condition is not None:
            concerned = await entering.concerned(criterion.condition)
        for record_id in await entering.malformed(criterion, concerned):
            malformed.setdefault(record_id, []).append(criterion)
        if criterion.condition is None and criterion.required_field is not None:
            concerned = [record_id for record_id in ids if record_id not in complete]
        for record_id in await entering.failing(criterion, concerned):
            failed.setdefault(record_id, []).append(criterion)
    errors: dict[str, ApiError] = {}
    for record_id in {**failed, **malformed}:
        message = failure_message(
            target, failed.get(record_id, ()), malformed.get(record_id, ())
        )
        errors[record_id] = ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)
    return errors


def failure_message(
    target: VaultObject,
    criteria: Sequence[EntryCriterion],
    malformed: Sequence[EntryCriterion] = (),
) -> str:
    """Return the message of a failed record: missing fields by label and name, then the messages of other criteria.

    ``malformed`` are the criteria whose field has a value in the wrong format.
    """
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
    messages += [_format_message(target, criterion) for criterion in malformed]
    return "; ".join(messages)


def _format_message(target: VaultObject, criterion: EntryCriterion) -> str:
    """Return the message for a value in the wrong format; the configuration's own, if set."""
    if criterion.message or criterion.value_format is None:
        return criterion.message
    described = _described(target, criterion.required_field or "")
    match criterion.value_format:
        case ValueFormat.EMAIL:
            return f"{described} must be exactly one e-mail address"
        case ValueFormat.PHONE:
            return f"{described} must be a telephone number"
        case _:
            assert_never(criterion.value_format)


def has_format(value_format: ValueFormat, value: str) -> bool:
    """Return whether a value has the demanded format."""
    match value_format:
        case ValueFormat.EMAIL:
            return is_one_address(value)
        case ValueFormat.PHONE:
            return _is_phone_number(value)
        case _:
            assert_never(value_format)


def _described(target: VaultObject, name: str) -> str:
    """Return a field's label and name; the name alone of a field of another record."""
    field = target.fields.get(name)
    return f"[{name}]" if field is None else f"{field.label} [{name}]"


def _is_phone_number(value: str) -> bool:
    """Return whether a value is digits with the usual separators and words of phone numbers, such as ``ext.``."""
    digits = sum(map(str.isdigit, value))
    others = value.casefold().replace("ext", "").replace("x", "")
    fits = (
        each.isdigit() or each.isspace() or each in BETWEEN_DIGITS for each in others
    )
    return digits >= LEAST_DIGITS and all(fits)


async def meeting(
    connection: Connection,
    registry: Registry,
    object_name: str,
    ids: Sequence[str],
    criteria: str,
    targets: Mapping[str, vql.Target] | None = None,
) -> frozenset[str]:
    """Return the records among ``ids`` that meet criteria in VQL, as configuration writes them.

    ``targets`` has ``documents`` where the records are documents.

    :raises VaultFault: OPERATION_NOT_ALLOWED when the criteria are not VQL, or name fields that the object does not
        have.
    """
    records = _EnteringRecords(connection, registry, object_name, ids, targets)
    return await records.meeting(criteria, ids)


class _EnteringRecords:
    """Evaluates criteria on the records that enter a state, each condition once."""

    def __init__(
        self,
        connection: Connection,
        registry: Registry,
        object_name: str,
        ids: Sequence[str],
        targets: Mapping[str, vql.Target] | None = None,
    ) -> None:
        self._connection = connection
        self._registry = registry
        self._object = object_name
        self._ids = ids
        self._targets = targets or {}
        self._concerned: dict[str, list[str]] = {}

    async def complete(self, criteria: Sequence[EntryCriterion]) -> frozenset[str]:
        """Return the records in which every field that unconditional criteria require has a value."""
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
        """Return the records to which a criterion with this condition applies."""
        if condition not in self._concerned:
            met = await self.meeting(condition, self._ids)
            self._concerned[condition] = [each for each in self._ids if each in met]
        return self._concerned[condition]

    async def failing(
        self,
        criterion: EntryCriterion,
        ids: Sequence[str],
    ) -> list[str]:
        """Return the records among ``ids`` that do not meet the criterion."""
        met = await self.meeting(criterion.criteria, ids)
        return [record_id for record_id in ids if record_id not in met]

    async def malformed(
        self,
        criterion: EntryCriterion,
        ids: Sequence[str],
    ) -> list[str]:
        """Return the records among ``ids`` whose field has a value in another format than the criterion demands."""
        value_format, field = criterion.value_format, criterion.required_field
        if value_format is None or field is None:
            return []
        rows = await self._rows(value_query, field, ids)
        # The columns after these two are those that pages are ordered by.
        values = {str(row[0]): row[1] for row in rows}
        return [
            record_id
            for record_id, value in values.items()
            if value and not has_format(value_format, str(value))
        ]

    async def meeting(self, text: str, ids: Sequence[str]) -> frozenset[str]:
        """Return the records among ``ids`` that meet criteria in VQL.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the criteria are not VQL, or name fields that the object does not
            have.
        """
        rows = await self._rows(satisfied_query, text, ids)
        # The id of a document is a number in its rows.
        return frozenset(str(row[0]) for row in rows)

    async def _rows(
        self,
        query: Callable[..., vql.CompiledQuery],
        text: str,
        ids: Sequence[str],
    ) -> Sequence[Record]:
        """Compile a configured text into a query about records, and return its rows.

        :raises VaultFault: OPERATION_NOT_ALLOWED when the text is not VQL, or names fields that the object does not
            have.
        """
        if not ids:
            return []
        try:
            compiled = query(text, self._object, self._registry, ids, self._targets)
        except vql.VqlError as error:
            message = f"Criteria of the configuration are not a valid condition on [{self._object}]: {error}"
            raise VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message) from error
        sql, parameters = compiled.page(len(ids), 0)
        if compiled.deferred:
            # Times like now() are those of the moment at which the statement runs.
            execution = vql.Execution(datetime.now(UTC), {}, "")
            parameters = vql.resolve(parameters, execution)
        return await self._connection.fetch(sql, *parameters)

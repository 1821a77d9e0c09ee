"""Checks records against the entry criteria of a state; a refused record gets one error with everything it lacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, assert_never

from shared.protocol.error_types import ErrorType
from shared.vault import vql
from shared.vault.components.configured_queries import criteria_query, satisfied_query
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
    await entering.check(state.entry_criteria)
    failed, malformed = entering.failed, entering.malformed
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
    if not ids:
        return frozenset()
    try:
        compiled = satisfied_query(criteria, object_name, registry, ids, targets or {})
    except vql.VqlError as error:
        raise _invalid(object_name, error) from error
    rows = await _rows(connection, compiled, len(ids))
    # The id of a document is a number in its rows.
    return frozenset(str(row[0]) for row in rows)


Records = Sequence[tuple[str, "Record | tuple[None, ...]"]]
"""Ids of records with the answers about each."""


class _EnteringRecords:
    """Checks criteria on the records that enter a state, and collects those that each record does not meet.

    ``malformed`` has the criteria whose field has a value in another format than they demand.
    """

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
        self.failed: dict[str, list[EntryCriterion]] = {}
        self.malformed: dict[str, list[EntryCriterion]] = {}

    async def check(self, criteria: Sequence[EntryCriterion]) -> None:
        """Check criteria by one statement, or by several if one would be larger than this Vault accepts.

        :raises VaultFault: OPERATION_NOT_ALLOWED when a criterion is not a valid condition on the object.
        """
        if not criteria or not self._ids:
            return
        fields = _formatted_fields(criteria)
        tests = _conditions(criteria)
        try:
            compiled = criteria_query(
                tests, fields, self._object, self._registry, self._ids
            )
        except vql.VqlError as error:
            too_large = isinstance(error, vql.VqlLimitError) and len(criteria) > 1
            if not too_large:
                raise _invalid(self._object, error) from error
            middle = len(criteria) // 2
            await self.check(criteria[:middle])
            await self.check(criteria[middle:])
            return
        rows = await _rows(self._connection, compiled, len(self._ids))
        names = [*dict.fromkeys(["id", *fields]), *tests]
        columns = {name: number for number, name in enumerate(names)}
        found = {row[0]: row for row in rows}
        # A record that is gone meets nothing.
        nothing = (None,) * len(names)
        records: Records = [(each, found.get(each, nothing)) for each in self._ids]
        for criterion in criteria:
            self._compare(criterion, columns, records)

    def _compare(
        self,
        criterion: EntryCriterion,
        columns: Mapping[str, int],
        records: Records,
    ) -> None:
        """Add the records to which a criterion applies, and which do not meet it."""
        condition, meets = criterion.condition, columns[criterion.criteria]
        if condition is not None:
            applies = columns[condition]
            records = [each for each in records if each[1][applies]]
        for record_id, row in records:
            if not row[meets]:
                self.failed.setdefault(record_id, []).append(criterion)
        value_format, field = criterion.value_format, criterion.required_field
        if value_format is None or field is None:
            return
        place = columns[field]
        for record_id, row in records:
            value = row[place]
            if value and not has_format(value_format, str(value)):
                self.malformed.setdefault(record_id, []).append(criterion)


def _formatted_fields(criteria: Sequence[EntryCriterion]) -> Sequence[str]:
    """Return the fields whose values have to have a format, each once."""
    fields = [
        criterion.required_field
        for criterion in criteria
        if criterion.value_format is not None and criterion.required_field is not None
    ]
    return list(dict.fromkeys(fields))


def _conditions(criteria: Sequence[EntryCriterion]) -> Sequence[str]:
    """Return all that is asked about each record, each once: criteria, and conditions on which they apply."""
    texts = [criterion.condition for criterion in criteria if criterion.condition]
    return list(dict.fromkeys([*texts, *(each.criteria for each in criteria)]))


def _invalid(object_name: str, error: vql.VqlError) -> VaultFault:
    message = f"Criteria of the configuration are not a valid condition on [{object_name}]: {error}"
    return VaultFault(ErrorType.OPERATION_NOT_ALLOWED, message)


async def _rows(
    connection: Connection, compiled: vql.CompiledQuery, count: int
) -> Sequence[Record]:
    """Return the rows of a configured query about so many records."""
    sql, parameters = compiled.page(count, 0)
    if compiled.deferred:
        # Times like now() are those of the moment at which the statement runs.
        execution = vql.Execution(datetime.now(UTC), {}, "")
        parameters = vql.resolve(parameters, execution)
    return await connection.fetch(sql, *parameters)

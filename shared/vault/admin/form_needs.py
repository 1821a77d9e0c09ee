"""Finds the fields that the entry criteria of a state require of a form, and the criteria not yet met; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.protocol.error_types import ErrorType
from shared.vault.errors import ApiError
from shared.vault.records.state_criteria import failure_message, has_format
from shared.vault.vql import VqlError, parse_criteria
from shared.vault.vql.syntax_tree import And, Comparison, Contains, Operator, Or

if TYPE_CHECKING:
    from shared.vault.model.component_model import EntryCriterion, VaultObject
    from shared.vault.vql.syntax_tree import Expression, Operand

EMPTY = "It needs a value before this can be sent."

Values = Mapping[str, str]
"""The values of a form by field; empty for a field without a value."""


@dataclass(frozen=True, slots=True)
class UnmetCriteria:
    """Entry criteria that are not met: those whose field has no value, and those whose value has another format."""

    missing: tuple[EntryCriterion, ...]
    malformed: tuple[EntryCriterion, ...]

    def __bool__(self) -> bool:
        """Return whether any criterion is not met."""
        return bool(self.missing or self.malformed)

    def error(self, target: VaultObject) -> ApiError:
        """Return the error with which the service would refuse the record."""
        message = failure_message(target, self.missing, self.malformed)
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)

    def texts_by_field(self, target: VaultObject) -> dict[str, str]:
        """Return the error text of each field that does not meet a criterion, by field name."""
        texts = {each.required_field or "": EMPTY for each in self.missing}
        for each in self.malformed:
            texts[each.required_field or ""] = failure_message(target, (), (each,))
        return texts


def applicable_criteria(
    criteria: Iterable[EntryCriterion], values: Values
) -> list[EntryCriterion]:
    """Return the criteria that require a field, and whose condition is true of the values in the form."""
    return [
        each
        for each in criteria
        if each.required_field is not None and _applies(each.condition, values)
    ]


def unmet_criteria(criteria: Iterable[EntryCriterion], values: Values) -> UnmetCriteria:
    """Return the criteria that the values do not meet."""
    applicable = applicable_criteria(criteria, values)
    missing = [each for each in applicable if not _value(each, values)]
    malformed = [
        each
        for each in applicable
        if each.value_format is not None
        and (value := _value(each, values))
        and not has_format(each.value_format, value)
    ]
    return UnmetCriteria(tuple(missing), tuple(malformed))


def _value(criterion: EntryCriterion, values: Values) -> str:
    return values.get(criterion.required_field or "", "").strip()


def _applies(condition: str | None, values: Values) -> bool:
    """Return whether a criterion applies to the values: without a condition, or when its condition is true of them."""
    if condition is None:
        return True
    try:
        expression = parse_criteria(condition).expression
    except VqlError:
        # The service reports the invalid condition when the record enters the state.
        return False
    return condition_result(expression, values) is True


def condition_result(expression: Expression, values: Values) -> bool | None:
    """Return whether a condition is true of the values; None when the form's values do not decide it."""
    match expression:
        case And(terms):
            results = [condition_result(term, values) for term in terms]
            return False if False in results else _common_result(results)
        case Or(terms):
            results = [condition_result(term, values) for term in terms]
            return True if True in results else _common_result(results)
        case Contains(operand, wanted, _):
            value = _operand_value(operand, values)
            return None if value is None else value in wanted
        case Comparison(operand, Operator.EQUAL, wanted, _):
            value = _operand_value(operand, values)
            return None if value is None else value == (wanted or "")
        case Comparison(operand, Operator.NOT_EQUAL, None, _):
            value = _operand_value(operand, values)
            return None if value is None else value != ""
        case _:
            return None


def _common_result(results: Sequence[bool | None]) -> bool | None:
    """Return the common result of terms that are all True or all False; None when the result of any is unknown."""
    return None if None in results else results[0]


def _operand_value(operand: Operand, values: Values) -> str | None:
    """Return the form's value of an operand; None when the form has none, as for fields of related records."""
    plain = operand.function is None and len(operand.path.parts) == 1
    return values.get(operand.path.text) if plain else None

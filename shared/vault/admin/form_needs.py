"""Says which fields of a form the entry criteria of a state ask for, and what its values still lack; pure."""

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
"""What is in a form, by field; empty for a field without a value."""


@dataclass(frozen=True, slots=True)
class Lack:
    """The criteria whose fields have no value, and those whose values are not what they have to be."""

    missing: tuple[EntryCriterion, ...]
    malformed: tuple[EntryCriterion, ...]

    def __bool__(self) -> bool:
        """Return whether anything is lacking."""
        return bool(self.missing or self.malformed)

    def error(self, target: VaultObject) -> ApiError:
        """Return all of it as one error, as the record would be refused with."""
        message = failure_message(target, self.missing, self.malformed)
        return ApiError(ErrorType.OPERATION_NOT_ALLOWED, message)

    def at_fields(self, target: VaultObject) -> dict[str, str]:
        """Return what is to be said at each field."""
        said = {each.required_field or "": EMPTY for each in self.missing}
        for each in self.malformed:
            said[each.required_field or ""] = failure_message(target, (), (each,))
        return said


def needed(criteria: Iterable[EntryCriterion], values: Values) -> list[EntryCriterion]:
    """Return the criteria that ask for a field, as far as the values in the form tell."""
    return [
        each
        for each in criteria
        if each.required_field is not None and _concerns(each.condition, values)
    ]


def lack_of(criteria: Iterable[EntryCriterion], values: Values) -> Lack:
    """Return what the values lack of what the criteria ask for."""
    asked = needed(criteria, values)
    missing = [each for each in asked if not _value(each, values)]
    malformed = [
        each
        for each in asked
        if each.value_format is not None
        and (value := _value(each, values))
        and not has_format(each.value_format, value)
    ]
    return Lack(tuple(missing), tuple(malformed))


def _value(criterion: EntryCriterion, values: Values) -> str:
    return values.get(criterion.required_field or "", "").strip()


def _concerns(condition: str | None, values: Values) -> bool:
    """Return whether a criterion is asked of these values; not where only the stored record could tell."""
    if condition is None:
        return True
    try:
        expression = parse_criteria(condition).expression
    except VqlError:
        # The service says so of the record itself.
        return False
    return holds(expression, values) is True


def holds(expression: Expression, values: Values) -> bool | None:
    """Return whether a condition holds for the values; None where they do not tell."""
    match expression:
        case And(terms):
            told = [holds(term, values) for term in terms]
            return False if False in told else _all_told(told)
        case Or(terms):
            told = [holds(term, values) for term in terms]
            return True if True in told else _all_told(told)
        case Contains(operand, wanted, _):
            value = _of(operand, values)
            return None if value is None else value in wanted
        case Comparison(operand, Operator.EQUAL, wanted, _):
            value = _of(operand, values)
            return None if value is None else value == (wanted or "")
        case Comparison(operand, Operator.NOT_EQUAL, None, _):
            value = _of(operand, values)
            return None if value is None else value != ""
        case _:
            return None


def _all_told(told: Sequence[bool | None]) -> bool | None:
    """Return the value that all of some terms have; None where one of them is not known."""
    return None if None in told else told[0]


def _of(operand: Operand, values: Values) -> str | None:
    """Return the value of a field of the record itself; None for any other operand."""
    plain = operand.function is None and len(operand.path.parts) == 1
    return values.get(operand.path.text) if plain else None

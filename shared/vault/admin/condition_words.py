"""Says conditions of a record in words, with the labels of its fields and their values; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.vault.vql import VqlError, parse_criteria
from shared.vault.vql.syntax_tree import And, Comparison, Contains, Operator, Or

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry
    from shared.vault.model.component_model import Field, VaultObject
    from shared.vault.vql.syntax_tree import Expression, Literal, Operand


def condition_words(condition: str, target: VaultObject, registry: Registry) -> str:
    """Return a condition on a record of an object in words; empty for a condition that has none here."""
    try:
        expression = parse_criteria(condition).expression
    except VqlError:
        return ""
    return _words(expression, target, registry)


def _words(expression: Expression, target: VaultObject, registry: Registry) -> str:
    match expression:
        case And(terms):
            return _joined([_words(each, target, registry) for each in terms], " and ")
        case Or(terms) if not any(isinstance(each, And) for each in terms):
            return _joined([_words(each, target, registry) for each in terms], " or ")
        case Contains(operand, values, _):
            field = _field(operand, target)
            if field is None:
                return ""
            labels = [_label(each, field, registry) for each in values]
            return _joined([f"{field.label} is", _joined(labels, " or ")], " ")
        case Comparison(operand, operator, value, _):
            field = _field(operand, target)
            return _comparison(field, operator, value, registry) if field else ""
        case _:
            return ""


def _joined(texts: list[str], conjunction: str) -> str:
    """Return texts joined by a conjunction; empty when one of them is empty."""
    return conjunction.join(texts) if all(texts) else ""


def _comparison(
    field: Field, operator: Operator, value: Literal, registry: Registry
) -> str:
    verbs = {Operator.EQUAL: "is", Operator.NOT_EQUAL: "is not"}
    label = "empty" if value is None else _label(value, field, registry)
    return _joined([field.label, verbs.get(operator, ""), label], " ")


def _field(operand: Operand, target: VaultObject) -> Field | None:
    """Return the field of the object that an operand is; None for functions and fields of related records."""
    if operand.function is not None:
        return None
    return target.fields.get(operand.path.text)


def _label(value: Literal, field: Field, registry: Registry) -> str:
    """Return the label of a value of a picklist, or another text as it is written; empty for any other value."""
    if not isinstance(value, str):
        return ""
    picklist = registry.picklists.get(field.picklist or "")
    entry = picklist.entries.get(value) if picklist else None
    return entry.label if entry else value

"""Compiles conditions on the states of records and documents by the types of states."""

from __future__ import annotations

from shared.protocol.error_types import ErrorType
from shared.vault.model.component_model import state_type_name
from shared.vault.vql.functions import Function
from shared.vault.vql.operands import LeftSide
from shared.vault.vql.resolve import Scope
from shared.vault.vql.syntax_tree import (
    Comparison,
    Operator,
    Path,
    StateFunction,
    StateType,
)

EQUALITY = frozenset((Operator.EQUAL, Operator.NOT_EQUAL))
_STATES_EQUAL = "functions of states go with = and != only"


def in_states_of_type(
    left: LeftSide,
    condition: Comparison,
    value: StateType,
) -> str:
    """Return the condition that a record is in a state of a type.

    :raises VqlNameError: the field is not a state, or the operator is not = or !=.
    """
    if condition.operator not in EQUALITY:
        raise left.unsuitable(_STATES_EQUAL, condition.at)
    registry = left.scope.statement.registry
    lifecycle = registry.lifecycles.get(left.owner.lifecycle or "")
    if left.field.name != "state__v" or lifecycle is None or left.label:
        message = "STATETYPE goes with state__v of objects that have a lifecycle"
        raise left.unsuitable(message, condition.at)
    wanted = state_type_name(value.name)
    states = lifecycle.states.values()
    names = [state.name for state in states if state.state_type == wanted]
    return _among(left.scope, left.sql, condition.operator, names)


def in_document_states(
    scope: Scope,
    condition: Comparison,
    value: StateFunction,
) -> str:
    """Return the condition that a document is in one of the states that a function names.

    It compares two fields, lifecycle and status.

    :raises VqlNameError: the field is not a document's state, or the operator is not = or !=.
    """
    operand = condition.operand
    path, function = scope.aliased(operand.path, operand.function)
    status, field, owner = scope.column(path)
    target = scope.statement.targets.get(owner.name)
    if target is None or not target.documents:
        message = f"function [{value.name}] is for queries of documents"
        raise scope.statement.fault(message, path.at, ErrorType.ATTRIBUTE_NOT_SUPPORTED)
    if field.name != "status__v" or function not in (None, Function.TONAME):
        message = f"{value.name} goes with status__v"
        raise scope.statement.fault(message, condition.at)
    if condition.operator not in EQUALITY:
        raise scope.statement.fault(_STATES_EQUAL, condition.at)
    # A state counts with its lifecycle: those of the same name in two lifecycles may be of different types.
    lifecycle_path = Path((*path.parts[:-1], "lifecycle__v"), condition.at)
    lifecycle = scope.column(lifecycle_path).sql
    names = list(target.states.get(value.name, ()))
    state = f"concat_ws('.', {lifecycle}, {status})"
    return _among(scope, state, condition.operator, names)


def _among(
    scope: Scope,
    sql: str,
    operator: Operator,
    names: list[str],
) -> str:
    holder = scope.statement.bind(names, "text[]")
    found = f"{sql} = ANY({holder})"
    return found if operator is Operator.EQUAL else f"({found}) IS NOT TRUE"

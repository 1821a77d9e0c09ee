"""Decides by the values of a record whether a named action would change nothing of it, or be refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from shared.vault.connections.connection_rules import activation_refused
from shared.vault.exceptions.exception_model import ERROR_STATUS, SETTLED
from shared.vault.fulfillment.fulfillment_model import (
    LINK,
    MAKE_PACKAGE,
    REVOKE_PACKAGE,
)

Values = Mapping[str, object]
"""The values of a record, as the API shows them."""

IsIneffective = Callable[[Values, int], bool]
"""Takes the values of a record and the id of the user who would run the action."""


def only_value(values: Values, field: str) -> object:
    """Return the value of a field; of a picklist, which the API shows as a list, its first value.

    None for a field without a value.
    """
    value = values.get(field)
    if isinstance(value, list):
        return value[0] if value else None
    return value


def _settled(values: Values, _user: int) -> bool:
    return only_value(values, ERROR_STATUS) in SETTLED


INEFFECTIVE_ACTIONS: Mapping[str, IsIneffective] = {
    "activate_connection": lambda values, _user: activation_refused(values),
    "retry_transfer": _settled,
    "ignore": _settled,
    MAKE_PACKAGE: lambda values, _user: bool(values.get(LINK)),
    REVOKE_PACKAGE: lambda values, _user: not values.get(LINK),
}
"""Functions by named action, for the actions that every Vault has."""

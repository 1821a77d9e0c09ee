"""Columns ``{role}.users`` and ``{role}.groups`` of a call's rows: told from fields, and turned into ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from shared.vault.records.field_values import InvalidValue

if TYPE_CHECKING:
    from shared.vault.components.registry import Registry

USERS, GROUPS = "users", "groups"
STANDARD_ROLES = frozenset({"owner__v", "editor__v", "viewer__v"})
MAX_ASSIGNED = 1000  # users or groups in one column of a row

Assignments = Mapping[tuple[str, str], frozenset[int]]
"""Ids of users or groups by role and kind (``users``, ``groups``)."""


def roles_of(registry: Registry) -> frozenset[str]:
    """The roles there are on records: the standard ones, and the active Applicationrole components."""
    declared = {
        component.name
        for component in registry.components.values()
        if component.type == "Applicationrole" and component.flag("active", True)
    }
    return STANDARD_ROLES | declared


def split_roles(
    rows: Sequence[Mapping[str, object]], roles: Collection[str]
) -> tuple[list[dict[str, object]], list[dict[tuple[str, str], object]]]:
    """The rows without their role columns, and these by role and kind, as they came."""
    fields: list[dict[str, object]] = []
    columns: list[dict[tuple[str, str], object]] = []
    for row in rows:
        own: dict[str, object] = {}
        given: dict[tuple[str, str], object] = {}
        for name, value in row.items():
            role, _, kind = name.rpartition(".")
            if kind in (USERS, GROUPS) and role in roles:
                given[role, kind] = value
            else:
                own[name] = value
        fields.append(own)
        columns.append(given)
    return fields, columns


def read_assignments(columns: Mapping[tuple[str, str], object]) -> Assignments:
    """The ids in a row's role columns: a list, or text with commas between; none for an empty one.

    :raises InvalidValue: when they are anything else, or too many.
    """
    return {
        (role, kind): _ids(value, f"{role}.{kind}")
        for (role, kind), value in columns.items()
    }


def _ids(value: object, column: str) -> frozenset[int]:
    items: Iterable[object] = (
        value
        if isinstance(value, list)
        else str("" if value is None else value).split(",")
    )
    texts = [text for item in items if (text := str(item).strip())]
    if len(texts) > MAX_ASSIGNED or not all(
        text.isascii() and text.isdigit() and len(text) <= 18 for text in texts
    ):
        raise InvalidValue(
            f"[{column}] takes ids separated by commas, at most {MAX_ASSIGNED}"
        )
    return frozenset(map(int, texts))

"""Checks changes of integration rules: the locks of a delivered rule, and filters that are VQL."""

from __future__ import annotations

from collections.abc import Iterator

from shared.vault import vql
from shared.vault.components.component_errors import Code, ComponentError
from shared.vault.components.component_kinds import ComponentKind, PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.types import COMPONENT_TYPES

__all__ = ["RULE", "check_rule_change", "locked_attributes"]

RULE = ComponentKind.INTEGRATION_RULE
LOCK_ACTIVATION = "lock_activation"
LOCK_DEFAULTS = "lock_defaults"
_LOCKS = (LOCK_ACTIVATION, LOCK_DEFAULTS)
_CUSTOM = "__c"
_ACTIVE = "active"
_FREE = frozenset({_ACTIVE, "label"})
"""What is no content: LOCK_DEFAULTS leaves it free."""


def check_rule_change(before: Component | None, after: Component | None) -> None:
    """Check what becomes of a rule; ``before`` is None for a new one, ``after`` for one that is dropped.

    :raises ComponentError: if a lock of the rule forbids it, or a filter clause is no condition.
    """
    if before is not None:
        _check_locks(before, after)
    for part in (
        after.children_of(PartKind.QUERY_OBJECT_RULE) if after is not None else ()
    ):
        _check_filter(
            part, f"{RULE}.{after.name if after else ''}: Queryobjectrule {part.name}"
        )


def locked_attributes(rule: Component, part: Component) -> frozenset[str]:
    """Return the attributes of a rule, or of a part of it, that its locks keep as they are."""
    if part is not rule and not _delivered(part):
        return frozenset()
    kind = (
        COMPONENT_TYPES[RULE]
        if part is rule
        else COMPONENT_TYPES[RULE].subtypes[part.type]
    )
    locked = {lock for lock in _LOCKS if rule.flag(lock)} & kind.attributes.keys()
    if rule.flag(LOCK_ACTIVATION):
        locked.add(_ACTIVE)
    if rule.flag(LOCK_DEFAULTS):
        locked |= kind.attributes.keys() - _FREE
    return frozenset(locked)


def _check_filter(part: Component, path: str) -> None:
    clause = part.text("filter_clause").strip()
    if not clause:
        return
    try:
        vql.parse_criteria(clause)
    except vql.VqlError as error:
        raise ComponentError(f"{path}: filter_clause: {error}") from error


def _check_locks(before: Component, after: Component | None) -> None:
    path = f"{RULE}.{before.name}"
    locks = [lock for lock in _LOCKS if before.flag(lock)]
    if not locks:
        return
    if after is None:
        raise _locked(f"{path} cannot be dropped: {locks[0]} is set.")
    if any(not after.flag(lock) for lock in locks):
        raise _locked(f"{path}: {' and '.join(locks)} cannot be taken away.")
    if LOCK_ACTIVATION in locks and _activity(before) != _activity(after, before):
        raise _locked(
            f"{path}: lock_activation forbids to activate or inactivate it or its delivered parts."
        )
    if LOCK_DEFAULTS in locks:
        changed = next(_changed(before, after), None)
        if changed is not None:
            raise _locked(
                f"{path}: lock_defaults forbids to change {changed}; add parts of your own ({_CUSTOM})."
            )


def _activity(rule: Component, delivered: Component | None = None) -> dict[str, bool]:
    """Return whether the rule, under the key ``""``, and each of its delivered parts is active; one that is gone is not."""
    parts = {
        f"{part.type} {part.name}": part.flag(_ACTIVE, True)
        for part in rule.children
        if _delivered(part)
    }
    for part in delivered.children if delivered is not None else ():
        if _delivered(part):
            parts.setdefault(f"{part.type} {part.name}", False)
    return {"": rule.flag(_ACTIVE, True), **parts}


def _changed(before: Component, after: Component) -> Iterator[str]:
    """Yield the names of delivered parts that have changed, apart from their activity."""
    if _content(before) != _content(after):
        yield "the rule's own attributes"
    for part in before.children:
        now = after.child(part.type, part.name)
        if _delivered(part) and (now is None or _content(part) != _content(now)):
            yield f"{part.type} {part.name}"


def _content(part: Component) -> dict[str, object]:
    return {
        name: values for name, values in part.attributes.items() if name not in _FREE
    }


def _delivered(part: Component) -> bool:
    return not part.name.endswith(_CUSTOM)


def _locked(text: str) -> ComponentError:
    return ComponentError(text, Code.LOCKED)

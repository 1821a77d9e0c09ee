"""Checks that changes of integration rules respect the locks of delivered rules, and that filters are VQL."""

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
# Attributes that LOCK_DEFAULTS leaves free.
_FREE = frozenset({_ACTIVE, "label"})


def check_rule_change(
    before: Component | None,
    after: Component | None,
) -> None:
    """Check a change of a rule; ``before`` is None for a new rule, ``after`` for a dropped one.

    :raises ComponentError: LOCKED if a lock of the rule forbids the change, INVALID_ATTRIBUTE if a filter is not VQL.
    """
    if before is not None:
        _check_locks(before, after)
    if after is None:
        return
    for part in after.children_of(PartKind.QUERY_OBJECT_RULE):
        _check_filter(part, f"{after.full_name}: {part.type} {part.name}")


def locked_attributes(
    rule: Component,
    part: Component,
) -> frozenset[str]:
    """Return the attributes of a rule, or of a part of it, that its locks protect."""
    if part is not rule and not _delivered(part):
        return frozenset()
    rule_type = COMPONENT_TYPES[RULE]
    part_type = rule_type if part is rule else rule_type.subtypes[part.type]
    names = part_type.attributes.keys()
    # A lock cannot be removed: it locks itself.
    locked = {lock for lock in _LOCKS if rule.flag(lock)} & names
    if rule.flag(LOCK_ACTIVATION):
        locked.add(_ACTIVE)
    if rule.flag(LOCK_DEFAULTS):
        locked |= names - _FREE
    return frozenset(locked)


def _check_filter(part: Component, path: str) -> None:
    clause = part.text("filter_clause").strip()
    if not clause:
        return
    try:
        vql.parse_criteria(clause)
    except vql.VqlError as error:
        raise ComponentError(f"{path}: filter_clause: {error}") from error


def _check_locks(
    before: Component,
    after: Component | None,
) -> None:
    path = before.full_name
    locks = [lock for lock in _LOCKS if before.flag(lock)]
    if not locks:
        return
    if after is None:
        raise _locked(f"{path} cannot be dropped: {locks[0]} is set.")
    if not all(after.flag(lock) for lock in locks):
        names = " and ".join(locks)
        raise _locked(f"{path}: {names} cannot be removed.")
    if LOCK_ACTIVATION in locks and _activity(before) != _activity(after, before):
        message = "lock_activation forbids activating or inactivating the rule or its delivered parts."
        raise _locked(f"{path}: {message}")
    if LOCK_DEFAULTS not in locks:
        return
    for changed in _changed(before, after):
        message = f"lock_defaults forbids changing {changed}; add parts of your own ({_CUSTOM})."
        raise _locked(f"{path}: {message}")


def _activity(
    rule: Component,
    former: Component | None = None,
) -> dict[str, bool]:
    """Return whether each of the rule's delivered parts is active, by part; the rule itself has the key ``""``.

    A delivered part that ``former`` has and the rule lacks is not active.
    """
    active = {"": rule.flag(_ACTIVE, True)}
    for part in rule.children:
        if _delivered(part):
            active[f"{part.type} {part.name}"] = part.flag(_ACTIVE, True)
    for part in former.children if former is not None else ():
        if _delivered(part):
            active.setdefault(f"{part.type} {part.name}", False)
    return active


def _changed(
    before: Component,
    after: Component,
) -> Iterator[str]:
    """Yield the names of delivered parts that have changed in more than their ``active`` flag."""
    if _content(before) != _content(after):
        yield "the rule's own attributes"
    for part in before.children:
        if not _delivered(part):
            continue
        now = after.child(part.type, part.name)
        if now is None or _content(part) != _content(now):
            yield f"{part.type} {part.name}"


def _content(part: Component) -> dict[str, object]:
    attributes = part.attributes.items()
    return {name: values for name, values in attributes if name not in _FREE}


def _delivered(part: Component) -> bool:
    return not part.name.endswith(_CUSTOM)


def _locked(text: str) -> ComponentError:
    return ComponentError(text, Code.LOCKED)

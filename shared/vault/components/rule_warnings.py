"""Finds likely mistakes in an integration rule, as far as its own Vault can recognize them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from shared.vault.components.component_kinds import PartKind
from shared.vault.components.component_tree import Component
from shared.vault.components.registry import Registry, is_written_by_connections
from shared.vault.model.component_model import Field, FieldType
from shared.vault.model.field_types import OBJECT_TYPE

# Fields of the source by which a record is known, and from which a key of the target can be filled.
_KEY_SOURCES = frozenset({"id", "global_id__sys", "link__sys"})
_GLOBAL_ID = "global_id__sys"
# Points that are delivered may find records by keys of their own; of others the rule says all.
_DELIVERED = "__v"


def rule_warnings(rule: Component, registry: Registry) -> list[str]:
    """Return a text for each likely mistake, which names the field rule, its target field, and the correction."""
    parts = [
        part
        for part in rule.children_of(PartKind.FIELD_RULE)
        if part.flag("active", True)
    ]
    found = [*_several(rule, parts), *_without_key(rule, parts, registry)]
    for part in parts:
        target = _target(part, registry)
        if target is not None:
            found += _of_field(part, target, registry)
    return [f"{rule.full_name}: {text}" for text in found]


def _target(part: Component, registry: Registry) -> Field | None:
    """Return the target field of a field rule; None if it is a field of documents, or unknown."""
    owner = registry.objects.get(part.reference("target_object") or "")
    name = part.reference("target_object_field") or ""
    return owner.fields.get(name) if owner else None


def _of_field(
    part: Component,
    target: Field,
    registry: Registry,
) -> Iterator[str]:
    path = f"Fieldrule {part.name}, target field {target.name}"
    owner = part.reference("target_object") or ""
    by_connections = is_written_by_connections(owner, target)
    by_vault = not by_connections and (target.system or not target.editable)
    # The object type is named by whoever creates a record.
    if by_vault and target.name != OBJECT_TYPE and not _is_key(part, target):
        yield f"{path}: the Vault sets this field itself; map onto another field."
    default = part.text("field_default")
    picklist = registry.picklists.get(target.picklist or "")
    if not default or picklist is None or part.text("field_default_type") == "code":
        return
    names = default.split(",") if target.multi_value else [default]
    for name in names:
        entry = picklist.entries.get(name.strip())
        if entry is None or not entry.active:
            yield (
                f"{path}: field_default: picklist {picklist.name} has no active value {name.strip()}; give the name of "
                "a value, not its label."
            )


def _is_key(part: Component, target: Field) -> bool:
    is_key = target.unique or target.name == _GLOBAL_ID
    return is_key and _identifies(part)


def _identifies(part: Component) -> bool:
    """Return whether a field rule maps the source record's own key, unchanged."""
    translated = part.text("reference_lookup") or part.text("target_field_lookup")
    return not translated and part.text("query_field") in _KEY_SOURCES


def _without_key(
    rule: Component,
    parts: list[Component],
    registry: Registry,
) -> Iterator[str]:
    """Yield a warning for each target object without a key, if the rule is for a custom integration point."""
    if rule.text("integration_point").endswith(_DELIVERED):
        return
    keyed: dict[str, bool] = {}
    searched: dict[str, str] = {}
    for part in parts:
        target = _target(part, registry)
        name = part.reference("target_object")
        if target is None or name is None:
            continue
        keyed[name] = keyed.get(name, False) or _is_key(part, target)
        if _identifies(part) and target.type is FieldType.STRING:
            searched.setdefault(name, target.name)
    for name, has_key in keyed.items():
        if has_key:
            continue
        if name in searched:
            yield (
                f"records of {name} are searched for by {searched[name]}, which is not unique; make it unique, so that "
                "no two of them get one source record."
            )
        else:
            yield (
                f"no field rule gives {name} a key; map the source id, global_id__sys or link__sys onto a unique field."
            )


def _several(rule: Component, parts: list[Component]) -> Iterator[str]:
    """Yield a warning for field rules that fill one target field from the same query without an order between them."""
    by_target: dict[tuple[str, ...], list[Component]] = {}
    for part in parts:
        target = (
            part.text("target_object"),
            part.text("target_object_field"),
            part.text("target_docfield"),
        )
        # Without a primary query object, each query object is evaluated by itself.
        query = "" if rule.text("primary_query_object") else part.text("query_object")
        by_target.setdefault((*target, query), []).append(part)
    for of_target in by_target.values():
        for before, part in pairwise(of_target):
            if part.text("field_default"):
                yield (
                    f"Fieldrule {part.name}: it has a default, so that the value of Fieldrule {before.name} is never "
                    "taken; put the one with the default first."
                )
            elif part.text("empty_source") != "keep":
                yield (
                    f"Fieldrule {part.name}: Fieldrule {before.name} fills the same field, and the last one with a "
                    "value decides; say with empty_source('keep') that the other is its fallback, or remove one."
                )

"""Makes form inputs from permission sets and security profiles, and statements from a submitted form."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.vault.access.caller import SUPPLIED, SecurityProfile
from shared.vault.access.grant_labels import GRANT_LABELS
from shared.vault.access.permissions import Operation, holds_all_of
from shared.vault.access.profiles import permission_set_of
from shared.vault.admin.attributes import STATUSES
from shared.vault.admin.inputs import Input, InputKind
from shared.vault.admin.permission_views import grants_of
from shared.vault.components.component_tree import Component, Scalar
from shared.vault.components.naming import name_of_label
from shared.vault.components.permission_changes import object_of
from shared.vault.components.permission_types import (
    ALL_OBJECTS,
    BUSINESS_OBJECTS,
    OBJECT_PERMISSION,
    PERMISSION_SET,
)
from shared.vault.components.statement import (
    AddChild,
    Change,
    Command,
    DropAttribute,
    DropChild,
    ModifyChild,
    SetAttribute,
    Statement,
)

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext

SETS = "permission_sets"
GRANTS = "permissions"
MANY = {
    ALL_OBJECTS: "All objects without a row of their own",
    BUSINESS_OBJECTS: "All business objects without a row of their own",
}
ADDED = "added"  # the object of a new row


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a form of object permissions."""

    entry: str
    object: str
    label: str
    operations: frozenset[str]


def may_change(context: PageContext, component: Component) -> bool:
    """Return whether the caller may change a permission set or profile, which must not allow more than their own."""
    if component.name in SUPPLIED or not context.may_change(component.type):
        return False
    if component.type == PERMISSION_SET:
        own = permission_set_of(component)
        return holds_all_of(context.caller, SecurityProfile(component.name, (own,)))
    profiles = context.vault.security.profiles
    return holds_all_of(context.caller, profiles.in_full(component.name))


def plain_inputs(component: Component, form: Mapping[str, str]) -> list[Input]:
    """Return the inputs of label and status, with the values of the component or of a form."""
    label = form.get("label", component.text("label"))
    active = "true" if component.flag("active", default=True) else "false"
    length = 60 if component.type == PERMISSION_SET else 100
    return [
        Input(
            "label", "Label", InputKind.TEXT, label, required=True, max_length=length
        ),
        Input(
            "active",
            "Status",
            InputKind.SELECT,
            form.get("active", active),
            options=STATUSES,
        ),
    ]


def grant_input(
    context: PageContext, component: Component, form: Mapping[str, str]
) -> Input:
    """Return the input for permissions that are not about records: those that the caller has."""
    chosen = _chosen(GRANTS, form) if GRANTS in form else grants_of(component)
    own = context.caller.profile.grants
    options = [(g.value, label) for g, label in GRANT_LABELS.items() if g in own]
    return Input(
        GRANTS,
        "Other permissions",
        InputKind.CHOICES,
        chosen=tuple(chosen),
        options=tuple(options),
    )


def set_input(
    context: PageContext, component: Component, form: Mapping[str, str]
) -> Input:
    """Return the input for a profile's permission sets: those that allow no more than the caller's own profile."""
    present = component.references(SETS)
    return Input(
        SETS,
        "Permission sets",
        InputKind.CHOICES,
        chosen=tuple(_chosen(SETS, form)) if SETS in form else present,
        options=tuple(_sets(context)),
    )


def _sets(context: PageContext) -> Iterator[tuple[str, str]]:
    """Yield name and label of the permission sets that the caller may assign."""
    labels = context.registry.picklists["security_profile__sys"].entries
    for name, profile in SUPPLIED.items():
        if holds_all_of(context.caller, profile):
            yield name, labels[name].label
    for (kind, name), component in sorted(context.registry.components.items()):
        if kind == PERMISSION_SET and may_change(context, component):
            yield name, component.text("label")


def _chosen(name: str, form: Mapping[str, str]) -> list[str]:
    head = f"{name}."
    return [key.removeprefix(head) for key in form if key.startswith(head)]


def rows_of(context: PageContext, component: Component) -> list[Row]:
    """Return the object permissions of a set; those for many objects come first."""
    objects = context.registry.objects
    rows = []
    for entry in component.children_of(OBJECT_PERMISSION):
        name = object_of(entry)
        label = MANY.get(name) or (
            objects[name].label_plural if name in objects else name
        )
        operations = frozenset(each.value for each in Operation if entry.flag(each))
        rows.append(Row(entry.name, name, label, operations))
    return sorted(rows, key=lambda row: (row.object not in MANY, row.label.lower()))


def addable(context: PageContext, component: Component) -> tuple[tuple[str, str], ...]:
    """Return name and label of the objects for which a set has no permission yet."""
    taken = {object_of(each) for each in component.children_of(OBJECT_PERMISSION)}
    objects = sorted(
        context.registry.objects.values(), key=lambda each: each.label_plural.lower()
    )
    every = [*MANY.items(), *((each.name, each.label_plural) for each in objects)]
    return ("", ""), *(each for each in every if each[0] not in taken)


def statement_of(component: Component, form: Mapping[str, str]) -> Statement | None:
    """Return the statement that changes a component as a form says; None when nothing changes."""
    changes = tuple(_changes(component, form))
    if component.name:
        alter = Statement(
            Command.ALTER, component.type, component.name, 1, changes=changes
        )
        return alter if changes else None
    name = name_of_label(form.get("label", ""))
    attributes = {
        each.name: each.values for each in changes if isinstance(each, SetAttribute)
    }
    children = tuple(each.child for each in changes if isinstance(each, AddChild))
    made = Component(component.type, name, attributes, children)
    return Statement(Command.CREATE, component.type, name, 1, component=made)


def _changes(component: Component, form: Mapping[str, str]) -> Iterator[Change]:
    """Yield the changes in a form, attribute by attribute, then row by row."""
    label = form.get("label", "").strip()
    if label != component.text("label"):
        yield SetAttribute("label", (label,))
    active = form.get("active") != "false"
    if active != component.flag("active", default=True) or not component.name:
        yield SetAttribute("active", (active,))
    if GRANTS in form:
        yield from _values(component, GRANTS, _grants(component, form))
    if SETS in form:
        names = [f"{PERMISSION_SET}.{name}" for name in _chosen(SETS, form)]
        yield from _values(component, SETS, names)
    if component.type == PERMISSION_SET:
        yield from _row_changes(component, form)


def _grants(component: Component, form: Mapping[str, str]) -> list[str]:
    """Return the names of the chosen grants, and of the stored grants that this Vault does not know."""
    known = {grant.value for grant in GRANT_LABELS}
    kept = [name for name in component.texts(GRANTS) if name not in known]
    return [*_chosen(GRANTS, form), *kept]


def _values(component: Component, name: str, values: Sequence[str]) -> Iterator[Change]:
    """Yield the change of an attribute with several values, in which order has no meaning."""
    before = component.texts(name)
    if set(values) == {_full(each, name) for each in before}:
        return
    if values:
        yield SetAttribute(name, tuple(values))
    elif before:
        yield DropAttribute(name)


def _full(value: str, attribute: str) -> str:
    """Return a reference as ``Type.name``; values of some attributes leave the type out."""
    return (
        f"{PERMISSION_SET}.{value}" if attribute == SETS and "." not in value else value
    )


def _row_changes(component: Component, form: Mapping[str, str]) -> Iterator[Change]:
    for entry in component.children_of(OBJECT_PERMISSION):
        head = f"object.{entry.name}"
        if head not in form:
            continue
        if f"{head}.remove" in form:
            yield DropChild(OBJECT_PERMISSION, entry.name)
            continue
        flags = _flags(head, form)
        differing = tuple(
            SetAttribute(name, values)
            for name, values in flags.items()
            if entry.flag(name) != values[0]
        )
        if differing:
            yield ModifyChild(OBJECT_PERMISSION, entry.name, differing)
    added = form.get(ADDED, "")
    if added:
        flags = _flags(f"object.{ADDED}", form)
        yield AddChild(Component(OBJECT_PERMISSION, added, flags))


def _flags(head: str, form: Mapping[str, str]) -> dict[str, tuple[Scalar, ...]]:
    return {each.value: (f"{head}.{each}" in form,) for each in Operation}

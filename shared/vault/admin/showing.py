"""Values as pages show them: labels instead of names, moments in UTC, references as links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.rendering import shown_moment
from shared.vault.model.component_model import Field, FieldType, VaultObject

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.components.registry import Registry

LONG = 120
"""From so many characters on, a text has the width of the page."""
USER = "user__sys"
USER_FIELDS = frozenset({"created_by__v", "modified_by__v"})
OWN_PAGES = {
    "connection__sys": "/ui/connections/{}",
    "integration__sys": "/ui/integrations/{}",
    "exception_message__sys": "/ui/exceptions/{}",
}
"""Objects whose records have a page of their own."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One value with its label.

    ``mark`` is the name behind a state or status, by which it is coloured; ``moment`` a date and time as it is stored.
    """

    name: str
    label: str
    text: str
    link: str = ""
    mark: str = ""
    long: bool = False
    moment: str = ""


def record_path(object_name: str, record_id: str) -> str:
    """The page of a record."""
    return OWN_PAGES.get(object_name, f"/ui/objects/{object_name}/{{}}").format(
        record_id
    )


def reference_paths(
    target: VaultObject, caller: Caller, registry: Registry
) -> dict[str, str]:
    """For each reference that the caller may follow, the path of the name behind it."""
    return {
        f.name: f"{f.relationship_outbound_name}.name__v"
        for f in target.fields.values()
        if f.active and f.relationship_outbound_name and _readable(f, caller, registry)
    }


def _readable(field: Field, caller: Caller, registry: Registry) -> bool:
    referenced = registry.objects.get(field.object or "")
    return (
        referenced is not None
        and referenced.active
        and may(caller, referenced.name, Operation.READ)
    )


class Shower:
    """Shows the values of one object's records to one caller."""

    def __init__(self, target: VaultObject, caller: Caller, registry: Registry) -> None:
        self.target = target
        self._registry = registry
        self._caller = caller
        self.paths = reference_paths(target, caller, registry)

    def selection(self, columns: Iterable[str]) -> str:
        """What a statement selects for these fields to be shown: the id, the fields, and names behind references."""
        wanted = list(columns)
        return ", ".join(
            [
                "id",
                *wanted,
                *(path for name, path in self.paths.items() if name in wanted),
            ]
        )

    def show(self, name: str, row: Mapping[str, Any]) -> Shown:
        """A field of a record, which has the names behind its references by their path."""
        field, value = self.target.fields[name], row.get(name)
        label = field.label
        if value in (None, "", []):
            return Shown(name, label, "")
        if name in USER_FIELDS:
            known = may(self._caller, USER, Operation.READ)
            return Shown(
                name,
                label,
                f"User {value}",
                record_path(USER, str(value)) if known else "",
            )
        if field.type is FieldType.OBJECT:
            return self._reference(field, str(value), row)
        if field.type is FieldType.PICKLIST or name in (
            "state__v",
            "lifecycle__v",
            "object_type__v",
        ):
            return self._named(field, value)
        if field.type is FieldType.DATE_TIME:
            return Shown(name, label, shown_moment(value), moment=str(value))
        long = (
            field.type in (FieldType.LONG_TEXT, FieldType.RICH_TEXT)
            or len(str(value)) > LONG
        )
        return Shown(name, label, _text(field, value), long=long)

    def _reference(self, field: Field, value: str, row: Mapping[str, Any]) -> Shown:
        path = self.paths.get(field.name)
        text = str(row.get(path) or value) if path else value
        return Shown(
            field.name,
            field.label,
            text,
            record_path(field.object or "", value) if path else "",
        )

    def _named(self, field: Field, value: Any) -> Shown:
        names = (
            [str(each) for each in value] if isinstance(value, list) else [str(value)]
        )
        labels = self._labels(field)
        text = ", ".join(labels.get(name, name) for name in names)
        return Shown(field.name, field.label, text, mark=names[0].partition("__")[0])

    def _labels(self, field: Field) -> Mapping[str, str]:
        registry, lifecycle = (
            self._registry,
            self._registry.lifecycles.get(self.target.lifecycle or ""),
        )
        if field.name == "state__v" and lifecycle is not None:
            return {state.name: state.label for state in lifecycle.states.values()}
        if field.name == "lifecycle__v":
            return {each.name: each.label for each in registry.lifecycles.values()}
        if field.name == "object_type__v":
            types = registry.types_of(self.target.name).values()
            return {
                registry.object_type_id(self.target.name, each.name): each.label
                for each in types
            }
        picklist = registry.picklists.get(field.picklist or "")
        return (
            {}
            if picklist is None
            else {each.name: each.label for each in picklist.entries.values()}
        )


def _text(field: Field, value: Any) -> str:
    if field.type is FieldType.BOOLEAN:
        return "Yes" if value else "No"
    return str(value)

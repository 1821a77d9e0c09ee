"""Formats values for pages: labels instead of names, moments in UTC, references as links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, assert_never

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.error_advice import in_words
from shared.vault.admin.listing import selected
from shared.vault.admin.referenced_objects import referenced_object
from shared.vault.admin.rendering import shown_moment
from shared.vault.model.component_model import Field, FieldType, VaultObject

if TYPE_CHECKING:
    from shared.vault.access.caller import Caller
    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.work_lists import Lead, RelatedColumn
    from shared.vault.components.registry import Registry

LONG = 120  # from so many characters on, a text has the width of the page
USER = "user__sys"
USER_FIELDS = frozenset(
    {
        "created_by__v",
        "modified_by__v",
        "last_modified_by__v",
        "version_created_by__v",
    }
)
NAMED_FIELDS = frozenset({"state__v", "lifecycle__v", "object_type__v"})
OWN_PAGES = {
    "connection__sys": "/ui/connections/{}",
    "integration__sys": "/ui/integrations/{}",
    "exception_message__sys": "/ui/exceptions/{}",
    "documents": "/ui/documents/{}",
    "user__sys": "/ui/users/{}",
}
"""Objects whose records have a page of their own, and documents."""
# The field by which configuration refers to the records of an object.
KEYS: Mapping[str, str] = {
    "connection__sys": "api_name__sys",
    "integration_point__sys": "integration_point_api_name__sys",
    "integration__sys": "integration_api_name__sys",
}


@dataclass(frozen=True, slots=True)
class Named:
    """A record by its name, with the address of its page."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One value with its label.

    ``mark`` is the name of a state or status, from which its colour follows; ``moment`` is a date and time as stored;
    ``second_line`` is a text below the value.
    """

    name: str
    label: str
    text: str
    link: str = ""
    mark: str = ""
    long: bool = False
    moment: str = ""
    second_line: str = ""


def is_web_address(text: str) -> bool:
    """Return whether a text is nothing but a web address, which is safe as a link."""
    begins = text.startswith(("https://", "http://"))
    return begins and text.isascii() and not any(map(str.isspace, text))


def record_path(object_name: str, record_id: str) -> str:
    """Return the address of a record's page."""
    pattern = OWN_PAGES.get(object_name, f"/ui/objects/{object_name}/{{}}")
    return pattern.format(record_id)


def reference_paths(
    target: VaultObject,
    caller: Caller,
    registry: Registry,
) -> dict[str, str]:
    """Return, by reference field that the caller may follow, the VQL path to the name of the referenced record."""
    paths: dict[str, str] = {}
    for field in target.fields.values():
        relationship = field.relationship_outbound_name
        if field.active and relationship and _readable(field, caller, registry):
            paths[field.name] = f"{relationship}.name__v"
    return paths


def _readable(field: Field, caller: Caller, registry: Registry) -> bool:
    """Return whether the caller may read the records to which a field refers."""
    referenced = registry.objects.get(field.object or "")
    return (
        referenced is not None
        and referenced.active
        and may(caller, referenced.name, Operation.READ)
    )


class ValueFormatter:
    """Formats the values of one object's records for one caller.

    ``related_columns`` are columns with values of related records; those that the caller may not read are left out.
    """

    def __init__(
        self,
        target: VaultObject,
        caller: Caller,
        registry: Registry,
        related_columns: Iterable[RelatedColumn] = (),
    ) -> None:
        self.target = target
        found = {
            each: referenced_object(registry, caller, target, each.lead)
            for each in related_columns
        }
        self._related = {each.name: (each, end) for each, end in found.items() if end}
        # Names of users by id, for references whose records a row does not include; see ``people`` and ``user_names``.
        self.people: Mapping[str, str] = {}
        # Fields with error texts, in which names of objects and fields are shown as labels.
        self.error_text_fields: frozenset[str] = frozenset()
        self._registry = registry
        self._caller = caller
        self.paths = reference_paths(target, caller, registry)

    def selection(self, columns: Iterable[str]) -> str:
        """Return the select list for columns: the id, the columns, and the names of the records that they refer to."""
        wanted = list(columns)
        paths = dict.fromkeys(name for name in wanted if name not in self._related)
        for name in wanted:
            if name in self._related:
                column, _ = self._related[name]
                known = [each for each in column.second_line if self._has(each)]
                lead = column.lead
                paths |= dict.fromkeys((lead.path, lead.id_path, *known))
        names = [path for name, path in self.paths.items() if name in wanted]
        return ", ".join(dict.fromkeys(["id", *paths, *names]))

    def _has(self, name: str) -> bool:
        field = self.target.fields.get(name)
        return field is not None and field.active

    @property
    def related_columns(self) -> list[RelatedColumn]:
        """Return the columns with values of related records that the caller may read."""
        return [column for column, _ in self._related.values()]

    def known_columns(self, columns: Iterable[str]) -> list[str]:
        """Return the columns that are fields, or have values of related records that the caller may read."""
        fields = self.target.fields
        return [name for name in columns if name in fields or name in self._related]

    def is_related(self, name: str) -> bool:
        """Return whether a column has values of related records."""
        return name in self._related

    def label(self, name: str) -> str:
        """Return the heading of a column."""
        if name in self._related:
            return self._related[name][0].label
        return self.target.fields[name].label

    def related_value(
        self, referenced: VaultObject, lead: Lead, row: Mapping[str, Any], value: object
    ) -> Shown:
        """Return a value of a related record as the related record's page shows it; its name is a link to that page."""
        formatter = ValueFormatter(referenced, self._caller, self._registry)
        shown = formatter.show(lead.field, {lead.field: value})
        own = record_path(referenced.name, str(row[lead.id_path]))
        link = own if lead.field == "name__v" else shown.link
        return Shown(lead.path, lead.label, shown.text, link)

    def _related_cell(self, name: str, row: Mapping[str, Any]) -> Shown:
        """Return the value of a row in a column of related records."""
        column, referenced = self._related[name]
        value = row.get(column.lead.path)
        texts = [
            self.show(each, row).text for each in column.second_line if self._has(each)
        ]
        second_line = next(filter(None, texts), "")
        if value in (None, "", []):
            return Shown(name, column.label, second_line)
        shown = self.related_value(referenced, column.lead, row, value)
        return replace(shown, name=name, second_line=second_line)

    def show(self, name: str, row: Mapping[str, Any]) -> Shown:
        """Return the value of a column of a row, which has the columns of ``selection``."""
        if name in self._related:
            return self._related_cell(name, row)
        field = self.target.fields[name]
        value = row.get(name)
        if value in (None, "", []):
            return Shown(name, field.label, "")
        if name in USER_FIELDS:
            return self._user(field, str(value))
        # Text, or references to configuration, whose names are those of components.
        if name in NAMED_FIELDS:
            return self._named(field, value)
        if name in self.error_text_fields:
            return Shown(name, field.label, in_words(value, self._registry), long=True)
        return self._typed(field, value, row)

    def _typed(self, field: Field, value: Any, row: Mapping[str, Any]) -> Shown:
        """Return a value in the format of its field's type."""
        name, label = field.name, field.label
        match field.type:
            case FieldType.OBJECT:
                return self._reference(field, str(value), row)
            case FieldType.PICKLIST:
                return self._named(field, value)
            case FieldType.DATE_TIME:
                return Shown(name, label, shown_moment(value), moment=str(value))
            case FieldType.BOOLEAN:
                return Shown(name, label, "Yes" if value else "No")
            case FieldType.LONG_TEXT | FieldType.RICH_TEXT:
                return Shown(name, label, str(value), long=True)
            case (
                FieldType.ID
                | FieldType.STRING
                | FieldType.NUMBER
                | FieldType.DATE
                | FieldType.ATTACHMENT
            ):
                text = str(value)
                link = text if is_web_address(text) else ""
                return Shown(name, label, text, link, long=len(text) > LONG)
            case _:
                assert_never(field.type)

    def _user(self, field: Field, user_id: str) -> Shown:
        """Return a user by id; with a link for callers who may read users."""
        known = may(self._caller, USER, Operation.READ)
        link = record_path(USER, user_id) if known else ""
        name = self.people.get(user_id, f"User {user_id}")
        return Shown(field.name, field.label, name, link)

    def _reference(self, field: Field, value: str, row: Mapping[str, Any]) -> Shown:
        """Return a reference by the name of its record, or by the id when the caller may not read the record."""
        path = self.paths.get(field.name)
        if path is None:
            text = self.people.get(value, value)
            return Shown(field.name, field.label, text)
        text = str(row.get(path) or value)
        link = record_path(field.object or "", value)
        return Shown(field.name, field.label, text, link)

    def _named(self, field: Field, value: Any) -> Shown:
        """Return a value that names configuration, such as a picklist value, by its labels."""
        values = value if isinstance(value, list) else [value]
        names = [str(each) for each in values]
        labels = self._labels(field)
        # A value that the configuration no longer has is shown by its name.
        known = [labels.get(name, name) for name in names]
        text = ", ".join(known)
        # Without its suffix: stylesheets have a class for each common state.
        mark, _, _ = names[0].partition("__")
        return Shown(field.name, field.label, text, mark=mark)

    def _labels(self, field: Field) -> Mapping[str, str]:
        """Return the labels of the values that a field may have, by value; empty for a field without a fixed list."""
        registry = self._registry
        lifecycle = registry.lifecycles.get(self.target.lifecycle or "")
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
        if picklist is None:
            return {}
        return {each.name: each.label for each in picklist.entries.values()}


async def people(context: PageContext, target: VaultObject) -> Mapping[str, str]:
    """Return the names of the caller's colleagues by id, if an object refers to users that the caller may not read."""
    refers = any(each.object == USER and each.active for each in target.fields.values())
    if not refers or may(context.caller, USER, Operation.READ):
        return {}
    return {str(number): name for number, name in await colleagues(context)}


async def colleagues(context: PageContext) -> list[tuple[int, str]]:
    """Return the ids and names of active users; none for callers who may not edit the records of the work lists."""
    desk = context.vault.definition.desk
    if desk is None or not may(context.caller, desk.object, Operation.EDIT):
        return []
    return await context.vault.workflow_lists.colleagues()


async def writers(context: PageContext, row: Mapping[str, Any]) -> dict[str, str]:
    """Return the names, by id, of the users who created and last changed a record, if the caller may see them."""
    ids = {row[name] for name in USER_FIELDS if row.get(name)}
    names = await user_names(context, map(int, ids))
    return {str(user_id): name for user_id, name in names.items()}


async def user_names(context: PageContext, ids: Iterable[int]) -> dict[int, str]:
    """Return the user names by id; for callers who may not read users, only their own."""
    wanted = set(ids)
    if not may(context.caller, USER, Operation.READ):
        wanted &= {context.caller.user_id}
    found = await context.vault.security.names_of(wanted)
    return {user_id: names[0] for user_id, names in found.items() if names}


async def named(context: PageContext, object_name: str) -> dict[str, Named]:
    """Return up to a hundred records of an object, by API name; none when the caller may not read the object."""
    if not may(context.caller, object_name, Operation.READ):
        return {}
    key = KEYS[object_name]
    statement = f"SELECT id, name__v, {key} FROM {object_name} ORDER BY name__v, id"
    records: dict[str, Named] = {}
    for row in await selected(context, statement):
        api_name = str(row[key])
        path = record_path(object_name, str(row["id"]))
        records[api_name] = Named(str(row["name__v"]), path)
    return records

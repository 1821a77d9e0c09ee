"""The inputs of a record's form, and the row that a form comes to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.vault.access.permissions import Operation, may
from shared.vault.admin.listing import MAX_ROWS, listed
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit
    from shared.vault.components.registry import Registry

TYPE = "object_type__v"
SYSTEM_INFORMATION = ("status__v", "link__sys")
KINDS: Mapping[FieldType, str] = {
    FieldType.LONG_TEXT: "textarea",
    FieldType.RICH_TEXT: "textarea",
    FieldType.NUMBER: "number",
    FieldType.BOOLEAN: "select",
    FieldType.DATE: "date",
    FieldType.DATE_TIME: "datetime-local",
    FieldType.PICKLIST: "select",
}
YES_OR_NO = (("true", "Yes"), ("false", "No"))
BLANK = ("", "")


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a form; ``kind`` is a type of HTML input, ``select``, ``textarea`` or ``choices``."""

    name: str
    label: str
    kind: str
    value: str = ""
    chosen: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    required: bool = False
    max_length: int | None = None
    help: str = ""
    locked: bool = False  # shown, and not sent
    rows: int = 4  # of a text area

    @property
    def system(self) -> bool:
        """Whether it stands in the section System Information."""
        return self.name in SYSTEM_INFORMATION


def editable(target: VaultObject, *, creating: bool = False) -> list[Field]:
    """The fields that a person may fill in, in the object's order."""
    listed_fields = [
        f for f in target.fields.values() if f.active and f.editable and not f.system
    ]
    fields = [
        f
        for f in listed_fields
        if f.type is not FieldType.ATTACHMENT
        and not (f.name == "name__v" and f.system_managed_name)
    ]
    typed = creating and target.allow_types
    return [*([target.fields[TYPE]] if typed else ()), *fields]


async def inputs(
    visit: Visit,
    target: VaultObject,
    fields: Iterable[Field],
    values: Mapping[str, Any],
) -> list[Input]:
    """The inputs of these fields, filled in with a record's values or those that were given before."""
    return [
        await _input(visit, target, field, values.get(field.name)) for field in fields
    ]


async def _input(visit: Visit, target: VaultObject, field: Field, value: Any) -> Input:
    if field.name == TYPE:
        options = [
            (visit.registry.object_type_id(target.name, each.name), each.label)
            for each in visit.registry.types_of(target.name).values()
            if each.active
        ]
        return Input(
            TYPE,
            field.label,
            "select",
            text_of(field, value),
            options=(BLANK, *options),
        )
    if field.type is FieldType.OBJECT:
        return await _reference(visit, field, text_of(field, value))
    kind = "choices" if field.multi_value else KINDS.get(field.type, "text")
    options = list(_options(field, visit.registry))
    zone = "UTC" if field.type is FieldType.DATE_TIME else ""
    return Input(
        name=field.name,
        label=field.label,
        kind=kind,
        value=text_of(field, value),
        chosen=tuple(value) if field.multi_value and isinstance(value, list) else (),
        options=tuple(options if kind == "choices" else (BLANK, *options)),
        required=field.required,
        max_length=field.max_length if kind in ("text", "textarea") else None,
        help=zone,
    )


def _options(field: Field, registry: Registry) -> Iterable[tuple[str, str]]:
    if field.type is FieldType.BOOLEAN:
        return YES_OR_NO
    picklist = registry.picklists.get(field.picklist or "")
    return (
        [(e.name, e.label) for e in picklist.entries.values() if e.active]
        if picklist
        else ()
    )


async def _reference(visit: Visit, field: Field, value: str) -> Input:
    """A choice of the records that there are, or an id where they are many or may not be read."""
    name, label, required = field.name, field.label, field.required
    referenced = visit.registry.objects.get(field.object or "")
    if referenced is None or not may(visit.caller, referenced.name, Operation.READ):
        return Input(name, label, "text", value, required=required, help="Record ID")
    statement = f"SELECT id, name__v FROM {referenced.name} ORDER BY name__v"
    found = await listed(visit, statement, size=MAX_ROWS)
    options = [(str(row["id"]), str(row["name__v"])) for row in found.rows]
    if found.more:
        return Input(
            name,
            label,
            "text",
            value,
            required=required,
            help=f"Name or ID of a record of {referenced.label}",
        )
    if value and value not in dict(options):
        options.append((value, value))
    return Input(
        name, label, "select", value, options=(BLANK, *options), required=required
    )


def text_of(field: Field, value: Any) -> str:
    """A value as an input of its field holds it."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(str(each) for each in value)
    if field.type is FieldType.BOOLEAN:
        return str(value).lower()
    return (
        str(value).removesuffix("Z")
        if field.type is FieldType.DATE_TIME
        else str(value)
    )


def given(
    fields: Sequence[Field], form: Mapping[str, str], registry: Registry
) -> dict[str, object]:
    """The values of those fields that a form has, as a row of a record call takes them."""
    row: dict[str, object] = {}
    for field in fields:
        if field.name not in form:
            continue
        if field.multi_value:
            row[field.name] = [
                name
                for name, _ in _options(field, registry)
                if f"{field.name}.{name}" in form
            ]
        else:
            # Browsers end the lines of a text area with CR and LF, whatever they were given.
            row[field.name] = form[field.name].replace("\r\n", "\n")
    return row


async def with_ids(
    visit: Visit, fields: Sequence[Field], row: Mapping[str, object]
) -> dict[str, object]:
    """The row with the ids of the records that it refers to by their names, where a name is that of one record."""
    found = dict(row)
    for field in fields:
        value = row.get(field.name)
        if (
            field.type is FieldType.OBJECT
            and value
            and may(visit.caller, field.object or "", Operation.READ)
        ):
            text = literal(str(value))
            statement = (
                f"SELECT id FROM {field.object} WHERE id = {text} OR name__v = {text}"
            )
            ids = [
                str(each["id"])
                for each in (await listed(visit, statement, size=2)).rows
            ]
            found[field.name] = ids[0] if len(ids) == 1 else value
    return found


def changed(
    fields: Sequence[Field], row: Mapping[str, object], record: Mapping[str, Any]
) -> dict[str, object]:
    """Those values of a row that differ from the record's: what nobody touched is not written."""
    return {
        f.name: row[f.name]
        for f in fields
        if f.name in row and _differs(f, row[f.name], record.get(f.name))
    }


def _differs(field: Field, value: object, stored: Any) -> bool:
    if field.multi_value:
        return set(value if isinstance(value, list) else ()) != set(stored or ())
    return text_of(field, stored) != value

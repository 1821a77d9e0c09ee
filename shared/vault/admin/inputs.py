"""Makes form inputs from a record's fields, and a row from a submitted form."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, assert_never

from shared.vault.access.permissions import Operation, may, may_set
from shared.vault.admin.listing import listed, selected
from shared.vault.admin.showing import USER, colleagues
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.components.registry import Registry

TYPE = "object_type__v"
SYSTEM_INFORMATION = ("status__v", "link__sys")
YES_OR_NO = (("true", "Yes"), ("false", "No"))
BLANK = ("", "")
MAX_OPTIONS = 30  # records in a list to choose from


class InputKind(StrEnum):
    """The kinds of inputs on a page: types of HTML inputs, and names for other elements."""

    TEXT = "text"
    TEXT_AREA = "textarea"
    NUMBER = "number"
    DATE = "date"
    DATE_TIME = "datetime-local"
    SELECT = "select"
    CHOICES = "choices"  # a checkbox for each value
    PICK = "pick"  # a text with suggested records
    SUGGEST = "suggest"  # a text with suggested values; any other text is allowed
    PASSWORD = "password"  # noqa: S105  a name

    @property
    def has_length(self) -> bool:
        """Return whether the browser limits the length of the text in inputs of this kind."""
        match self:
            case (
                InputKind.TEXT
                | InputKind.TEXT_AREA
                | InputKind.SUGGEST
                | InputKind.PASSWORD
            ):
                return True
            case (
                InputKind.NUMBER
                | InputKind.DATE
                | InputKind.DATE_TIME
                | InputKind.SELECT
                | InputKind.CHOICES
                | InputKind.PICK
            ):
                return False
            case _:
                assert_never(self)


@dataclass(frozen=True, slots=True)
class Input:
    """One field of a form, with its value."""

    name: str
    label: str
    kind: InputKind
    value: str = ""
    chosen: tuple[str, ...] = ()
    options: tuple[tuple[str, str], ...] = ()
    required: bool = False
    needed: bool = False  # required for sending the record, not for saving it
    max_length: int | None = None
    help: str = ""
    locked: bool = False  # shown, and not sent
    rows: int = 4  # height of a text area, in lines
    object: str = ""  # name of the object whose records are suggested
    id: str = ""  # id of the record whose name is ``value``
    error: str = ""  # why the value was refused

    @property
    def system(self) -> bool:
        """Return whether the field belongs to the section System Information."""
        return self.name in SYSTEM_INFORMATION


def editable(
    context: PageContext, target: VaultObject, *, creating: bool = False
) -> list[Field]:
    """Return the fields that the user may fill in, in the object's order."""
    caller, name = context.caller, target.name
    fields = [
        field
        for field in target.fields.values()
        if _is_editable(field) and may_set(caller, name, field)
    ]
    # The type decides which fields a record has: it comes first, and is chosen once.
    if creating and target.allow_types:
        fields.insert(0, target.fields[TYPE])
    return fields


def _is_editable(field: Field) -> bool:
    """Return whether a form has an input for a field."""
    # Files are uploaded by the API, and a name that the Vault numbers cannot be set.
    numbered = field.name == "name__v" and field.system_managed_name
    if field.type is FieldType.ATTACHMENT or numbered:
        return False
    return field.active and field.editable and not field.system


async def inputs(
    context: PageContext,
    target: VaultObject,
    fields: Iterable[Field],
    values: Mapping[str, Any],
) -> list[Input]:
    """Return the inputs of these fields, filled with the values of a record or of a refused form."""
    return [
        await _input(context, target, field, values.get(field.name)) for field in fields
    ]


async def _input(
    context: PageContext, target: VaultObject, field: Field, value: Any
) -> Input:
    """Return the input of one field, filled with a value."""
    if field.name == TYPE:
        return _type_input(context.registry, target, field, value)
    if field.type is FieldType.OBJECT:
        return await _reference(context, field, text_of(field, value))
    kind = InputKind.CHOICES if field.multi_value else kind_of(field.type)
    options = tuple(_options(field, context.registry))
    # A single choice needs an empty option; several checkboxes may all be unticked.
    if kind is not InputKind.CHOICES:
        options = (BLANK, *options)
    return Input(
        name=field.name,
        label=field.label,
        kind=kind,
        value=text_of(field, value),
        chosen=tuple(value) if field.multi_value and isinstance(value, list) else (),
        options=options,
        required=field.required,
        max_length=field.max_length if kind.has_length else None,
        help="UTC" if kind is InputKind.DATE_TIME else "",
    )


def _type_input(
    registry: Registry,
    target: VaultObject,
    field: Field,
    value: Any,
) -> Input:
    """Return the input of the object type: a choice of the active ones."""
    options = [
        (registry.object_type_id(target.name, each.name), each.label)
        for each in registry.types_of(target.name).values()
        if each.active
    ]
    return Input(
        TYPE,
        field.label,
        InputKind.SELECT,
        text_of(field, value),
        options=(BLANK, *options),
    )


def kind_of(type: FieldType) -> InputKind:
    """Return the kind of input for a field with one value."""
    match type:
        case FieldType.LONG_TEXT | FieldType.RICH_TEXT:
            return InputKind.TEXT_AREA
        case FieldType.NUMBER:
            return InputKind.NUMBER
        case FieldType.BOOLEAN | FieldType.PICKLIST:
            return InputKind.SELECT
        case FieldType.DATE:
            return InputKind.DATE
        case FieldType.DATE_TIME:
            return InputKind.DATE_TIME
        case FieldType.ID | FieldType.STRING | FieldType.OBJECT | FieldType.ATTACHMENT:
            return InputKind.TEXT
        case _:
            assert_never(type)


def _options(field: Field, registry: Registry) -> Iterable[tuple[str, str]]:
    """Return value and label of each value that a field may have; empty when any text is allowed."""
    if field.type is FieldType.BOOLEAN:
        return YES_OR_NO
    picklist = registry.picklists.get(field.picklist or "")
    if picklist is None:
        return ()
    return [
        (each.name, each.label) for each in picklist.entries.values() if each.active
    ]


async def _pick(
    context: PageContext, field: Field, referenced: VaultObject, value: str
) -> Input:
    """Return the input of a reference to an object with many records; some are suggested while the user types."""
    name = await _name_of(context, referenced, value) if value else None
    return Input(
        field.name,
        field.label,
        InputKind.PICK,
        # A typed text that is no id is shown again.
        value if name is None else name,
        required=field.required,
        help="name, or any words of it",
        object=referenced.name,
        id="" if name is None else value,
    )


async def _name_of(
    context: PageContext, target: VaultObject, record_id: str
) -> str | None:
    """Return the name of a record; None when no record has this id, or the caller may not read it."""
    statement = f"SELECT name__v FROM {target.name} WHERE id = {literal(record_id)}"
    for row in await selected(context, statement):
        return str(row["name__v"] or record_id)
    return None


def _reads(context: PageContext, object_name: str) -> bool:
    return may(context.caller, object_name, Operation.READ)


async def reference_options(
    context: PageContext, field: Field
) -> tuple[tuple[str, str], ...] | None:
    """Return the ids and names of the records that a field may refer to.

    None when there are too many, or the caller may not read them. Callers may choose among their active colleagues,
    to whom they assign work, without the right to read user records.
    """
    referenced = context.registry.objects.get(field.object or "")
    if referenced is None:
        return None
    if not _reads(context, referenced.name):
        known = await colleagues(context) if referenced.name == USER else []
        return tuple((str(n), name) for n, name in known) or None
    statement = f"SELECT id, name__v FROM {referenced.name} ORDER BY name__v"
    found = await listed(context, statement, size=MAX_OPTIONS, counted=False)
    if found.more:
        return None
    return tuple((str(row["id"]), str(row["name__v"])) for row in found.rows)


async def _reference(context: PageContext, field: Field, value: str) -> Input:
    """Return the input of a reference: a choice of few records, else a text, with suggestions of readable records."""
    name, label, required = field.name, field.label, field.required
    referenced = context.registry.objects.get(field.object or "")
    found = await reference_options(context, field)
    if found is None and referenced is not None and _reads(context, referenced.name):
        return await _pick(context, field, referenced, value)
    if found is None:
        return Input(
            name, label, InputKind.TEXT, value, required=required, help="Record ID"
        )
    options = list(found)
    # The record may have been deleted meanwhile: without the option, saving would empty the field.
    if value and value not in dict(options):
        options.append((value, value))
    return Input(
        name,
        label,
        InputKind.SELECT,
        value,
        options=(BLANK, *options),
        required=required,
    )


def text_of(field: Field, value: Any) -> str:
    """Return a value as the text in its field's input."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ",".join(str(each) for each in value)
    text = str(value)
    match field.type:
        case FieldType.BOOLEAN:
            return text.lower()
        case FieldType.DATE_TIME:
            # Inputs of date and time have no zone; the page says that it is UTC.
            return text.removesuffix("Z")
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.NUMBER
            | FieldType.DATE
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.ATTACHMENT
        ):
            return text
        case _:
            assert_never(field.type)


def entered(
    fields: Sequence[Field],
    form: Mapping[str, str],
    registry: Registry,
) -> dict[str, object]:
    """Return the values of a form as a row of a record call; fields that the form does not have are omitted."""
    row: dict[str, object] = {}
    for field in fields:
        # A disabled input, or one that the page did not have, is not sent: it changes nothing.
        if field.name not in form:
            continue
        if field.multi_value:
            names = [name for name, _ in _options(field, registry)]
            row[field.name] = [name for name in names if f"{field.name}.{name}" in form]
        else:
            # Browsers end the lines of a text area with CR and LF, whatever the page has.
            row[field.name] = _picked(field.name, form).replace("\r\n", "\n")
    return row


def _picked(name: str, form: Mapping[str, str]) -> str:
    """Return the id of the record that was chosen for a field, or the text that was typed after the choice."""
    typed = form[name]
    chosen = form.get(f"{name}.id", "")
    return chosen if chosen and typed == form.get(f"{name}.text") else typed


def changed(
    fields: Sequence[Field],
    row: Mapping[str, object],
    record: Mapping[str, Any],
) -> dict[str, object]:
    """Return the values of a row that differ from the record's."""
    # Writing the unchanged values as well would undo changes that another user has made meanwhile.
    return {
        field.name: row[field.name]
        for field in fields
        if field.name in row
        and _differs(field, row[field.name], record.get(field.name))
    }


def digests(fields: Sequence[Field], record: Mapping[str, Any]) -> str:
    """Return ``field:digest`` of each value that a form shows, separated by commas; ``touched`` compares with it."""
    texts = {field.name: _comparable(field, record.get(field.name)) for field in fields}
    return ",".join(f"{name}:{_digest(text)}" for name, text in texts.items())


def touched(
    fields: Sequence[Field], row: Mapping[str, object], shown: str
) -> dict[str, object]:
    """Return the values of a row that differ from those that the form showed, by their ``digests``."""
    known = set(shown.split(","))
    by_name = {field.name: field for field in fields}
    texts = {name: _comparable(by_name[name], value) for name, value in row.items()}
    return {
        name: value
        for name, value in row.items()
        if f"{name}:{_digest(texts[name])}" not in known
    }


def _comparable(field: Field, value: Any) -> str:
    """Return a value as text, the same for a stored one and for one of a form."""
    if field.multi_value:
        return ",".join(sorted(value)) if isinstance(value, list) else ""
    return text_of(field, value)


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:16]


def _differs(field: Field, value: object, stored: Any) -> bool:
    """Return whether the value of an input differs from the stored one."""
    if field.multi_value:
        chosen = value if isinstance(value, list) else ()
        return set(chosen) != set(stored or ())
    return text_of(field, stored) != value

"""Filters a list of records by values of fields, which come from the list's address or from a view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, assert_never

from shared.vault.admin.inputs import reference_options
from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipType,
    VaultObject,
)
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.work_lists import DeskFilter, FilterOption
    from shared.vault.components.registry import Registry

MAX_CHOICES = 4  # fields that the page has a choice of values for
MAX_RANGES = 4  # fields that the page has the ends of a range for
Options = tuple[tuple[str, str], ...]
"""Values of a field, each with its label."""
# After the name of a field: its smallest and its largest value.
FROM = ".from"
TO = ".to"


@dataclass(frozen=True, slots=True)
class Choice:
    """A filter by the values of one field; ``chosen`` is the selected value, empty for all."""

    name: str
    label: str
    options: Options
    chosen: str


@dataclass(frozen=True, slots=True)
class Range:
    """A filter by a range of one field's values, both ends included; an empty end is open.

    ``kind`` is that of an input element, ``date`` or ``number``. Dates are days of UTC.
    """

    name: str
    label: str
    kind: str
    first: str
    last: str


def filters_of(
    target: VaultObject,
    parameters: Mapping[str, str],
    desk_filters: Sequence[DeskFilter] = (),
) -> dict[str, str]:
    """Return the filter values of an address; invalid values are ignored.

    The keys are names of fields, ends of a field's range, or names of ``desk_filters``.
    """
    found = {}
    for name, value in parameters.items():
        text = value.replace("\x00", "")
        is_field = _is_value(target, name) or _is_end(target, name, text)
        if text and (is_field or _filter_option(desk_filters, name, text)):
            found[name] = text
    return found


def _filter_option(
    desk_filters: Sequence[DeskFilter], name: str, value: str
) -> FilterOption | None:
    """Return the option of a desk filter that an address selects; None when the address does not name an option."""
    found = next((each for each in desk_filters if each.name == name), None)
    return found.option(value) if found else None


def desk_choices(
    desk_filters: Sequence[DeskFilter], filters: Mapping[str, str]
) -> list[Choice]:
    """Return the desk filters as choices of the page."""
    return [
        Choice(
            each.name,
            each.label,
            tuple((option.name, option.label) for option in each.options),
            filters.get(each.name, ""),
        )
        for each in desk_filters
    ]


def _is_value(target: VaultObject, name: str) -> bool:
    return name in target.fields and _is_filter(target.fields[name])


def _is_end(target: VaultObject, name: str, text: str) -> bool:
    """Return whether a text is a valid end of a range of a field."""
    field, dot, end = name.rpartition(".")
    if f"{dot}{end}" not in (FROM, TO) or field not in target.fields:
        return False
    match _kind(target.fields[field]):
        case "date":
            return _day(text) is not None
        case "number":
            return _is_number(text)
        case _:
            return False


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # Only the format of PostgreSQL, and not the last possible day, as the day after it is computed.
    return day if text == day.isoformat() and day < date.max else None


def _is_number(text: str) -> bool:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return False
    # A number with an exponent could have more digits than fit in memory.
    return number.is_finite() and "e" not in text.lower() and len(text) <= 40


def conditions(
    target: VaultObject,
    filters: Mapping[str, str],
    desk_filters: Sequence[DeskFilter] = (),
) -> list[str]:
    """Return the terms of a WHERE clause for the filters of a list."""
    terms = []
    for name, value in filters.items():
        option = _filter_option(desk_filters, name, value)
        if option is None:
            terms.append(_condition(target, name, value))
        else:
            terms.append(_option_condition(option))
    return terms


def _option_condition(option: FilterOption) -> str:
    """Return the condition of a filter option, with the date and time from which its days count."""
    moment = datetime.now(UTC) - timedelta(days=option.days)
    return option.condition.format(moment=f"{moment:%Y-%m-%dT%H:%M:%S}.000Z")


def _condition(target: VaultObject, name: str, value: str) -> str:
    if name in target.fields:
        return f"{name} = {literal(value)}"
    field, _, end = name.rpartition(".")
    comparison = ">=" if f".{end}" == FROM else "<="
    match target.fields[field].type:
        case FieldType.DATE_TIME:
            day = date.fromisoformat(value)
            # The whole last day: up to the beginning of the next day.
            if comparison == "<=":
                day, comparison = day + timedelta(days=1), "<"
            return f"{field} {comparison} '{day.isoformat()}T00:00:00.000Z'"
        case FieldType.NUMBER:
            return f"{field} {comparison} {Decimal(value):f}"
        case _:
            return f"{field} {comparison} {literal(value)}"


def choices_of(
    target: VaultObject,
    registry: Registry,
    columns: Sequence[str],
    filters: Mapping[str, str],
    few: Mapping[str, Options],
) -> list[Choice]:
    """Return the filters for columns with few values; ``few`` has the records by reference, as of ``few_records``."""
    choices = []
    for name in columns:
        field = target.fields[name]
        options = few.get(name) or _options(target, registry, field)
        if options:
            chosen = filters.get(name, "")
            choices.append(Choice(name, field.label, options, chosen))
    return choices[:MAX_CHOICES]


async def few_records(
    context: PageContext, target: VaultObject, columns: Sequence[str]
) -> dict[str, Options]:
    """Return, by column, the records that a reference may refer to: of objects with few records, and users."""
    found: dict[str, Options] = {}
    for name in columns:
        field = target.fields[name]
        parent = field.relationship_type is RelationshipType.PARENT
        if field.type is FieldType.OBJECT and not parent:
            options = await reference_options(context, field)
            found |= {name: options} if options else {}
    return found


def _options(target: VaultObject, registry: Registry, field: Field) -> Options:
    """Return name and label of each value of a field; empty for a field without a short list of values."""
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    if field.name == "state__v" and lifecycle is not None:
        states = lifecycle.states.values()
        return tuple((each.name, each.label) for each in states)
    picklist = registry.picklists.get(field.picklist or "")
    if picklist is None or field.multi_value:
        return ()
    return tuple((each.name, each.label) for each in picklist.entries.values())


def ranges_of(
    target: VaultObject, columns: Sequence[str], filters: Mapping[str, str]
) -> list[Range]:
    """Return the filters for ranges of fields."""
    ranges = []
    for name in columns:
        kind = _kind(target.fields[name])
        if kind:
            first, last = (filters.get(f"{name}{end}", "") for end in (FROM, TO))
            ranges.append(Range(name, target.fields[name].label, kind, first, last))
    return ranges[:MAX_RANGES]


def linked_of(
    target: VaultObject,
    columns: Sequence[str],
    choices: Sequence[Choice],
    filters: Mapping[str, str],
) -> list[tuple[str, str]]:
    """Return labels and values of the active filters that no input of the page shows."""
    shown = {each.name for each in choices}
    ends = [each.name for each in ranges_of(target, columns, filters)]
    shown |= {f"{name}{end}" for name in ends for end in (FROM, TO)}
    linked = []
    for name, value in filters.items():
        if name not in shown:
            field = target.fields.get(name) or target.fields[name.rpartition(".")[0]]
            linked.append((field.label, value))
    return linked


def _kind(field: Field) -> str:
    """Return the kind of input for the ends of a field's range; empty for a field that is not filtered by range."""
    match field.type:
        case FieldType.DATE | FieldType.DATE_TIME:
            return "date" if field.active else ""
        case FieldType.NUMBER:
            return "number" if field.active else ""
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.BOOLEAN
            | FieldType.ATTACHMENT
        ):
            return ""
        case _:
            assert_never(field.type)


def _is_filter(field: Field) -> bool:
    """Return whether the address of a list may filter by a field, as links from related records do."""
    match field.type:
        case FieldType.OBJECT | FieldType.PICKLIST | FieldType.STRING:
            return field.active
        case (
            FieldType.ID
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.NUMBER
            | FieldType.BOOLEAN
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.ATTACHMENT
        ):
            return False
        case _:
            assert_never(field.type)

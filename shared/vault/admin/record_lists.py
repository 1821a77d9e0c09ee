"""Selects the records of a list from its address: columns, order, filters, a list of the home page, a search."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never

from shared.vault.admin.inputs import reference_options
from shared.vault.admin.listing import find
from shared.vault.admin.showing import Shower, people
from shared.vault.model.component_model import (
    Field,
    FieldType,
    RelationshipType,
    VaultObject,
)
from shared.vault.vql import literal

if TYPE_CHECKING:
    from shared.vault.admin.visit import Visit
    from shared.vault.assembly.work_lists import WorkList
    from shared.vault.components.registry import Registry

MAX_COLUMNS = 6  # unless a person chooses them
MOST_COLUMNS = 12
MAX_CHOICES = 4  # fields that the page has a choice of values for
# Fields of little use in a list: ids of other systems, and fields with the same value in most records.
OUT_OF_LISTS = frozenset(
    {"object_type__v", "lifecycle__v", "link__sys", "global_id__sys"}
)
LATEST = "modified_date__v"
Options = tuple[tuple[str, str], ...]
"""Values of a field, each with its label."""
SYSTEM_COLUMNS = frozenset(
    {"name__v", "state__v", "status__v", "created_date__v", LATEST}
)


@dataclass(frozen=True, slots=True)
class Choice:
    """A field by one of whose values the list can be narrowed; ``chosen`` is empty for all of them."""

    name: str
    label: str
    options: Options
    chosen: str


@dataclass(frozen=True, slots=True)
class RecordList:
    """What a list shows: columns in order, the statement, and how it was narrowed and ordered.

    ``linked`` are labels and values of filters that other pages' links have set; ``possible`` the fields that can be
    columns; ``sort`` is the field that it is ordered by, with ``-`` before it for the last first, or empty.
    """

    target: VaultObject
    shower: Shower
    columns: list[str]
    possible: list[Field]
    statement: str
    q: str
    sort: str
    choices: list[Choice]
    linked: list[tuple[str, str]]
    work_list: WorkList | None
    search_is_gone: bool

    def next_sort(self, name: str) -> str:
        """Return the order that a press on a column's head gives."""
        return f"-{name}" if self.sort == name else name

    def direction(self, name: str) -> str:
        """Return how a column is ordered, as ``aria-sort`` has it; empty when it is not."""
        ways = {name: "ascending", f"-{name}": "descending"}
        return ways.get(self.sort, "")

    def sortable(self, name: str) -> bool:
        """Return whether a list can be ordered by a column."""
        return _is_sortable(self.target.fields[name])

    @property
    def narrowed(self) -> bool:
        """Return whether the list has fewer records than there are."""
        chosen = any(each.chosen for each in self.choices)
        return bool(chosen or self.linked or self.q or self.work_list)


async def record_list(
    visit: Visit, target: VaultObject, usual: tuple[str, ...] = ()
) -> RecordList:
    """Return the list that the address of a visit selects; ``usual`` are its columns unless a person chooses others."""
    asked = visit.request.query_params
    search = asked.get("search", "")
    q = await visit.vault.searches.words(visit.caller.user_id, search) if search else ""
    shower = Shower(target, visit.caller, visit.registry)
    shower.people = await people(visit, target)
    desk = visit.vault.definition.desk
    of_desk = desk.columns if desk is not None and desk.object == target.name else ()
    columns = _columns(target, asked.getlist("column"), usual or of_desk)
    filters = _filters(target, asked)
    work_list = _work_list(visit, target)
    sort = _sort(target, asked.get("sort", ""))
    terms = [f"{name} = {literal(value)}" for name, value in filters.items()]
    if work_list is not None:
        terms.append(work_list.condition.format(user_id=visit.caller.user_id))
    condition = f" WHERE {' AND '.join(terms)}" if terms else ""
    order = _order(sort, work_list, searched=bool(q))
    selection = shower.selection(columns)
    few = await _few_records(visit, target, columns) if of_desk else {}
    choices = _choices(target, visit.registry, columns, filters, few)
    chosen = {each.name for each in choices}
    return RecordList(
        target=target,
        shower=shower,
        columns=columns,
        possible=[each for each in target.fields.values() if _fits_list(each)],
        statement=f"SELECT {selection} FROM {target.name}{find(q)}{condition}{order}",
        q=q,
        sort=sort,
        choices=choices,
        linked=[
            (target.fields[name].label, value)
            for name, value in filters.items()
            if name not in chosen
        ],
        work_list=work_list,
        search_is_gone=bool(search) and not q,
    )


def _order(sort: str, work_list: WorkList | None, *, searched: bool) -> str:
    """Return the ORDER BY of a list: what a person chose, else that of the work list, or the latest first."""
    if sort:
        direction = "DESC" if sort.startswith("-") else "ASC"
        return f" ORDER BY {sort.removeprefix('-')} {direction}"
    # A search has an order of its own: the best matches first.
    if searched:
        return ""
    by = f"{LATEST} DESC" if work_list is None else work_list.order
    return f" ORDER BY {by}"


def _sort(target: VaultObject, asked: str) -> str:
    """Return the order that an address asks for; empty for one that is impossible."""
    field = target.fields.get(asked.removeprefix("-"))
    return asked if field is not None and _is_sortable(field) else ""


def _is_sortable(field: Field) -> bool:
    match field.type:
        case (
            FieldType.ID
            | FieldType.STRING
            | FieldType.NUMBER
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.BOOLEAN
        ):
            return field.active
        case FieldType.PICKLIST:
            return field.active and not field.multi_value
        # By a reference the order would be that of ids, which say nothing.
        case (
            FieldType.OBJECT
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.ATTACHMENT
        ):
            return False
        case _:
            assert_never(field.type)


def _choices(
    target: VaultObject,
    registry: Registry,
    columns: list[str],
    filters: Mapping[str, str],
    few: Mapping[str, Options],
) -> list[Choice]:
    """Return the fields of the list that have few values, each with these; ``few`` are those of references."""
    choices = []
    for name in columns:
        field = target.fields[name]
        options = few.get(name) or _options(target, registry, field)
        if options:
            chosen = filters.get(name, "")
            choices.append(Choice(name, field.label, options, chosen))
    return choices[:MAX_CHOICES]


async def _few_records(
    visit: Visit, target: VaultObject, columns: list[str]
) -> dict[str, Options]:
    """Return the records to which each reference of the list may refer, where they are few, and people."""
    found: dict[str, Options] = {}
    for name in columns:
        field = target.fields[name]
        parent = field.relationship_type is RelationshipType.PARENT
        if field.type is FieldType.OBJECT and not parent:
            options = await reference_options(visit, field)
            found |= {name: options} if options else {}
    return found


def _options(target: VaultObject, registry: Registry, field: Field) -> Options:
    """Return name and label of each value of a field; empty where they are not few."""
    lifecycle = registry.lifecycles.get(target.lifecycle or "")
    if field.name == "state__v" and lifecycle is not None:
        states = lifecycle.states.values()
        return tuple((each.name, each.label) for each in states)
    picklist = registry.picklists.get(field.picklist or "")
    if picklist is None or field.multi_value:
        return ()
    return tuple((each.name, each.label) for each in picklist.entries.values())


def _columns(
    target: VaultObject, chosen: list[str], usual: tuple[str, ...]
) -> list[str]:
    """Return the columns: those that a person chose, else the usual ones of the object.

    Without these they are the name, the state or status, and the first of the object's own fields.
    """
    # Fields of the standard configuration may have been made inactive since.
    usual_now = [name for name in usual if _can_be_column(target, name)]
    known = [name for name in dict.fromkeys(chosen) if _can_be_column(target, name)]
    if known:
        return ["name__v", *(name for name in known if name != "name__v")][
            :MOST_COLUMNS
        ]
    if usual_now:
        return usual_now
    head = ["name__v", "state__v" if target.lifecycle else "status__v"]
    left_out = (*head, "status__v", *OUT_OF_LISTS)
    own = [
        field.name
        for field in target.fields.values()
        if _fits_list(field) and not field.system and field.name not in left_out
    ]
    # The date is the last column, for which a place is reserved.
    further = MAX_COLUMNS - len(head) - 1
    return [*head, *own[:further], LATEST]


def _can_be_column(target: VaultObject, name: str) -> bool:
    field = target.fields.get(name)
    return field is not None and _fits_list(field)


def _fits_list(field: Field) -> bool:
    """Return whether a field is one whose values are short enough for a list."""
    # Of the Vault's own fields those that people ask for.
    if not field.active or (field.system and field.name not in SYSTEM_COLUMNS):
        return False
    match field.type:
        case (
            FieldType.STRING
            | FieldType.PICKLIST
            | FieldType.OBJECT
            | FieldType.DATE
            | FieldType.DATE_TIME
            | FieldType.NUMBER
        ):
            return True
        case (
            FieldType.ID
            | FieldType.LONG_TEXT
            | FieldType.RICH_TEXT
            | FieldType.BOOLEAN
            | FieldType.ATTACHMENT
        ):
            return False
        case _:
            assert_never(field.type)


def _is_filter(field: Field) -> bool:
    """Return whether an address may have a value for a field, which links of related records do."""
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


def _filters(target: VaultObject, parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the values that an address has for fields."""
    fields = target.fields
    return {
        name: value.replace("\x00", "")
        for name, value in parameters.items()
        if value and name in fields and _is_filter(fields[name])
    }


def _work_list(visit: Visit, target: VaultObject) -> WorkList | None:
    """Return the list of the home page that the address names; None without one."""
    desk = visit.vault.definition.desk
    if desk is None or desk.object != target.name:
        return None
    return desk.list_named(visit.request.query_params.get("list", ""))

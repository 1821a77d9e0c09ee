"""Selects the records of a list from its address: by a view, columns, order, filters, a work list, or a search."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, assert_never
from urllib.parse import quote

from shared.vault.admin.list_filters import (
    Choice,
    Range,
    choices_of,
    conditions,
    desk_choices,
    few_records,
    filters_of,
    linked_of,
    ranges_of,
)
from shared.vault.admin.listing import find
from shared.vault.admin.showing import ValueFormatter, people
from shared.vault.model.component_model import Field, FieldType, VaultObject
from shared.vault.queries.list_views import Selection

if TYPE_CHECKING:
    from uuid import UUID

    from shared.vault.admin.page_context import PageContext
    from shared.vault.assembly.work_lists import (
        Desk,
        DeskFilter,
        RelatedColumn,
        WorkList,
    )
    from shared.vault.queries.list_views import ListView

MAX_COLUMNS = 6  # unless a person chooses them
MOST_COLUMNS = 12
# Fields of little use in a list: ids of other systems, and fields with the same value in most records.
OUT_OF_LISTS = frozenset(
    {"object_type__v", "lifecycle__v", "link__sys", "global_id__sys"}
)
LATEST = "modified_date__v"
SYSTEM_COLUMNS = frozenset(
    {"name__v", "state__v", "status__v", "created_date__v", LATEST}
)


@dataclass(frozen=True, slots=True)
class RecordList:
    """The content of a list: columns in order, the statement, its filters and its order.

    ``linked`` are labels and values of filters that other pages' links have set; ``possible`` are the fields and the
    columns of related records that can be columns; ``view`` is the view in the address, ``selection`` the shown content
    as a view stores it. ``work_list`` is the list in the address, ``work_lists`` are all lists of the object's desk.
    """

    target: VaultObject
    formatter: ValueFormatter
    columns: list[str]
    possible: list[Field | RelatedColumn]
    statement: str
    selection: Selection
    view: ListView | None
    choices: list[Choice]
    ranges: list[Range]
    linked: list[tuple[str, str]]
    work_list: WorkList | None
    work_lists: tuple[WorkList, ...]

    @property
    def q(self) -> str:
        """Return the words of the list's search; empty without one."""
        return self.selection.words

    @property
    def sort(self) -> str:
        """Return the field that orders the list, after ``-`` if in descending order; empty for the usual order."""
        return self.selection.sort

    @property
    def changed(self) -> bool:
        """Return whether the list differs from its view."""
        return self.view is not None and self.view.selection != self.selection

    def next_sort(self, name: str) -> str:
        """Return the order that results from a click on a column's head."""
        if self.sort == name:
            return f"-{name}"
        return name

    def direction(self, name: str) -> str:
        """Return the value of ``aria-sort`` for a column; empty when the list is not ordered by it."""
        ways = {name: "ascending", f"-{name}": "descending"}
        return ways.get(self.sort, "")

    def sortable(self, name: str) -> bool:
        """Return whether a list can be ordered by a column."""
        return not self.formatter.is_related(name) and _is_sortable(
            self.target.fields[name]
        )

    @property
    def narrowed(self) -> bool:
        """Return whether filters, a search or a work list restrict the list."""
        selection = self.selection
        return bool(selection.filters or selection.words or selection.work_list)


def list_path(object_name: str, view_id: UUID | None = None) -> str:
    """Return the address of an object's list, or of a view of it."""
    path = f"/ui/objects/{quote(object_name)}"
    return path if view_id is None else f"{path}?view={view_id}"


async def views_of(
    context: PageContext, object_name: str
) -> tuple[list[ListView], ListView | None]:
    """Return the views of an object's list that the caller sees, and the view in the address, or None."""
    named = context.request.query_params.get("view", "")
    seen = await context.vault.list_views.visible(context.caller, object_name)
    return seen, next((each for each in seen if str(each.view_id) == named), None)


async def record_list(
    context: PageContext,
    target: VaultObject,
    view: ListView | None = None,
    usual: Sequence[str] = (),
) -> RecordList:
    """Return the list that the request's address selects; parameters that are not set are taken from the view.

    ``usual`` are the columns unless the user or the view chooses others.
    """
    parameters = context.request.query_params
    stored = view.selection if view is not None else Selection()
    search = parameters.get("search", "")
    words = stored.words if "search" not in parameters else ""
    if search:
        words = await context.vault.searches.words(context.caller.user_id, search)
    desk = _desk(context, target)
    work_list = _work_list(desk, parameters.get("list", stored.work_list))
    chosen = parameters.getlist("column") or stored.columns
    selection = Selection(
        columns=tuple(chosen),
        sort=_sort(target, parameters.get("sort", stored.sort)),
        filters=filters_of(
            target, {**stored.filters, **parameters}, _desk_filters(desk)
        ),
        words=words,
        work_list=work_list.name if work_list is not None else "",
    )
    return await _listed(context, target, view, selection, usual)


async def _listed(
    context: PageContext,
    target: VaultObject,
    view: ListView | None,
    selection: Selection,
    usual: Sequence[str],
) -> RecordList:
    """Return the list that a selection describes; ``usual`` are its columns unless the selection has others."""
    desk = _desk(context, target)
    desk_filters = _desk_filters(desk)
    work_list = _work_list(desk, selection.work_list)
    related = desk.related_columns if desk else ()
    formatter = ValueFormatter(target, context.caller, context.registry, related)
    formatter.people = await people(context, target)
    formatter.error_text_fields = context.vault.definition.error_text_fields
    of_desk = desk.columns if desk else ()
    columns = _columns(formatter, selection.columns, usual or of_desk)
    fields = [name for name in columns if not formatter.is_related(name)]
    terms = conditions(target, selection.filters, desk_filters)
    if work_list is not None:
        terms.append(work_list.condition.format(user_id=context.caller.user_id))
    condition = f" WHERE {' AND '.join(terms)}" if terms else ""
    order = _order(selection.sort, work_list, searched=bool(selection.words))
    found = find(selection.words)
    selected = formatter.selection(columns)
    few = await few_records(context, target, fields) if desk else {}
    choices = [
        *choices_of(target, context.registry, fields, selection.filters, few),
        *desk_choices(desk_filters, selection.filters),
    ]
    return RecordList(
        target=target,
        formatter=formatter,
        columns=columns,
        possible=[
            *(f for f in target.fields.values() if _can_be_column(formatter, f.name)),
            *formatter.related_columns,
        ],
        statement=f"SELECT {selected} FROM {target.name}{found}{condition}{order}",
        selection=selection,
        view=view,
        choices=choices,
        ranges=ranges_of(target, fields, selection.filters),
        linked=linked_of(target, fields, choices, selection.filters),
        work_list=work_list,
        work_lists=desk.lists if desk else (),
    )


def _order(sort: str, work_list: WorkList | None, *, searched: bool) -> str:
    """Return the ORDER BY clause of a list: the user's choice, else that of the work list, else the latest first."""
    if sort:
        direction = "DESC" if sort.startswith("-") else "ASC"
        return f" ORDER BY {sort.removeprefix('-')} {direction}"
    # A search has an order of its own: the best matches first.
    if searched:
        return ""
    by = f"{LATEST} DESC" if work_list is None else work_list.order
    return f" ORDER BY {by}"


def _sort(target: VaultObject, order: str) -> str:
    """Return the order in an address; empty for an invalid one."""
    field = target.fields.get(order.removeprefix("-"))
    return order if field is not None and _is_sortable(field) else ""


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


def _columns(
    formatter: ValueFormatter, chosen: Sequence[str], usual: Sequence[str]
) -> list[str]:
    """Return the columns: the user's choice, else the usual columns of the object.

    Without usual columns they are the name, the state or status, and the first of the object's own fields.
    """
    # Fields of the standard configuration may have been made inactive since.
    target = formatter.target
    usual_now = [name for name in usual if _can_be_column(formatter, name)]
    known = [name for name in dict.fromkeys(chosen) if _can_be_column(formatter, name)]
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


def _can_be_column(formatter: ValueFormatter, name: str) -> bool:
    """Return whether a list may have a column: of a related record, of a field with short values, or of a long text.

    Long texts are cut.
    """
    field = formatter.target.fields.get(name)
    if field is None:
        return formatter.is_related(name)
    begins = field.active and field.type is FieldType.LONG_TEXT and not field.system
    return begins or _fits_list(field)


def _fits_list(field: Field) -> bool:
    """Return whether a field's values are short enough for a list."""
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


def _desk(context: PageContext, target: VaultObject) -> Desk | None:
    """Return the desk of an object's records; None for an object without a desk."""
    desk = context.vault.definition.desk
    return desk if desk is not None and desk.object == target.name else None


def _desk_filters(desk: Desk | None) -> tuple[DeskFilter, ...]:
    return desk.filters if desk else ()


def _work_list(desk: Desk | None, name: str) -> WorkList | None:
    """Return the work list with a name; None when there is none."""
    return desk.list_named(name) if desk else None

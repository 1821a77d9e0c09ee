"""Describes the lists of work on the home page, and the values at the head of a record's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkList:
    """A list of records that wait for the same work of a user.

    ``condition`` and ``order`` are VQL; ``{user_id}`` in the condition stands for the user's id. ``hint`` describes the
    work. ``new_since`` names a date field: a record whose date is after the user's last visit is marked as new.
    """

    name: str
    label: str
    condition: str
    order: str
    columns: tuple[str, ...]
    hint: str
    new_since: str = ""


@dataclass(frozen=True, slots=True)
class Lead:
    """A value at the head of a record's page: of a field of the record, or of a record to which it refers.

    ``path`` is a path of VQL, for example ``case__vr.case_contact__vr.name__v``. ``label`` is shown for the field of a
    related record, whose own label does not name the related record; empty for a field of the record itself.
    """

    path: str
    label: str = ""

    @property
    def relationships(self) -> tuple[str, ...]:
        """Return the relationships in the path; empty for a field of the record itself."""
        return tuple(self.path.split(".")[:-1])

    @property
    def field(self) -> str:
        """Return the field at the end of the path."""
        return self.path.rpartition(".")[2]

    @property
    def id_path(self) -> str:
        """Return the path to the id of the record at the end of the path."""
        return ".".join((*self.relationships, "id"))


@dataclass(frozen=True, slots=True)
class RelatedColumn:
    """A column of a desk's lists with a value of a related record, by a ``name`` that no field of the object has.

    ``second_line`` are fields of the record itself: the first of them with a value is shown below the related value.
    """

    name: str
    lead: Lead
    second_line: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return the heading of the column."""
        return self.lead.label


@dataclass(frozen=True, slots=True)
class FilterOption:
    """One option of a desk filter: a condition in VQL, in which ``{moment}`` stands for the time ``days`` days ago."""

    name: str
    label: str
    condition: str
    days: int = 0


@dataclass(frozen=True, slots=True)
class DeskFilter:
    """A filter of a desk's lists that is not for a field, by a ``name`` that no field of the object has."""

    name: str
    label: str
    options: tuple[FilterOption, ...]

    def option(self, name: str) -> FilterOption | None:
        """Return the option with a name; None when there is none."""
        return next((each for each in self.options if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Desk:
    """The part of the home page for users who may edit the records of an object.

    ``create`` is the text of the link to the form of a new record. ``columns`` are the columns of the list of all
    records, ``lists`` the work lists in their order on the page. The columns of all these lists may include
    ``related_columns``; ``filters`` are offered beside the filters for fields.
    """

    object: str
    create: str
    columns: tuple[str, ...]
    lists: tuple[WorkList, ...]
    related_columns: tuple[RelatedColumn, ...] = ()
    filters: tuple[DeskFilter, ...] = ()

    def list_named(self, name: str) -> WorkList | None:
        """Return the work list with a name; None when there is none."""
        return next((each for each in self.lists if each.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedForm:
    """The form of an object's records, which asks for all that the named action ``goal`` of its lifecycle needs.

    Its button ``send_label`` creates a record, or stores a draft, and runs the goal's user actions; ``resend_label`` is
    the button for a stored record that is no draft. ``sent_message`` is shown then. The buttons are offered while
    ``integration`` is active. A draft must have a value in one of ``minimum_fields``.

    The value of ``choice_field`` decides which fields of ``fields_by_choice``, a mapping from values to fields,
    the form asks for under ``chosen_heading``; the fields of other values are under ``other_heading``.
    """

    goal: str
    integration: str
    send_label: str
    resend_label: str
    sent_message: str
    minimum_fields: tuple[str, ...]
    choice_field: str
    fields_by_choice: Mapping[str, tuple[str, ...]]
    chosen_heading: str
    other_heading: str

    @property
    def dependent(self) -> frozenset[str]:
        """Return the fields of ``fields_by_choice``, of all values together."""
        return frozenset(
            name for names in self.fields_by_choice.values() for name in names
        )


@dataclass(frozen=True, slots=True)
class Answered:
    """The records of an object whose answered questions are shown beside similar questions.

    ``question``, ``answer`` and ``date`` name fields; ``condition`` is VQL and selects the answered records. ``same``
    names a reference field: records that refer to the same record are preferred.
    """

    object: str
    question: str
    answer: str
    condition: str
    date: str
    same: str


@dataclass(frozen=True, slots=True)
class Related:
    """The list of the latest records of ``object`` on the page of the record to which their ``field`` refers."""

    object: str
    field: str
    columns: tuple[str, ...]

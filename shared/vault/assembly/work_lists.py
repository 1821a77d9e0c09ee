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
class FarColumn:
    """A column of a desk's lists with a value of a record that is referred to, by a ``name`` that no field has.

    Of the record's own fields in ``beneath``, the first one with a value stands under it.
    """

    name: str
    lead: Lead
    beneath: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """Return the head of the column."""
        return self.lead.label


@dataclass(frozen=True, slots=True)
class Narrowed:
    """One choice of a narrowing: a condition in VQL, with ``{moment}`` for the moment so many ``days`` ago."""

    name: str
    label: str
    condition: str
    days: int = 0


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a desk's lists can be narrowed by beside the fields of their columns, by a ``name`` that no field has."""

    name: str
    label: str
    choices: tuple[Narrowed, ...]

    def chosen(self, name: str) -> Narrowed | None:
        """Return one of the choices; None when there is none of this name."""
        return next((each for each in self.choices if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Desk:
    """The part of the home page for users who may edit the records of an object.

    ``create`` is the text of the link to the form of a new record. ``columns`` are the columns of the list of all
    records, ``lists`` the work lists in their order on the page; their columns may be names of ``far`` ones.
    ``narrowings`` are filters of the list beside those of its columns.
    """

    object: str
    create: str
    columns: tuple[str, ...]
    lists: tuple[WorkList, ...]
    far: tuple[FarColumn, ...] = ()
    narrowings: tuple[Narrowing, ...] = ()

    def list_named(self, name: str) -> WorkList | None:
        """Return one of the lists; None when there is none of this name."""
        return next((each for each in self.lists if each.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class GuidedForm:
    """The form of an object's records, which asks for all that the named action ``goal`` of its lifecycle needs.

    Its button ``send_label`` creates a record, or stores a draft, and runs the goal's user actions; that of a record
    that is no draft is ``send_again_label``. ``sent_message`` is shown then; the buttons are offered while
    ``integration`` is active. A draft must have a value in one of ``minimum_fields``.

    The value of ``choice_field`` decides which fields of ``fields_by_choice``, a mapping from values to fields,
    the form asks for under ``chosen_heading``; the fields of other values are under ``other_heading``.
    """

    goal: str
    integration: str
    send_label: str
    send_again_label: str
    sent_message: str
    minimum_fields: tuple[str, ...]
    choice_field: str
    fields_by_choice: Mapping[str, tuple[str, ...]]
    chosen_heading: str
    other_heading: str

    @property
    def dependent(self) -> frozenset[str]:
        """Return the fields that belong to one value or another."""
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

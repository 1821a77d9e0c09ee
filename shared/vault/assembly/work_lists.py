"""Describes the lists of work on the home page, and the values at the head of a record's page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkList:
    """A list of records in which a person has the same thing to do.

    ``condition`` and ``order`` are VQL, with ``{user_id}`` for the person's id in the condition. ``hint`` says what to
    do with the records. A record whose ``new_since``, a date, is after the person's last visit is marked as new.
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
    """A value at the head of a record's page: a field of the record, or by relationships of a record that it refers to.

    ``path`` is that of VQL, for example ``case__vr.case_contact__vr.name__v``; ``label`` is that of such a path, since
    the far field's own label does not say whose it is.
    """

    path: str
    label: str = ""

    @property
    def relationships(self) -> tuple[str, ...]:
        """Return the relationships on the way, none for a field of the record itself."""
        return tuple(self.path.split(".")[:-1])

    @property
    def field(self) -> str:
        """Return the field at the end."""
        return self.path.rpartition(".")[2]

    @property
    def id_path(self) -> str:
        """Return the path of the id of the record at the end."""
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
    """The home page's part for users who may edit the records of an object: what they create, and their lists in order.

    ``columns`` are those of the list of all records; among them and those of the lists may be ``far`` ones.
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
    """How a form leads through the records of an object, which are made for a named action of its lifecycle (``goal``).

    ``send`` is the button that creates a record and takes it there, ``send_again`` the one that stores what was changed
    of a record that is no draft, and takes it there; ``sent`` is what is said then. They are offered while
    ``integration`` is active. ``least`` are the fields without all of which a new record is worth nothing. Of the
    fields that ``belongs`` lists by the values of ``choice``, the form asks for those of the value that is chosen;
    ``heading`` stands over them and the choice, ``others`` over those of the other values.
    """

    goal: str
    integration: str
    send: str
    send_again: str
    sent: str
    least: tuple[str, ...]
    choice: str
    belongs: Mapping[str, tuple[str, ...]]
    heading: str
    others: str

    @property
    def dependent(self) -> frozenset[str]:
        """Return the fields that belong to one value or another."""
        return frozenset(name for names in self.belongs.values() for name in names)


@dataclass(frozen=True, slots=True)
class Answered:
    """Records of an object with a question and, under a VQL condition, its answer and date.

    Records with the same value of ``same``, a reference, count as more similar.
    """

    object: str
    question: str
    answer: str
    condition: str
    date: str
    same: str


@dataclass(frozen=True, slots=True)
class Related:
    """Records that refer to another one by a ``field``, the latest of which stand on its page with these columns."""

    object: str
    field: str
    columns: tuple[str, ...]

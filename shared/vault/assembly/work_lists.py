"""Describes what people of a Vault are shown first: on the home page by what needs them, and of each record."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WorkList:
    """Records that need the same thing of a person.

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
class Desk:
    """The work of those who may edit the records of an object: what they create, and their lists in order.

    ``columns`` are those of the list of all records.
    """

    object: str
    create: str
    columns: tuple[str, ...]
    lists: tuple[WorkList, ...]

    def list_named(self, name: str) -> WorkList | None:
        """Return one of the lists; None when there is none of this name."""
        return next((each for each in self.lists if each.name == name), None)


@dataclass(frozen=True, slots=True)
class Answered:
    """Records of an object that have a question, and under a condition in VQL an answer to it and its date.

    Those about the same (``same``, a reference) are the more similar ones.
    """

    object: str
    question: str
    answer: str
    condition: str
    date: str
    same: str


@dataclass(frozen=True, slots=True)
class Lead:
    """A value that leads a record's page: a field of it, or by relationships one of a record that it refers to.

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
class Related:
    """Records that refer to another one by a ``field``, the latest of which stand on its page with these columns."""

    object: str
    field: str
    columns: tuple[str, ...]

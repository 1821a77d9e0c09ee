"""Preferred Contact Information of a Case: the Person Information that equals the inquiry's delivery detail."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from shared.client.results import text

Row = Mapping[str, object]

PERSON_INFORMATION = "person_information__v"
TARGET_FIELD = "preferred_contact_information__v"
METHOD = "delivery_method__v"
HEAD = f"SELECT id, person__v, information_type__v, value__v FROM {PERSON_INFORMATION}"  # noqa: S608  VQL of names

_ADDRESS = (
    "address_line_1__v",
    "address_line_2__v",
    "city__v",
    "state_province__v",
    "zip__v",
)
# Delivery method → type of Person Information, and the fields of the inquiry that make up the detail.
_DETAILS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "email__v": ("email__v", ("email__v",)),
    "phone__v": ("phone__v", ("phone_number__v",)),
    "fax__v": ("fax__v", ("fax_number__v",)),
    "mail__v": ("address__v", _ADDRESS),
    "urgent_mail__v": ("address__v", _ADDRESS),
}
SOURCE_FIELDS = (
    METHOD,
    *dict.fromkeys(name for _, names in _DETAILS.values() for name in names),
)
"""Fields of an inquiry that :func:`detail` reads, where they exist."""

Detail = tuple[str, str]
"""Type of Person Information, and the value in the form in which two are compared."""


def detail(inquiry: Row) -> Detail | None:
    """Where the answer should go, or None when the inquiry does not say."""
    kind, names = _DETAILS.get(text(inquiry, METHOD), ("", ()))
    value = _comparable(
        kind, ", ".join(part for name in names if (part := text(inquiry, name)))
    )
    return (kind, value) if value else None


class PersonInformation:
    """Active Person Information of some persons, found by person and detail."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """``rows`` are those of ``HEAD``; of several that are equal, the first by id counts."""
        self._ids: dict[tuple[str, Detail], str] = {}
        for row in sorted(rows, key=lambda row: text(row, "id")):
            kind = text(row, "information_type__v")
            found = (kind, _comparable(kind, text(row, "value__v")))
            self._ids.setdefault((text(row, "person__v"), found), text(row, "id"))

    def find(self, person: str, wanted: Detail) -> str | None:
        """Id of the person's record with that detail."""
        return self._ids.get((person, wanted))


def _comparable(kind: str, value: str) -> str:
    """White space and case never matter; in numbers only the digits and a leading plus do."""
    if kind in ("phone__v", "fax__v"):
        digits = "".join(character for character in value if character.isdecimal())
        return f"+{digits}" if value.strip().startswith("+") else digits
    return " ".join(value.split()).casefold()

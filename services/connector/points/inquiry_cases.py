"""Finds the records that an inquiry's Case is made with: the Case of its group, its Preferred Contact Information."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple, assert_never

from services.connector.points.case_contacts import LINK
from services.connector.points.evaluation import query_all
from services.connector.points.saving import Values
from services.connector.rules.rows import statements
from services.connector.vaults.record_access import RecordReads
from shared.client.results import text

Row = Mapping[str, object]

# Preferred Contact Information: the contact's own detail that equals that of the inquiry

PERSON_INFORMATION = "person_information__v"
PREFERRED = "preferred_contact_information__v"
METHOD = "delivery_method__v"
INFORMATION_HEAD = (
    f"SELECT id, person__v, information_type__v, value__v FROM {PERSON_INFORMATION}"  # noqa: S608  VQL of names
)

_ADDRESS = (
    "address_line_1__v",
    "address_line_2__v",
    "city__v",
    "state_province__v",
    "zip__v",
)


class InformationType(StrEnum):
    """The types of Person Information that the delivery methods need."""

    EMAIL = "email__v"
    PHONE = "phone__v"
    FAX = "fax__v"
    ADDRESS = "address__v"


class DeliveryMethod(StrEnum):
    """Delivery methods of an inquiry for which a Case has Preferred Contact Information."""

    EMAIL = "email__v"
    PHONE = "phone__v"
    FAX = "fax__v"
    MAIL = "mail__v"
    URGENT_MAIL = "urgent_mail__v"


Detail = tuple[str, str]
"""Type of Person Information, and the value in the form in which two are compared."""


def _parts(method: DeliveryMethod) -> tuple[InformationType, tuple[str, ...]]:
    """Return the type of Person Information for a method, and the fields of an inquiry that contain its value."""
    match method:
        case DeliveryMethod.EMAIL:
            return InformationType.EMAIL, ("email__v",)
        case DeliveryMethod.PHONE:
            return InformationType.PHONE, ("phone_number__v",)
        case DeliveryMethod.FAX:
            return InformationType.FAX, ("fax_number__v",)
        case DeliveryMethod.MAIL | DeliveryMethod.URGENT_MAIL:
            return InformationType.ADDRESS, _ADDRESS
        case _:
            assert_never(method)


_FIELDS = (name for method in DeliveryMethod for name in _parts(method)[1])
SOURCE_FIELDS = (METHOD, *dict.fromkeys(_FIELDS))
"""Fields of an inquiry that :func:`detail` reads, where they exist."""


def detail(inquiry: Row) -> Detail | None:
    """Return the contact detail for the answer, or None when the inquiry has none."""
    try:
        method = DeliveryMethod(text(inquiry, METHOD))
    except ValueError:
        # Only these methods have Person Information of their kind.
        return None
    kind, names = _parts(method)
    values = [text(inquiry, name) for name in names]
    value = _comparable(kind, ", ".join(filter(None, values)))
    if value:
        return (kind, value)
    return None


class PersonInformation:
    """Active Person Information of some persons, found by person and detail."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Index rows of ``INFORMATION_HEAD``; of several equal ones, use the first by id."""
        self._ids: dict[tuple[str, Detail], str] = {}
        # In the order of ids, so that every repetition chooses the same record.
        for row in sorted(rows, key=lambda row: text(row, "id")):
            person = text(row, "person__v")
            kind = text(row, "information_type__v")
            value = _comparable(kind, text(row, "value__v"))
            self._ids.setdefault((person, (kind, value)), text(row, "id"))

    def find(self, person: str, wanted: Detail) -> str | None:
        """Return the id of the person's record with that detail, or None."""
        return self._ids.get((person, wanted))


_INFORMATION_TYPES = {kind.value: kind for kind in InformationType}


def _comparable(kind: str, value: str) -> str:
    """Return a value of Person Information in the form in which two are compared."""
    known = _INFORMATION_TYPES.get(kind)
    match known:
        case InformationType.PHONE | InformationType.FAX:
            # People write one number in many ways; only the digits and a leading plus make a difference.
            found = filter(str.isdecimal, value)
            digits = "".join(found)
            return f"+{digits}" if value.strip().startswith("+") else digits
        case InformationType.EMAIL | InformationType.ADDRESS | None:
            # White space and case never make a difference.
            return " ".join(value.split()).casefold()
        case _:
            assert_never(known)


# The Case that inquiries of a group share

CASE = "case__v"
CONTACT = "case_contact__v"
COUNTRY = "country__v"
_CASE_HEAD = f"SELECT id, {LINK}, {CONTACT} FROM {CASE}"  # noqa: S608  VQL of names


class GroupCases(NamedTuple):
    """The existing Cases of groups: their ids by Link, and the Links of Cases whose contact has changed.

    A Case whose Case Contact was changed by a user is no longer used for its group.
    """

    ids: dict[str, str]
    others: frozenset[str]


def group_link(
    vault_id: int,
    case: Values,
    person: object,
    global_id: object,
) -> str | None:
    """Return the Link of the Case that an inquiry shares with its group; None when the inquiry has a Case of its own.

    ``case`` are the fields that the rule has filled, its Link with the group's id; ``person`` is the Case Contact.
    """
    # People type it: white space around it says nothing.
    group = str(case.get(LINK) or "").strip()
    if not group or group == global_id:
        return None
    # A Case is about one contact and one country: whoever else uses the same id, in any Vault CRM, has a Case apart.
    # The group's id comes last, since it alone may contain the separator, which no Global ID contains.
    parts = (vault_id, person, case.get(COUNTRY) or "", group)
    return ":".join(map(str, parts))


async def existing_cases(
    target: RecordReads,
    contact_of: Mapping[str, str],
) -> GroupCases:
    """Return the existing Cases of groups; ``contact_of`` has the id of a group's Case Contact by the Link of its Case.

    :raises ClientError: one of the calls fails.
    """
    rows = await query_all(target, statements(_CASE_HEAD, LINK, contact_of))
    ids: dict[str, str] = {}
    others: set[str] = set()
    for row in rows:
        link = text(row, LINK)
        if text(row, CONTACT) == contact_of[link]:
            ids[link] = str(row["id"])
        else:
            others.add(link)
    return GroupCases(ids, frozenset(others))

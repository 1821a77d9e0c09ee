"""Finds, updates or creates the Case Contact of each HCP of a batch, and finds its Preferred Contact Information."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import assert_never

from services.connector.points.evaluation import query_all
from services.connector.points.saving import KeyedRows, Origin, not_saved, save
from services.connector.points.transfer import Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.rows import by_any_key, statements
from services.connector.vaults.record_access import RecordReads
from shared.client.results import CREATED, RowResult, text
from shared.runtime.waiting import concurrently

Row = Mapping[str, object]
Values = Mapping[str, object]

PERSON = "person__sys"
SOURCE_DATA = "case_contact_source_data__v"
LINK = "link__sys"
VEEVA_ID = "veeva_id__v"
EXTERNAL_ID = "external_id__v"
_PERSON_LINK = f"person__vr.{LINK}"
_CASE_CONTACT = {"object_type__v.api_name__v": "case_contact__v"}
# A contact found by an identifier keeps its own link: it may be tied to another account as well.
_SET_AT_CREATION = frozenset({LINK, *_CASE_CONTACT})


class Saved(dict[str, str | ItemFailure]):
    """Contact key → id of its Case Contact, or why it has none; ``new`` are the ids of those that were just created."""

    def __init__(self) -> None:
        super().__init__()
        self.new: set[str] = set()


@dataclass(frozen=True, slots=True)
class Contact:
    """One HCP as the source Vault has it.

    ``key`` is the source record's id, ``object`` its object, ``link`` its Global ID, ``modified`` its modified date,
    ``person`` and ``source_data`` the fields as ``rule`` evaluates them. ``item`` is the id in the message that names
    it.
    """

    item: str
    object: str
    rule: CompiledRule
    key: str
    link: str
    modified: str
    person: Values
    source_data: Values

    @classmethod
    def of(
        cls,
        item: str,
        rule: CompiledRule,
        key: str,
        row: Row,
        targets: Mapping[str, Values],
    ) -> Contact:
        """Return the HCP that a source row describes, by the target values of an account rule."""
        person = targets.get(PERSON, {})
        source_data = targets.get(SOURCE_DATA, {})
        link = source_data.get(LINK) or person.get(LINK) or row["global_id__sys"]
        return cls(
            item,
            rule.plan.object,
            rule,
            key,
            str(link),
            text(row, "modified_date__v"),
            person,
            source_data,
        )

    def origin(self, ruled: Values) -> Origin:
        """Return the origin of a row made from this contact, of which the rule has filled these fields."""
        return Origin(self.item, self.object, self.key, self.rule.name, ruled)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Holds ids of existing contacts by Veeva ID, by External ID, and by the Link of their source data.

    ``links`` has the Link of each contact by its id: it names the account that the contact was made of.
    """

    by_veeva_id: Mapping[str, str]
    by_external_id: Mapping[str, str]
    by_link: Mapping[str, str]
    links: Mapping[str, str]


class Ambiguous(Exception):
    """Raised for an HCP whose identifiers belong to two different contacts; the text contains no value."""


def read_candidates(
    persons: Iterable[Row],
    source_data: Iterable[Row],
) -> Candidates:
    """Index rows of ``person__sys`` and of ``case_contact_source_data__v``."""
    by_veeva_id: dict[str, str] = {}
    by_external_id: dict[str, str] = {}
    links: dict[str, str] = {}
    for row in persons:
        record = str(row["id"])
        links[record] = text(row, LINK)
        if row.get(VEEVA_ID):
            by_veeva_id[str(row[VEEVA_ID])] = record
        if row.get(EXTERNAL_ID):
            by_external_id[str(row[EXTERNAL_ID])] = record
    # Source data need not have a contact.
    by_link: dict[str, str] = {}
    for row in source_data:
        record = text(row, "person__v")
        if record:
            by_link[text(row, LINK)] = record
            links[record] = text(row, _PERSON_LINK)
    return Candidates(by_veeva_id, by_external_id, by_link, links)


def match(
    contact: Contact,
    candidates: Candidates,
) -> str | None:
    """Return the id of the existing contact of this HCP, or None when a new one is needed.

    :raises Ambiguous: Veeva ID and External ID lead to different contacts, of which none is a safe guess.
    """
    by_veeva_id, by_external_id = _identified(contact, candidates)
    if by_veeva_id and by_external_id and by_veeva_id != by_external_id:
        raise Ambiguous(
            f"the Veeva ID belongs to Case Contact {by_veeva_id} and the External ID to Case Contact {by_external_id}; "
            "merge the two or correct the account's identifiers"
        )
    # The Link comes last: it identifies an account, the other two a person.
    return by_veeva_id or by_external_id or candidates.by_link.get(contact.link)


def _identified(
    contact: Contact,
    candidates: Candidates,
) -> tuple[str | None, str | None]:
    """Return the ids of the contacts with the HCP's Veeva ID, and with its External ID."""
    return (
        _find(contact.person.get(VEEVA_ID), candidates.by_veeva_id),
        _find(contact.person.get(EXTERNAL_ID), candidates.by_external_id),
    )


def _find(
    identifier: object,
    index: Mapping[str, str],
) -> str | None:
    return index.get(str(identifier)) if identifier else None


async def candidates_of(
    target: RecordReads,
    contacts: Sequence[Contact],
) -> Candidates:
    """Return the existing Case Contacts with an identifier of any of these HCPs.

    :raises ClientError: one of the calls fails.
    """
    # Dicts instead of sets keep the order, so that the same batch asks the same statements.
    keys: dict[str, dict[str, None]] = {VEEVA_ID: {}, EXTERNAL_ID: {}}
    for contact in contacts:
        for name, values in keys.items():
            value = contact.person.get(name)
            if value:
                values[str(value)] = None
    head = f"SELECT id, {VEEVA_ID}, {EXTERNAL_ID}, {LINK} FROM {PERSON}"  # noqa: S608  VQL of names
    persons = await query_all(target, by_any_key(head, keys))
    found = read_candidates(persons, ())
    # The Link decides last, so that only those who are found by neither identifier are looked for by it.
    links = dict.fromkeys(
        contact.link for contact in contacts if not any(_identified(contact, found))
    )
    head = f"SELECT {LINK}, person__v, {_PERSON_LINK} FROM {SOURCE_DATA}"  # noqa: S608  VQL of names
    source_data = await query_all(target, statements(head, LINK, links))
    return read_candidates(persons, source_data)


async def save_contacts(
    unit: Transfer,
    contacts: Sequence[Contact],
) -> Saved:
    """Update or create the Case Contact of each HCP.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ClientError: one of the calls fails.
    """
    saved, refused = await _match_and_save(unit, contacts)
    # Another unit or connector may have created the same HCP since it was looked for: then it is found now.
    again = [contact for contact in contacts if contact.key in refused]
    if again:
        more, _ = await _match_and_save(unit, again)
        saved.update(more)
        saved.new |= more.new
    return saved


@dataclass(slots=True)
class _Changes:
    """Rows of Case Contacts to write; ``matched`` has the Case Contact ids of the matched contacts, by contact key."""

    updates: KeyedRows = field(default_factory=KeyedRows)
    creations: KeyedRows = field(default_factory=KeyedRows)
    matched: dict[str, str] = field(default_factory=dict)

    def create(self, contact: Contact) -> None:
        values = {**_CASE_CONTACT, **contact.person}
        origin = contact.origin(contact.person)
        self.creations.add(contact.link, values, contact.modified, origin)

    def update(
        self,
        contact: Contact,
        person: str,
        link: str,
    ) -> None:
        """Add the row of an existing Case Contact, whose Link is ``link``."""
        self.matched[contact.key] = person
        # What one account lacks another one of the same person may have: only that of the contact empties fields.
        empties = link == contact.link
        values = {
            name: value
            for name, value in contact.person.items()
            if name not in _SET_AT_CREATION and (empties or value is not None)
        }
        origin = contact.origin(values)
        self.updates.add(person, values, contact.modified, origin)


async def _match_and_save(
    unit: Transfer,
    contacts: Sequence[Contact],
) -> tuple[Saved, set[str]]:
    """Match and save once; return the results, and the keys of contacts whose creation was refused."""
    candidates = await candidates_of(unit.target, contacts)
    saved = Saved()
    changes = _Changes()
    for contact in contacts:
        try:
            person = match(contact, candidates)
        except Ambiguous as problem:
            saved[contact.key] = _ambiguous(problem, contact.rule.name)
            continue
        if person is None:
            changes.create(contact)
        else:
            changes.update(contact, person, candidates.links[person])
    # Updates go by id and creations by Link, so the two need a call each; they touch different records.
    async with concurrently() as group:
        updating = group.create_task(
            save(unit, PERSON, changes.updates, "id", update=True)
        )
        creating = group.create_task(
            save(
                unit,
                PERSON,
                changes.creations,
                LINK,
            )
        )
    refused: set[str] = set()
    for contact in contacts:
        if contact.key in saved:
            continue
        person = changes.matched.get(contact.key)
        if person is not None:
            result = updating.result()[person]
        else:
            result = creating.result()[contact.link]
            # A creation that is refused may be one that another connector has just made.
            if not result.ok:
                refused.add(contact.key)
            elif result.id and result.event == CREATED:
                saved.new.add(result.id)
        saved[contact.key] = _id_of(result, contact.rule)
    return saved, refused


def _id_of(
    result: RowResult,
    rule: CompiledRule,
) -> str | ItemFailure:
    if not result.ok:
        return not_saved(PERSON, rule, result)
    return result.id or ""


def _ambiguous(
    problem: Ambiguous,
    rule: str,
) -> ItemFailure:
    text = f"Integration rule {rule}: {problem}"
    return ItemFailure(ItemErrorType.MATCH, text, rule)


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


class InformationType(StrEnum):
    """The types of Person Information that answer by one of the delivery methods."""

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
    return (kind, value) if value else None


class PersonInformation:
    """Active Person Information of some persons, found by person and detail."""

    def __init__(self, rows: Iterable[Row]) -> None:
        """Index rows of ``HEAD``; of several equal ones, use the first by id."""
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

"""Finds, updates or creates the Case Contact of each HCP of a batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from services.connector.points.evaluation import query_all
from services.connector.points.saving import NOTHING, KeyedRows, Origin, not_saved, save
from services.connector.points.transfer import Transfer, main_links
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
_PERSON_LINK, _PERSON_VEEVA_ID = f"person__vr.{LINK}", f"person__vr.{VEEVA_ID}"
_TYPE = "object_type__v.api_name__v"
_CASE_CONTACT: Values = {_TYPE: "case_contact__v"}
# A contact found by an identifier keeps its own link: it may be tied to another account as well.
_SET_AT_CREATION = frozenset({LINK, _TYPE})
# Who a contact is says the account that its Link names; of two accounts by turns each would undo the other.
_IDENTITY = frozenset(
    {"name__v", "first_name__sys", "last_name__sys", VEEVA_ID, EXTERNAL_ID}
)
_IDS = f"{VEEVA_ID}, {EXTERNAL_ID}"


class SavedContacts(dict[str, str | ItemFailure]):
    """The id of each Case Contact by contact key, or the failure where there is none.

    ``new`` contains the ids of those just created.
    """

    def __init__(self) -> None:
        super().__init__()
        self.new: set[str] = set()


Warnings = dict[str, ItemFailure]
"""Contact key → what its Case Contact has not taken over."""


class Contact(NamedTuple):
    """One HCP as the source Vault has it.

    ``key`` is the source record's id, ``object`` its object, ``link`` its Global ID, ``modified`` its modified date.
    ``person`` and ``source_data`` are the fields as ``rule`` evaluates them, ``item`` is the id in the message, and
    ``main`` the Link of the account that the HCP's account was merged into.
    """

    item: str
    object: str
    rule: CompiledRule
    key: str
    link: str
    modified: str
    person: Values
    source_data: Values
    main: str = ""

    @property
    def owner(self) -> str:
        """Return the Link of the account that the HCP's Case Contact belongs to."""
        return self.main or self.link

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

    def origin(self, ruled: Values, own: Values = NOTHING) -> Origin:
        """Return the origin of a row made from this contact.

        The rule has filled the fields ``ruled``; the integration point itself has set the fields ``own``.
        """
        return Origin(self.item, self.object, self.key, self.rule.name, ruled, own)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Holds ids of existing contacts by Veeva ID, by External ID, and by the Link of their source data.

    ``links`` has the Link of each contact by its id: it names the account that the contact belongs to. ``veeva_ids``
    has the Veeva ID of each contact by its id.
    """

    by_veeva_id: Mapping[str, str]
    by_external_id: Mapping[str, str]
    by_link: Mapping[str, str]
    links: Mapping[str, str]
    veeva_ids: Mapping[str, str] = field(default_factory=dict)


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
    veeva_ids: dict[str, str] = {}
    for row in persons:
        record = str(row["id"])
        links[record] = text(row, LINK)
        veeva_ids[record] = text(row, VEEVA_ID)
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
            veeva_ids[record] = text(row, _PERSON_VEEVA_ID)
    return Candidates(by_veeva_id, by_external_id, by_link, links, veeva_ids)


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
    by_link = candidates.by_link.get(contact.link)
    by_main = candidates.by_link.get(contact.owner)
    return by_veeva_id or by_external_id or by_link or by_main


def _identified(
    contact: Contact,
    candidates: Candidates,
) -> tuple[str | None, str | None]:
    """Return the ids of the contacts with the HCP's Veeva ID, and with its External ID."""
    veeva_id = contact.person.get(VEEVA_ID)
    external_id = contact.person.get(EXTERNAL_ID)
    return (
        candidates.by_veeva_id.get(str(veeva_id)) if veeva_id else None,
        candidates.by_external_id.get(str(external_id)) if external_id else None,
    )


async def candidates_of(
    target: RecordReads,
    contacts: Sequence[Contact],
) -> Candidates:
    """Return the existing Case Contacts with an identifier of any of these HCPs.

    :raises ClientError: one of the calls fails.
    """
    persons_of = [contact.person for contact in contacts]
    # Dicts instead of sets keep the order, so that the same batch asks the same statements.
    keys = {
        name: dict.fromkeys([str(p[name]) for p in persons_of if p.get(name)])
        for name in (VEEVA_ID, EXTERNAL_ID)
    }
    head = f"SELECT id, {_IDS}, {LINK} FROM {PERSON}"  # noqa: S608  VQL of names
    persons = await query_all(target, by_any_key(head, keys))
    found = read_candidates(persons, ())
    # The Link decides last, so that only those who are found by neither identifier are looked for by it.
    unknown = [each for each in contacts if not any(_identified(each, found))]
    if not unknown:
        return found
    links = dict.fromkeys(
        link for contact in unknown for link in (contact.link, contact.owner)
    )
    names = f"{LINK}, person__v, {_PERSON_LINK}, {_PERSON_VEEVA_ID}"
    head = f"SELECT {names} FROM {SOURCE_DATA}"  # noqa: S608  VQL of names
    source_data = await query_all(target, statements(head, LINK, links))
    return read_candidates(persons, source_data)


async def save_contacts(
    unit: Transfer,
    contacts: Sequence[Contact],
) -> tuple[SavedContacts, Warnings]:
    """Update or create the Case Contact of each HCP.

    A contact belongs to the account that its Link names. Another account of the same person changes the contact's
    fields, but not its identity.

    :raises OutdatedRead: rows may be older than the stored records.
    :raises ClientError: one of the calls fails.
    """
    first = await _match_and_save(unit, contacts)
    # Another unit or connector may have created the same HCP since it was looked for: then it is found now.
    again = [contact for contact in contacts if contact.key in first.refused]
    if again:
        more = await _match_and_save(unit, again)
        first.saved.update(more.saved)
        first.saved.new |= more.saved.new
        first.warnings.update(more.warnings)
    return first.saved, first.warnings


@dataclass(slots=True)
class _Results:
    """Results by contact key; ``refused`` are the keys of contacts whose creation was refused."""

    saved: SavedContacts = field(default_factory=SavedContacts)
    warnings: Warnings = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Changes:
    """Rows of Case Contacts to write; ``matched`` has the Case Contact ids of the matched contacts, by contact key."""

    updates: KeyedRows = field(default_factory=KeyedRows)
    creations: KeyedRows = field(default_factory=KeyedRows)
    matched: dict[str, str] = field(default_factory=dict)

    def create(self, contact: Contact) -> None:
        # The rule may choose another type.
        own = NOTHING if _TYPE in contact.person else _CASE_CONTACT
        origin = contact.origin(contact.person, own)
        self.creations.add(contact.owner, contact.modified, origin)

    def update(
        self,
        contact: Contact,
        person: str,
        link: str,
    ) -> None:
        """Add the row of an existing Case Contact, whose Link is ``link``."""
        self.matched[contact.key] = person
        # What one account lacks another one of the same person may have: only that of the contact empties fields.
        own = link == contact.owner
        kept = _SET_AT_CREATION if own or not link else _SET_AT_CREATION | _IDENTITY
        values = {**contact.person}
        for name in kept:
            values.pop(name, None)
        if not own:
            values = {name: each for name, each in values.items() if each is not None}
        origin = contact.origin(values)
        self.updates.add(person, contact.modified, origin)


async def _match_and_save(
    unit: Transfer,
    contacts: Sequence[Contact],
) -> _Results:
    """Match and save once."""
    contacts, candidates = await _read(unit, contacts)
    found = _Results()
    saved = found.saved
    changes = _Changes()
    for contact in contacts:
        try:
            person = match(contact, candidates)
        except Ambiguous as problem:
            saved[contact.key] = _ambiguous(problem, contact.rule.name)
            continue
        if person is None:
            changes.create(contact)
            continue
        changes.update(contact, person, candidates.links[person])
        warning = _other_person(contact, person, candidates)
        if warning is not None:
            found.warnings[contact.key] = warning
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
    for contact in contacts:
        if contact.key in saved:
            continue
        person = changes.matched.get(contact.key)
        if person is not None:
            result = updating.result()[person]
        else:
            result = creating.result()[contact.owner]
            # A creation that is refused may be one that another connector has just made.
            if not result.ok:
                found.refused.add(contact.key)
            elif result.id and result.event == CREATED:
                saved.new.add(result.id)
        saved[contact.key] = _id_of(result, contact.rule)
    return found


async def _read(
    unit: Transfer,
    contacts: Sequence[Contact],
) -> tuple[Sequence[Contact], Candidates]:
    """Return the contacts, with ``main`` set where the account was merged, and the candidates for them.

    :raises ClientError: one of the calls fails.
    """
    links = dict.fromkeys(contact.link for contact in contacts)
    async with concurrently() as group:
        finding = group.create_task(candidates_of(unit.target, contacts))
        merging = group.create_task(main_links(unit, links))
    mains = merging.result()
    if not mains:
        return contacts, finding.result()
    # Seldom: the duplicate was read before the merge, and comes after it.
    merged = [
        contact._replace(main=mains.get(contact.link, "")) for contact in contacts
    ]
    return merged, await candidates_of(unit.target, merged)


def _other_person(
    contact: Contact,
    person: str,
    candidates: Candidates,
) -> ItemFailure | None:
    """Return a warning when the contact belongs to another account and has a different Veeva ID."""
    owner = candidates.links[person]
    known = candidates.veeva_ids.get(person)
    veeva_id = contact.person.get(VEEVA_ID)
    differs = bool(known and veeva_id) and known != str(veeva_id)
    if not differs or owner in ("", contact.owner):
        return None
    return ItemFailure(
        ItemErrorType.MATCH,
        f"Integration rule {contact.rule.name}: Case Contact {person} belongs to another account, as its Link "
        "says, and keeps the Veeva ID of that one; merge the two accounts in Vault CRM or correct their Veeva IDs",
        contact.rule.name,
        target_field=VEEVA_ID,
    )


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

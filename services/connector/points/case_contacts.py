"""Case Contacts of a batch: matched, updated or created, in as few calls as a batch needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from services.connector.points.evaluation import query_all
from services.connector.points.saving import KeyedRows, Origin, not_saved, save
from services.connector.points.transfer import Transfer
from services.connector.rules.compiled import CompiledRule
from services.connector.rules.item_failures import ItemErrorType, ItemFailure
from services.connector.rules.vql_text import statements
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import RowResult, text
from shared.runtime.concurrency import concurrently

Row = Mapping[str, object]


Values = Mapping[str, object]


PERSON = "person__sys"


SOURCE_DATA = "case_contact_source_data__v"


LINK = "link__sys"


VEEVA_ID = "veeva_id__v"


EXTERNAL_ID = "external_id__v"


@dataclass(frozen=True, slots=True)
class Contact:
    """One HCP as the source Vault has it.

    ``key`` is the source record's id, ``object`` its object, ``link`` its Global ID, ``modified`` its modified date,
    ``person`` and ``source_data`` the fields as ``rule`` evaluates them. ``item`` is the id in a message that asks for
    it.
    """

    item: str
    object: str
    rule: str
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
        """The HCP that a source row is, by the target values that an account rule gave it."""
        person, source_data = targets.get(PERSON, {}), targets.get(SOURCE_DATA, {})
        link = source_data.get(LINK) or person.get(LINK) or row["global_id__sys"]
        modified = text(row, "modified_date__v")
        return cls(
            item,
            rule.plan.object,
            rule.name,
            key,
            str(link),
            modified,
            person,
            source_data,
        )

    def origin(self, ruled: Values) -> Origin:
        """Where a row of it comes from, of which the rule has given these fields."""
        return Origin(self.item, self.object, self.key, self.rule, ruled)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Ids of existing contacts by Veeva ID, by External ID, and by the Link of their source data."""

    by_veeva_id: Mapping[str, str]
    by_external_id: Mapping[str, str]
    by_link: Mapping[str, str]


class Ambiguous(Exception):
    """An HCP whose identifiers belong to two different contacts; the text names no value."""


def read_candidates(persons: Iterable[Row], source_data: Iterable[Row]) -> Candidates:
    """Index rows of ``person__sys`` and of ``case_contact_source_data__v``."""
    by_veeva_id: dict[str, str] = {}
    by_external_id: dict[str, str] = {}
    for row in persons:
        if row.get(VEEVA_ID):
            by_veeva_id[str(row[VEEVA_ID])] = str(row["id"])
        if row.get(EXTERNAL_ID):
            by_external_id[str(row[EXTERNAL_ID])] = str(row["id"])
    by_link = {
        str(row["link__sys"]): str(row["person__v"])
        for row in source_data
        if row.get("person__v")
    }
    return Candidates(by_veeva_id, by_external_id, by_link)


def match(contact: Contact, candidates: Candidates) -> str | None:
    """The id of the contact that this HCP is, or None for a new one.

    Raises Ambiguous rather than guess when Veeva ID and External ID lead to different contacts.
    """
    by_veeva_id = _known(contact.person.get(VEEVA_ID), candidates.by_veeva_id)
    by_external_id = _known(contact.person.get(EXTERNAL_ID), candidates.by_external_id)
    if by_veeva_id and by_external_id and by_veeva_id != by_external_id:
        raise Ambiguous(
            f"the Veeva ID belongs to Case Contact {by_veeva_id} and the External ID to Case Contact {by_external_id}; "
            "merge the two or correct the account's identifiers"
        )
    return by_veeva_id or by_external_id or candidates.by_link.get(contact.link)


def _known(identifier: object, index: Mapping[str, str]) -> str | None:
    return index.get(str(identifier)) if identifier else None


CASE_CONTACT = {"object_type__v.api_name__v": "case_contact__v"}
SET_AT_CREATION = frozenset({LINK, *CASE_CONTACT})

Saved = dict[str, str | ItemFailure]
"""Contact key → id of its Case Contact, or why it has none."""


async def save_contacts(unit: Transfer, contacts: Sequence[Contact]) -> Saved:
    """Update the Case Contact that each HCP is, or create it.

    Raises ClientError and OutdatedRead.
    """
    saved, refused = await _match_and_save(unit, contacts)
    # Another unit or connector may have created the same HCP since it was looked for: then it is found now.
    again = [contact for contact in contacts if contact.key in refused]
    if again:
        more, _ = await _match_and_save(unit, again)
        saved |= more
    return saved


async def _match_and_save(
    unit: Transfer, contacts: Sequence[Contact]
) -> tuple[Saved, set[str]]:
    """One round; the second part names contacts that were new here and not taken."""
    candidates = await candidates_of(unit.target, contacts)
    saved: Saved = {}
    updates, creations = KeyedRows(), KeyedRows()
    matched: dict[str, str] = {}
    for contact in contacts:
        try:
            person = match(contact, candidates)
        except Ambiguous as problem:
            saved[contact.key] = _ambiguous(problem, contact.rule)
            continue
        if person is None:
            values = {**CASE_CONTACT, **contact.person}
            creations.add(
                contact.link, values, contact.modified, contact.origin(contact.person)
            )
        else:
            matched[contact.key] = person
            # A contact found by an identifier keeps its own link: it may be tied to another account as well.
            values = {
                name: value
                for name, value in contact.person.items()
                if name not in SET_AT_CREATION
            }
            updates.add(person, values, contact.modified, contact.origin(values))
    async with concurrently() as group:
        updating = group.create_task(save(unit, PERSON, updates, "id", update=True))
        creating = group.create_task(save(unit, PERSON, creations, LINK))
    refused: set[str] = set()
    for contact in contacts:
        if contact.key in saved:
            continue
        if contact.key in matched:
            result = updating.result()[matched[contact.key]]
        else:
            result = creating.result()[contact.link]
            if not result.ok:
                refused.add(contact.key)
        saved[contact.key] = _id_of(result, contact.rule)
    return saved, refused


async def candidates_of(
    target: RecordAccess, contacts: Iterable[Contact]
) -> Candidates:
    """The Case Contacts that any of these HCPs may be; raises ClientError."""
    keys: dict[str, dict[str, None]] = {VEEVA_ID: {}, EXTERNAL_ID: {}}
    links: dict[str, None] = {}
    for contact in contacts:
        links[contact.link] = None
        for name, values in keys.items():
            value = contact.person.get(name)
            if value:
                values[str(value)] = None
    head = f"SELECT id, {VEEVA_ID}, {EXTERNAL_ID} FROM {PERSON}"  # noqa: S608  VQL of names
    person_texts = [
        statement
        for name, values in keys.items()
        for statement in statements(head, name, values)
    ]
    link_texts = statements(f"SELECT {LINK}, person__v FROM {SOURCE_DATA}", LINK, links)  # noqa: S608  VQL of names
    async with concurrently() as group:
        persons = group.create_task(query_all(target, person_texts))
        source_data = group.create_task(query_all(target, link_texts))
    return read_candidates(persons.result(), source_data.result())


def _id_of(result: RowResult, rule: str) -> str | ItemFailure:
    return result.id or "" if result.ok else not_saved(PERSON, rule, result)


def _ambiguous(problem: Ambiguous, rule: str) -> ItemFailure:
    return ItemFailure(ItemErrorType.MATCH, f"Integration rule {rule}: {problem}", rule)

"""Case Contacts of a batch: matched, updated or created, in as few calls as a batch needs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from services.connector.points.contacts import (
    EXTERNAL_ID,
    LINK,
    PERSON,
    SOURCE_DATA,
    VEEVA_ID,
    Ambiguous,
    Candidates,
    Contact,
    match,
    read_candidates,
)
from services.connector.points.outcome import ItemFailure
from services.connector.points.saving import KeyedRows, not_saved, save
from services.connector.points.source import query_all
from services.connector.points.transfer import Transfer
from services.connector.rules.field_errors import ItemErrorType
from services.connector.rules.vql_text import statements
from services.connector.vaults.record_access import RecordAccess
from shared.client.results import RowResult
from shared.runtime.concurrency import concurrently

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

"""Which Case Contact each HCP of a batch is: matched by Veeva ID or External ID, else by Link, else new."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from services.connector.points.unit_lineage import Origin
from services.connector.rules.compiled import CompiledRule
from shared.client.results import text

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

"""Matches items of Vault CRM metadata with records: by Link, else by CRM Org and CRM ID or by External ID."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from shared.client.results import text

LINK = "link__sys"
CRM_ORG = "crm_org__v"
CRM_ID = "crm_id__v"
EXTERNAL_ID = "external_id__v"


class AmbiguousMetadata(Exception):
    """Raised for a source record whose identifiers belong to several records; the text contains only their ids."""


class Matches(NamedTuple):
    """The matches of source records: the id of the record, None for a new one, or the reason why it is ambiguous."""

    records: dict[str, str | None]
    problems: dict[str, AmbiguousMetadata]


@dataclass(frozen=True, slots=True)
class Identity:
    """The identifiers of a metadata record, empty if missing; ``org`` is the id of a CRM Org record."""

    link: str
    org: str
    crm_id: str
    external_id: str = ""


@dataclass(slots=True)
class KnownRecords:
    """Records of one metadata object, indexed by each of their identifiers for matching.

    A record with a Link is indexed by the Link only: it belongs to the source record that the Link names.
    """

    by_link: dict[str, str] = field(default_factory=dict)
    by_crm_id: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    by_external_id: dict[str, dict[str, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, rows: Iterable[Mapping[str, object]]) -> KnownRecords:
        """Index query rows with ``id`` and the four identifying fields; a record may occur twice."""
        known = cls()
        for row in rows:
            record = text(row, "id")
            org = text(row, CRM_ORG)
            # Indexed by nothing else, so that no other item can claim it by a shared identifier.
            if link := text(row, LINK):
                known.by_link[link] = record
                continue
            if crm_id := text(row, CRM_ID):
                known.by_crm_id.setdefault((org, crm_id), set()).add(record)
            if external_id := text(row, EXTERNAL_ID):
                orgs = known.by_external_id.setdefault(external_id, {})
                orgs[record] = org
        return known

    def match(self, wanted: Identity) -> str | None:
        """Return the id of the matching record, or None for a new one; names are never compared.

        :raises AmbiguousMetadata: the identifiers lead to several records, of which none is a safe guess.
        """
        if record := self.by_link.get(wanted.link):
            return record
        found = self._by_identifiers(wanted)
        if len(found) > 1:
            records = ", ".join(sorted(found))
            raise AmbiguousMetadata(
                f"CRM ID and External ID lead to the records {records}, none of which has a Link; "
                "set the Link of the right one to the source record's Global ID, or merge them"
            )
        if found:
            return found.pop()
        return None

    def _by_identifiers(self, wanted: Identity) -> set[str]:
        found = set(self.by_crm_id.get((wanted.org, wanted.crm_id), ()))
        if wanted.external_id:
            others = self.by_external_id.get(wanted.external_id, {})
            # A record of another CRM Org with the same External ID is another record; one of none may be this one.
            found |= {
                record for record, org in others.items() if org in ("", wanted.org)
            }
        return found

    def match_all(self, wanted: Mapping[str, Identity]) -> Matches:
        """Match all source records; several that lead to the same record are all reported as ambiguous."""
        records: dict[str, str | None] = {}
        problems: dict[str, AmbiguousMetadata] = {}
        for item, identity in wanted.items():
            try:
                records[item] = self.match(identity)
            except AmbiguousMetadata as problem:
                problems[item] = problem
        # Found only after all are matched: the second of two items may be the wrong one, or the first.
        claims = Counter(record for record in records.values() if record is not None)
        for item, record in list(records.items()):
            if record is not None and claims[record] > 1:
                del records[item]
                problems[item] = AmbiguousMetadata(
                    f"another record of the source leads to the record {record} as well, one of the two by its CRM ID "
                    "and the other by its External ID; set the Link of the record to the Global ID of the right one"
                )
        return Matches(records, problems)

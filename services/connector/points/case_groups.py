"""Names the Case that inquiries of a group share, and finds those that are there already."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from services.connector.points.case_contacts import LINK
from services.connector.points.evaluation import query_all
from services.connector.points.saving import Values
from services.connector.rules.rows import statements
from services.connector.vaults.record_access import RecordReads
from shared.client.results import text

CASE = "case__v"
CONTACT = "case_contact__v"
COUNTRY = "country__v"
_HEAD = f"SELECT id, {LINK}, {CONTACT} FROM {CASE}"  # noqa: S608  VQL of names


class GroupCases(NamedTuple):
    """The Cases of groups that are there: their ids by Link, and the Links of those that have another contact by now.

    Whose Case Contact people have changed is no Case of the group any more.
    """

    ids: dict[str, str]
    others: frozenset[str]


def group_link(
    vault_id: int,
    case: Values,
    global_id: object,
) -> str | None:
    """Return the Link of the Case that an inquiry shares with others of its group, None for a Case of its own.

    ``case`` are the fields of the Case, with its contact; the rule has filled its Link with the group's id.
    """
    # People type it: white space around it says nothing.
    group = str(case.get(LINK) or "").strip()
    if not group or group == global_id:
        return None
    # A Case is about one contact and one country: whoever else uses the same id, in any Vault CRM, has a Case apart.
    # The group's id comes last, since it alone may contain the separator, which no Global ID contains.
    parts = (vault_id, case[CONTACT], case.get(COUNTRY) or "", group)
    return ":".join(map(str, parts))


async def existing_cases(
    target: RecordReads,
    contact_of: Mapping[str, str],
) -> GroupCases:
    """Return the Cases of groups, by whose Link ``contact_of`` has the id of the group's contact.

    :raises ClientError: one of the calls fails.
    """
    rows = await query_all(target, statements(_HEAD, LINK, contact_of))
    ids: dict[str, str] = {}
    others: set[str] = set()
    for row in rows:
        link = text(row, LINK)
        if text(row, CONTACT) == contact_of[link]:
            ids[link] = str(row["id"])
        else:
            others.add(link)
    return GroupCases(ids, frozenset(others))

"""Finds the Case Contacts that belong to several accounts.

Such a contact has the values of the last one transferred.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from services.connector.points.case_contacts import SOURCE_DATA
from services.connector.points.evaluation import query_all
from services.connector.rules.rows import statements
from services.connector.vaults.record_access import RecordReads
from shared.client.results import text

_TIES = f"SELECT id, person__v FROM {SOURCE_DATA}"  # noqa: S608  VQL of names


async def shared_persons(target: RecordReads, persons: Sequence[str]) -> frozenset[str]:
    """Return the record ids of those Case Contacts that the Source Data of several accounts refer to.

    :raises ClientError: one of the calls fails.
    """
    rows = await query_all(target, statements(_TIES, "person__v", persons))
    ties = Counter(text(row, "person__v") for row in rows)
    return frozenset(person for person, number in ties.items() if number > 1)

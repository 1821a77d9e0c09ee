"""Finds the inquiries that should have a Case Request, and those whose Case Request is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from services.connector.points.case_contacts import LINK
from services.connector.points.evaluation import query_all
from services.connector.points.point import Reading
from services.connector.points.transfer_status import STATUS, TransferStatus
from services.connector.rules.rows import contains, statements
from services.connector.vaults.record_access import RecordReads
from shared.client.results import text

CASE_REQUEST = "case_request__v"
_HEAD = f"SELECT {LINK}, case__v FROM {CASE_REQUEST}"  # noqa: S608  VQL of names


async def without_request(
    target: RecordReads,
    inquiries: Iterable[str],
    link: Callable[[str], str],
) -> list[str]:
    """Return the ids of inquiries whose Case Request or Case no longer exists; ``link`` returns the request's Link.

    :raises ClientError: one of the calls fails.
    """
    link_of = {item: link(item) for item in inquiries}
    texts = statements(_HEAD, LINK, dict.fromkeys(link_of.values()))
    requests = await query_all(target, texts)
    existing = {text(row, LINK) for row in requests if text(row, "case__v")}
    return [item for item, made in link_of.items() if made not in existing]


async def transferred_inquiries(
    _target: RecordReads,
    reading: Reading,
) -> Reading | None:
    """Narrow a reading to the inquiries that were transferred: each should have a Case Request."""
    return replace(reading, condition=contains(STATUS, TransferStatus))

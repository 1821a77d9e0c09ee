"""Inquiry Inbound, in Vault CRM: the Case Requests that a CRM Vault's inquiries became tell how far they have come."""

from __future__ import annotations

from dataclasses import replace

from services.connector.points import general
from services.connector.points.point import Point, Reading
from services.connector.rules.vql_text import literal
from services.connector.vaults.record_access import RecordAccess


async def _of_this_crm(target: RecordAccess, reading: Reading) -> Reading | None:
    """Case Requests that originated in this CRM Vault: their Link is the Global ID of an inquiry of it."""
    condition = f"link__sys LIKE {literal(f'{target.vault_id}_%')}"
    return replace(reading, condition=condition)


POINT = Point(
    "inquiry_inbound__v",
    general.transfer,
    narrow=_of_this_crm,
    fills_documents=True,
)

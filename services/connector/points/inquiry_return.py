"""Runs *Inquiry Inbound*: Case Requests return their status and answer to the inquiries in Vault CRM."""

from __future__ import annotations

from dataclasses import replace

from services.connector.points import general
from services.connector.points.point import Point, Reading
from services.connector.rules.rows import literal
from services.connector.vaults.record_access import RecordAccess


async def _of_this_crm(
    target: RecordAccess,
    reading: Reading,
) -> Reading | None:
    """Return the Case Requests from this Vault CRM: their Link is the Global ID of one of its inquiries."""
    # A Global ID begins with the id of its Vault; other Vaults' requests are in the same Medical Vault.
    own = literal(f"{target.vault_id}_%")
    return replace(reading, condition=f"link__sys LIKE {own}")


POINT = Point(
    "inquiry_inbound__v",
    general.transfer,
    narrow=_of_this_crm,
    fills_documents=True,
)

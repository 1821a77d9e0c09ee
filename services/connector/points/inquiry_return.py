"""Runs *Inquiry Inbound*: Case Requests return their status and answer to the inquiries in Vault CRM."""

from __future__ import annotations

from dataclasses import replace

from services.connector.points import general
from services.connector.points.point import Point, Reading
from services.connector.rules.rows import literal
from services.connector.vaults.record_access import RecordReads

NEW_STATE = "new_state__v"
"""The state in which Case Requests are made."""


async def _narrow_to_this_crm(
    target: RecordReads,
    reading: Reading,
) -> Reading | None:
    """Narrow a reading to the Case Requests of this Vault CRM: their Link is the Global ID of one of its inquiries."""
    # A Global ID begins with the id of its Vault; other Vaults' requests are in the same Medical Vault.
    own = literal(f"{target.vault_id}_%")
    return replace(reading, condition=f"link__sys LIKE {own}")


async def _narrow_to_begun_answers(
    target: RecordReads,
    reading: Reading,
) -> Reading | None:
    """Narrow a reading to the Case Requests of this Vault CRM whose answer an agent has begun."""
    # A new request is returned by its next state: until then Vault CRM shows what it has set itself.
    own = literal(f"{target.vault_id}_%")
    new = literal(NEW_STATE)
    return replace(reading, condition=f"link__sys LIKE {own} AND state__v != {new}")


POINT = Point(
    "inquiry_inbound__v",
    general.transfer,
    narrow=_narrow_to_this_crm,
    narrow_all=_narrow_to_begun_answers,
    fills_documents=True,
)

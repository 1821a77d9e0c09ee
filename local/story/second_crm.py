"""Plays the chapter of the second Vault CRM, which a copy of the connection joins with the same Medical Vault."""

from __future__ import annotations

from local.narration import Narration
from local.story.cast import INTEGRATION, Cast, StoryFailed, activate, need
from local.story.inquiries import inquiry_becomes_case, outcome_returns

VAULT = "crm_vault_2"


async def joins(first: Cast, second: Cast, narration: Narration) -> None:
    """Transfer an inquiry of the second Vault CRM and its outcome back, and check that the first is not involved."""
    narration.chapter("A second Vault CRM works with the same Medical Vault")
    copy = await need(
        second.medical_admin,
        f"SELECT integration_api_name__sys FROM integration__sys WHERE copy_of__sys = '{INTEGRATION}'",
        "the integration of the copied connection",
    )
    await activate(narration, "CRM", second.crm_admin, INTEGRATION)
    await activate(
        narration,
        "Medical",
        second.medical_admin,
        str(copy["integration_api_name__sys"]),
    )
    inquiry = await inquiry_becomes_case(second, narration)
    await outcome_returns(second, narration, inquiry)
    link = inquiry["global_id__sys"]
    text = f"SELECT id FROM medical_inquiry__v WHERE global_id__sys = '{link}'"
    found = await first.crm_admin.query(text)
    if found.rows:
        message = "the inquiry of one Vault CRM is in the other"
        raise StoryFailed(message)
    vault = second.crm_admin.vault_id
    narration.event(
        "CRM",
        f"{inquiry['name__v']} returned to Vault {vault}, from which it came, and to no other",
    )

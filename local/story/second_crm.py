"""Chapter of the second Vault CRM: the same Medical Vault, a copy of the connection, and each gets its own back."""

from __future__ import annotations

from local.narration import Narration
from local.story.cast import INTEGRATION, Cast, StoryFailed, activate, need
from local.story.inquiries import inquiry_becomes_case, outcome_returns

VAULT = "crm_vault_2"


async def joins(first: Cast, second: Cast, narration: Narration) -> None:
    """An inquiry of the second Vault CRM, there and back; the first hears nothing of it."""
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
    text = f"SELECT id FROM medical_inquiry__v WHERE global_id__sys = '{inquiry['global_id__sys']}'"
    if (await first.crm_admin.query(text)).rows:
        message = "the inquiry of one Vault CRM is in the other"
        raise StoryFailed(message)
    narration.hop(
        "CRM",
        f"{inquiry['name__v']} came back to Vault {second.crm_admin.vault_id}, where it is from, and there only",
    )

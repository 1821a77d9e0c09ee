"""Plays the chapter of the CRM metadata sync: a product and its group are copied, and flagged when inactive."""

from __future__ import annotations

from uuid import uuid4

from local.narration import Narration
from local.story.cast import Cast, Row, StoryFailed, activate, create, need, run

INTEGRATION = "crm_metadata_sync_product_content__v"


async def synced(cast: Cast, narration: Narration) -> None:
    """Check that a run copies the records, and that a second one flags the product that has become inactive in CRM."""
    narration.chapter("CRM metadata is synchronized, groups before their members")
    await activate(narration, "Medical", cast.medical_admin, INTEGRATION)
    number = uuid4().hex[:8].upper()
    code = f"DEMO-{number}"
    group_row = {"name__v": f"Demo Group {number}", "external_id__v": f"{code}-G"}
    group = await create(cast.crm_admin, "product_group__v", group_row)
    row = {
        "name__v": f"Democept {number}",
        "external_id__v": code,
        "product_group__v": group,
    }
    product = await create(cast.crm_admin, "product__v", row)
    narration.event("CRM", f"product {product} in product group {group}")
    await run(narration, "Medical", cast.medical_admin, INTEGRATION)
    copy = await _copy(cast, product)
    if copy["product_group__vr.crm_id__v"] != group:
        message = "the product has come without its group"
        raise StoryFailed(message)
    title = f"CRM Product {copy['id']}"
    narration.event(
        "Medical",
        f"{title} in the copy of its group, linked to {copy['link__sys']}",
    )
    inactive = {"id": product, "status__v": "inactive__v"}
    await cast.crm_admin.update("product__v", [inactive])
    await run(narration, "Medical", cast.medical_admin, INTEGRATION)
    copy = await _copy(cast, product)
    if copy["source_status__v"] != ["inactive__v"]:
        message = "the product that is inactive in CRM is not flagged"
        raise StoryFailed(message)
    # Kept, as records of the Medical Vault may refer to it.
    narration.event(
        "Medical", f"{title} is kept, and flagged as inactive in its source"
    )
    narration.transferred(
        "Product with its group",
        f"CRM {product}",
        title,
        "Copied, flagged",
    )


async def _copy(cast: Cast, product: str) -> Row:
    return await need(
        cast.medical_admin,
        "SELECT id, link__sys, source_status__v, product_group__vr.crm_id__v FROM crm_product__v "
        f"WHERE link__sys = '{cast.crm_admin.vault_id}_{product}'",
        "the CRM Product",
    )

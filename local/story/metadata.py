"""Chapter of the CRM metadata sync: a product and its group come to the Medical Vault, flagged when inactive."""

from __future__ import annotations

from uuid import uuid4

from local.narration import Narration
from local.story.cast import Cast, Row, StoryFailed, activate, create, need, run

INTEGRATION = "crm_metadata_sync_product_content__v"


async def synced(cast: Cast, narration: Narration) -> None:
    """Two runs: one that brings the records, and one that flags what is inactive in CRM by then."""
    narration.chapter("CRM metadata is synchronized, groups before their members")
    await activate(narration, "Medical", cast.medical_admin, INTEGRATION)
    code = f"DEMO-{uuid4().hex[:8].upper()}"
    named = {"name__v": f"Demo Group {code[-8:]}", "external_id__v": f"{code}-G"}
    group = await create(cast.crm_admin, "product_group__v", named)
    row = {
        "name__v": f"Democept {code[-8:]}",
        "external_id__v": code,
        "product_group__v": group,
    }
    product = await create(cast.crm_admin, "product__v", row)
    narration.hop("CRM", f"product {product} in product group {group}")
    await run(narration, "Medical", cast.medical_admin, INTEGRATION)
    copy = await _copy(cast, product)
    if copy["product_group__vr.crm_id__v"] != group:
        message = "the product has come without its group"
        raise StoryFailed(message)
    narration.hop(
        "Medical",
        f"CRM Product {copy['id']} in the copy of its group, linked to {copy['link__sys']}",
    )
    await cast.crm_admin.update(
        "product__v", [{"id": product, "status__v": "inactive__v"}]
    )
    await run(narration, "Medical", cast.medical_admin, INTEGRATION)
    copy = await _copy(cast, product)
    if copy["source_status__v"] != ["inactive__v"]:
        message = "the product that is inactive in CRM is not flagged"
        raise StoryFailed(message)
    narration.hop(
        "Medical",
        f"CRM Product {copy['id']} is kept, and flagged as inactive in its source",
    )
    narration.transferred(
        "Product with its group",
        f"CRM {product}",
        f"CRM Product {copy['id']}",
        "Copied, flagged",
    )


async def _copy(cast: Cast, product: str) -> Row:
    return await need(
        cast.medical_admin,
        "SELECT id, link__sys, source_status__v, product_group__vr.crm_id__v FROM crm_product__v "
        f"WHERE link__sys = '{cast.crm_admin.vault_id}_{product}'",
        "the CRM Product",
    )

"""Measures runs of the CRM metadata sync over many products in their groups: created, and changed."""

from __future__ import annotations

from typing import Any

from bench.data import changed_products, many_products
from bench.runs import timed_run
from local.system import System
from shared.client import VaultClient

INTEGRATION = "crm_metadata_sync_product_content__v"


async def measured_sync(
    system: System, crm: VaultClient, medical: VaultClient, count: int
) -> dict[str, Any]:
    """Return figures of a run that copies ``count`` products with 100 groups, and of one after all of them changed."""
    connector = system.process_ids()["connector"]
    row = {"integration_api_name__sys": INTEGRATION, "status__v": "active__v"}
    await medical.update("integration__sys", [row], "integration_api_name__sys")
    await many_products(crm, count)
    seconds, written, _ = await timed_run(medical, INTEGRATION, connector)
    figures = {
        "metadata_records": written,
        "metadata_created_per_second": round(written / seconds),
    }
    await changed_products(crm, count)
    seconds, written, _ = await timed_run(medical, INTEGRATION, connector)
    return {**figures, "metadata_updated_per_second": round(written / seconds)}

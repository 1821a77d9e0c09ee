"""Plays the chapter of CLM: a presentation is approved in the Medical Vault, shown in CRM, counted, and withdrawn."""

from __future__ import annotations

from uuid import uuid4

from local.narration import Narration
from local.story.cast import (
    Cast,
    Row,
    StoryFailed,
    activate,
    create,
    need,
    one,
    run,
    until,
)
from shared.client.transport import Request

COUNTRY, CLM = "country__v", "clm__v"
DOCUMENTS = "/api/v25.1/objects/documents"


async def published(cast: Cast, narration: Narration) -> None:
    """Bring the countries to the Medical Vault, a presentation to CRM, and its metrics back."""
    narration.chapter("Approved content is published, and how it is used comes back")
    await activate(narration, "Medical", cast.medical_admin, COUNTRY)
    await activate(narration, "Medical", cast.medical_admin, CLM)
    await activate(narration, "CRM", cast.crm_admin, CLM)
    setting = await need(
        cast.crm_admin,
        "SELECT id FROM connection_settings__v WHERE external_id__v = 'S-4001'",
        "the CLM Integration Settings of the standard data",
    )
    # Activation begins now; changing them is what a run then sees.
    name = f"CLM {uuid4().hex[:6]}"
    row = {"id": setting["id"], "name__v": name}
    await cast.crm_admin.update("connection_settings__v", [row])
    # Content goes only to countries that the Medical Vault has as Connection Countries.
    await run(narration, "Medical", cast.medical_admin, COUNTRY)
    document = await _approved(cast, narration)
    shown = await _in_crm(cast, document, "active__v")
    title = f"CLM Presentation {shown['id']}"
    version = f"{shown['major_version__v']}.0"
    narration.event("CRM", f"{title} of version {version} was created")
    await _counted(cast, narration, document, shown)
    await _act(cast, document, "withdraw__v", "1/0")
    await _in_crm(cast, document, "inactive__v")
    narration.event(
        "CRM",
        f"{title} is kept, and is inactive since document {document} was withdrawn",
    )
    narration.transferred(
        "Presentation and its metrics",
        f"document {document}",
        title,
        "Published, withdrawn",
    )


async def _approved(cast: Cast, narration: Narration) -> str:
    """Create a presentation for Germany, approve it, and return the document's id."""
    germany = await need(
        cast.medical_admin,
        "SELECT id FROM country__v WHERE country_code__v = 'DE'",
        "Germany in the Medical Vault",
    )
    form = {
        "name__v": f"Dosing {uuid4().hex[:8]}",
        "type__v": "presentation__v",
        "country__v": str(germany["id"]),
    }
    request = Request("document", "POST", DOCUMENTS, form=form)
    answer = await cast.medical_admin.call(request)
    document = str(answer["id"])
    # A new document is version 0.1; approved, it becomes 1.0.
    await _act(cast, document, "approve__v", "0/1")
    narration.event(
        "Medical",
        f"document {document}, a presentation for Germany, is approved as version 1.0",
    )
    return document


async def _act(cast: Cast, document: str, action: str, version: str) -> None:
    path = f"{DOCUMENTS}/{document}/versions/{version}/lifecycle_actions/{action}"
    request = Request("action", "PUT", path)
    await cast.medical_admin.call(request)


async def _in_crm(cast: Cast, document: str, status: str) -> Row:
    link = f"{cast.medical_admin.vault_id}_{document}"
    vql = (
        "SELECT id, major_version__v FROM clm_presentation__v "
        f"WHERE link__sys = '{link}' AND status__v = '{status}'"
    )

    async def found() -> Row | None:
        return await one(cast.crm_admin, vql)

    return await until(f"document {document} being {status} in CRM", found)


async def _counted(cast: Cast, narration: Narration, document: str, shown: Row) -> None:
    """Count seven views in CRM, and check that they become a CRM Content Metric of the document."""
    row = {
        "name__v": "First day",
        "clm_presentation__v": shown["id"],
        "metric_date__v": "2026-01-31",
        "views__v": 7,
    }
    metric = await create(cast.crm_admin, "content_metric__v", row)
    narration.event("CRM", f"content metric {metric}: 7 views")
    await run(narration, "Medical", cast.medical_admin, CLM)
    copy = await need(
        cast.medical_admin,
        "SELECT id, presentation__v, views__v FROM crm_content_metric__v "
        f"WHERE link__sys = '{cast.crm_admin.vault_id}_{metric}'",
        "the CRM Content Metric",
    )
    global_id = f"{cast.medical_admin.vault_id}_{document}"
    if copy["presentation__v"] != global_id or copy["views__v"] != 7:
        message = f"CRM Content Metric {copy['id']} differs from the metric in CRM"
        raise StoryFailed(message)
    narration.event(
        "Medical", f"CRM Content Metric {copy['id']}: 7 views of document {document}"
    )

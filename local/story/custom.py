"""Plays the chapter of a custom integration point: objects, an integration, a point and a rule, and no code."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from local.narration import Narration
from local.story.cast import Cast, Row, StoryFailed, create, one, until

MDL = Path(__file__).parent
SOURCE, COPY, INTEGRATION, POINT = (
    "congress_visit__c",
    "crm_congress_visit__c",
    "congress_visits__c",
    "congress_visit_inbound__c",
)
SEND = f"Objectlifecyclestateuseraction.{SOURCE}.planned_state__c.report__c"
PLAN = f"Objectlifecyclestateuseraction.{SOURCE}.reported_state__c.plan__c"


async def without_code(cast: Cast, narration: Narration) -> None:
    """Send a record, change it, and send it again; check that the rule's key leads to one copy."""
    narration.chapter("A custom integration point works without code")
    await _deploy(cast, narration)
    title = f"Congress {uuid4().hex[:8]}"
    visit = await create(
        cast.crm_admin, SOURCE, {"name__v": title, "place__c": "Springfield"}
    )
    first = await _sent(cast, narration, visit, "Springfield")
    # A message is sent on entering the state, so the visit leaves it first.
    await cast.crm_admin.run_action(SOURCE, visit, PLAN)
    await cast.crm_admin.update(SOURCE, [{"id": visit, "place__c": "Riverton"}])
    second = await _sent(cast, narration, visit, "Riverton")
    if first["id"] != second["id"]:
        message = "the record has two copies"
        raise StoryFailed(message)
    narration.transferred(
        "Congress Visit",
        f"CRM {visit}",
        f"CRM Congress Visit {second['id']}",
        "Created, updated",
    )


async def _deploy(cast: Cast, narration: Narration) -> None:
    source_mdl = (MDL / "congress_visit_crm.mdl").read_text()
    await cast.crm_admin.execute_mdl(source_mdl)
    target_mdl = (MDL / "congress_visit_medical.mdl").read_text()
    await cast.medical_admin.execute_mdl(target_mdl)
    integration: Row = {
        "integration_api_name__sys": INTEGRATION,
        "name__v": "Congress Visits Integration",
        "connection__sysr.api_name__sys": "medical_crm__v",
        "status__v": "active__v",
    }
    point: Row = {
        "integration_point_api_name__sys": POINT,
        "name__v": "Congress Visit Inbound Integration Point",
        "integration__sysr.integration_api_name__sys": INTEGRATION,
        "direction__sys": "inbound__sys",
    }
    # The integration first, as the point refers to it. Upserts, as an earlier demo may have created them.
    for object_name, row, key in (
        ("integration__sys", integration, "integration_api_name__sys"),
        ("integration_point__sys", point, "integration_point_api_name__sys"),
    ):
        (result,) = await cast.medical_admin.upsert(object_name, [row], key)
        if not result.ok:
            reasons = [error.message for error in result.errors]
            message = f"{object_name} was refused: {'; '.join(reasons)}"
            raise StoryFailed(message)
    narration.event(
        "CRM",
        f"object {SOURCE} with a lifecycle that sends a message when a visit is reported",
    )
    narration.event(
        "Medical",
        f"object {COPY}, integration {INTEGRATION}, point {POINT} and its rule",
    )


async def _sent(cast: Cast, narration: Narration, visit: str, place: str) -> Row:
    await cast.crm_admin.run_action(SOURCE, visit, SEND)
    narration.event(
        "CRM", f"Report on {visit}: Planned → Reported, a message for {POINT}"
    )
    text = f"SELECT id FROM {COPY} WHERE crm_id__c = '{visit}' AND place__c = '{place}'"

    async def copied() -> Row | None:
        return await one(cast.medical_admin, text)

    copy = await until(f"the copy of {visit}", copied)
    narration.event("Medical", f"CRM Congress Visit {copy['id']}: {place}")
    return copy

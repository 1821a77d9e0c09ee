"""Object workflows: the guide's example from its MDL to the closed request, and who may do what at each step."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.service.vault import own_vault
from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Api

GUIDE = Path(__file__).parents[3] / "docs" / "workflows.md"
START = (
    "Objectlifecyclestateuseraction.case_request__v.new_state__v.answer_with_review__c"
)
TASKS = "/objects/objectworkflows/tasks"

# A Vault of the module's own: the guide changes the lifecycle of Case Requests.
vault = own_vault.vault
api = own_vault.api
admin = own_vault.admin
user = own_vault.user


class Desk(NamedTuple):
    """Those who work on the example: the API as each of them calls it, and their ids."""

    admin: Api
    agent: Api
    reviewer: Api
    agent_id: int
    reviewer_id: int
    case: str


def example() -> str:
    """Return the MDL of the guide."""
    (found,) = re.findall(r"```mdl\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
async def desk(api: Api, admin: Api) -> Desk:
    profile = {"security_profile__v": "business_user__v"}
    agent_id, agent = await new_user(admin, **profile)
    reviewer_id, reviewer = await new_user(admin, **profile)
    group = {"label__v": "Medical Reviewers", "members__v": str(reviewer_id)}
    made = await admin.post("/objects/groups", data=group)
    assert made.status == "SUCCESS", made.text
    deployed = await admin.post("/api/mdl/execute", data=example())
    assert deployed.status == "SUCCESS", deployed.text
    case = await admin.post("/vobjects/case__v", json=[{}])
    return Desk(
        admin,
        await as_user(api, agent),
        await as_user(api, reviewer),
        agent_id,
        reviewer_id,
        case.ids[0],
    )


async def new_request(desk: Desk) -> str:
    """Create a Case Request, and return its id."""
    made = await desk.admin.post(
        "/vobjects/case_request__v", json=[{"case__v": desk.case}]
    )
    assert made.data[0]["responseStatus"] == "SUCCESS", made.text
    return made.ids[0]


async def started(desk: Desk) -> str:
    """Start the example with a new Case Request, and return the record's id."""
    record_id = await new_request(desk)
    answer = await desk.admin.post(
        f"/vobjects/case_request__v/{record_id}/actions/{START}",
        data={"agents__c": f"user:{desk.agent_id}"},
    )
    assert answer.status == "SUCCESS", answer.text
    return record_id


async def open_task(api: Api, record_id: str) -> dict[str, Any]:
    """Return the one open task about a record."""
    found = await api.get(
        TASKS,
        params={
            "object__v": "case_request__v",
            "record_id__v": record_id,
            "status__v": "available__v,assigned__v",
        },
    )
    (task,) = found.data
    return dict(task)


async def state_of(api: Api, record_id: str) -> str:
    record = await api.get(f"/vobjects/case_request__v/{record_id}")
    (state,) = record.data["state__v"]
    return str(state)


async def answered(desk: Desk, record_id: str, notes: str = "Twice a day.") -> None:
    """Complete the agent's task."""
    task = await open_task(desk.agent, record_id)
    answer = await desk.agent.post(
        f"{TASKS}/{task['id']}/actions/complete",
        data={"case_request__v.response_notes__v": notes},
    )
    assert answer.status == "SUCCESS", answer.text


async def test_the_guides_example_goes_from_the_start_to_the_closed_request(
    desk: Desk,
) -> None:
    record_id = await started(desk)
    assert await state_of(desk.admin, record_id) == "in_progress_state__v"
    task = await open_task(desk.agent, record_id)
    assert (task["label__v"], task["assignee__v"]) == ("Answer", str(desk.agent_id))
    await answered(desk, record_id, "Once a day.")
    review = await open_task(desk.reviewer, record_id)
    assert review["status__v"] == ["available__v"]
    path = f"{TASKS}/{review['id']}/actions"
    early = await desk.reviewer.post(f"{path}/complete", data={})
    assert early.error == "OPERATION_NOT_ALLOWED"
    assert (await desk.reviewer.post(f"{path}/accept")).status == "SUCCESS"
    rejected = {"verdict_public_key__c": "verdict_reject__c"}
    missing = await desk.reviewer.post(f"{path}/complete", data=rejected)
    assert missing.error == "PARAMETER_REQUIRED"
    why = {**rejected, "verdict_reject_comment__c": "Say how long."}
    done = await desk.reviewer.post(f"{path}/complete", data=why)
    assert done.status == "SUCCESS", done.text
    # The agent has the task again, and the record is where it was.
    assert await state_of(desk.admin, record_id) == "in_progress_state__v"
    await answered(desk, record_id, "Once a day, for a week.")
    review = await open_task(desk.reviewer, record_id)
    path = f"{TASKS}/{review['id']}/actions"
    assert (await desk.reviewer.post(f"{path}/mdwaccept")).status == "SUCCESS"
    approved = {"verdict_public_key__c": "verdict_approve__c"}
    done = await desk.reviewer.post(f"{path}/mdwcomplete", json=approved)
    assert done.status == "SUCCESS", done.text
    assert await state_of(desk.admin, record_id) == "closed_state__v"
    record = (await desk.admin.get(f"/vobjects/case_request__v/{record_id}")).data
    assert record["response_notes__v"] == "Once a day, for a week."
    of_record = {"object__v": "case_request__v", "record_id__v": record_id}
    workflows = await desk.admin.get("/objects/objectworkflows", params=of_record)
    (workflow,) = workflows.data
    assert workflow["status__v"] == ["completed__v"]
    assert workflow["completed_date__v"]
    told = await desk.agent.get("/services/notifications")
    subjects = [each["subject"] for each in told.data if each["record_id"] == record_id]
    assert len(subjects) == 4
    trail = await desk.admin.get(
        "/audittrail/object_audit_trail",
        params={"objects": "case_request__v"},
    )
    noted = [each["action"] for each in trail.data if each["record_id"] == record_id]
    for action in (
        "Start Workflow",
        "Accept Task",
        "Complete Task",
        "Complete Workflow",
    ):
        assert action in noted

"""The guide's workflow, deployed: an agent answers a Case Request and a reviewer decides about the answer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.service.vault.people import as_user, new_user
from tests.service.vault.served import Api

GUIDE = Path(__file__).parents[3] / "docs" / "workflows.md"
START = (
    "Objectlifecyclestateuseraction.case_request__v.new_state__v.answer_with_review__c"
)
TASKS = "/objects/objectworkflows/tasks"


class Desk(NamedTuple):
    """The users of the example: the API as each of them calls it, and their ids."""

    admin: Api
    agent: Api
    reviewer: Api
    agent_id: int
    reviewer_id: int
    agent_name: str
    reviewer_name: str
    case: str


def example() -> str:
    """Return the MDL of the guide."""
    found, *_ = re.findall(r"```mdl\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
async def desk(api: Api, admin: Api) -> Desk:
    """The guide's example in the Vault of the module, with a user for each part in it."""
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
        agent,
        reviewer,
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


async def reviewed(desk: Desk, record_id: str, verdict: str, comment: str) -> None:
    """Accept and complete the reviewer's task with ``approve`` or ``reject``."""
    task = await open_task(desk.reviewer, record_id)
    path = f"{TASKS}/{task['id']}/actions"
    accepted = await desk.reviewer.post(f"{path}/accept")
    assert accepted.status == "SUCCESS", accepted.text
    fields = {
        "verdict_public_key__c": f"verdict_{verdict}__c",
        f"verdict_{verdict}_comment__c": comment,
    }
    done = await desk.reviewer.post(f"{path}/complete", data=fields)
    assert done.status == "SUCCESS", done.text


async def workflow_of(desk: Desk, record_id: str) -> dict[str, Any]:
    """Return the one workflow in which a record is, or was."""
    of_record = {"object__v": "case_request__v", "record_id__v": record_id}
    found = await desk.admin.get("/objects/objectworkflows", params=of_record)
    (workflow,) = found.data
    return dict(workflow)

"""Workflows of a record: the guide's example from start to end, how one starts, is cancelled and is queried."""

from __future__ import annotations

import pytest

from tests.service.vault import answering, module_vault
from tests.service.vault.answering import (
    START,
    TASKS,
    Desk,
    answered,
    new_request,
    open_task,
    started,
    state_of,
)
from tests.service.vault.jobbing import finished
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Api

# A Vault of the module's own: the guide changes the lifecycle of Case Requests.
vault = module_vault.vault
api = module_vault.api
admin = module_vault.admin
user = module_vault.user
desk = answering.desk


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


async def test_a_record_is_in_one_workflow_at_a_time(desk: Desk) -> None:
    record_id = await started(desk)
    contents = {
        "contents__sys": f"Object:case_request__v.{record_id}",
        "description__sys": "Again",
        "agents__c": f"user:{desk.agent_id}",
    }
    path = "/objects/objectworkflows/actions/Objectworkflow.answer_with_review__c"
    again = await desk.admin.post(path, data=contents)
    assert again.error == "OPERATION_NOT_ALLOWED"
    assert "another workflow" in again.message


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        ({}, "PARAMETER_REQUIRED"),
        ({"agents__c": "user:999999999999"}, "INVALID_DATA"),
        ({"agents__c": "somebody"}, "INVALID_DATA"),
        ({"agents__c": "user:{agent}", "reviewers__c": "user:{agent}"}, "INVALID_DATA"),
        ({"agents__c": "user:{agent}", "unknown__c": "x"}, "ATTRIBUTE_NOT_SUPPORTED"),
    ],
)
async def test_a_start_that_is_refused_leaves_the_record_as_it_was(
    desk: Desk, sent: dict[str, str], error: str
) -> None:
    record_id = await new_request(desk)
    answer = await desk.admin.post(
        f"/vobjects/case_request__v/{record_id}/actions/{START}",
        data={name: text.format(agent=desk.agent_id) for name, text in sent.items()},
    )
    assert answer.error == error
    assert await state_of(desk.admin, record_id) == "new_state__v"
    of_record = {"object__v": "case_request__v", "record_id__v": record_id}
    listed = await desk.admin.get("/objects/objectworkflows", params=of_record)
    assert listed.data == []


async def test_who_may_not_read_the_records_sees_no_workflow(
    desk: Desk, admin: Api
) -> None:
    record_id = await started(desk)
    task = await open_task(desk.agent, record_id)
    stranger = await with_profile(admin, set(), {"product__v": "r"})
    of_record = {"object__v": "case_request__v", "record_id__v": record_id}
    assert (await stranger.get(TASKS, params=of_record)).data == []
    hidden = await stranger.get(f"{TASKS}/{task['id']}")
    unknown = await stranger.get(f"{TASKS}/999999999")
    assert (hidden.error, hidden.message) == (unknown.error, unknown.message)
    text = "SELECT id FROM active_workflow_task__sys"
    assert (await stranger.query(text)).data == []
    refused = await stranger.post(f"{TASKS}/{task['id']}/actions/accept")
    assert refused.error == "INSUFFICIENT_ACCESS"


async def test_a_cancelled_workflow_leaves_no_task_open(desk: Desk) -> None:
    record_id = await started(desk)
    task = await open_task(desk.agent, record_id)
    path = f"/objects/objectworkflows/{task['workflow__v']}"
    refused = await desk.agent.post(f"{path}/actions/cancel")
    assert refused.error == "INSUFFICIENT_ACCESS"
    owner = {"new_workflow_owner": f"user:{desk.agent_id}"}
    changed = await desk.admin.post(f"{path}/actions/replaceworkflowowner", data=owner)
    assert changed.status == "SUCCESS", changed.text
    why = {"cancellation_comment": "Asked twice"}
    done = await desk.agent.post(f"{path}/actions/cancel", data=why)
    assert done.status == "SUCCESS", done.text
    (shown,) = (await desk.agent.get(path)).data
    assert shown["status__v"] == ["cancelled__v"]
    assert shown["initiator__v"] == desk.agent_id
    (ended_task,) = (await desk.agent.get(f"{TASKS}/{task['id']}")).data
    assert ended_task["status__v"] == ["cancelled__v"]
    assert (await desk.agent.get(f"{path}/actions")).data == []


async def test_a_deleted_record_ends_its_workflow(desk: Desk) -> None:
    record_id = await started(desk)
    task = await open_task(desk.agent, record_id)
    gone = await desk.admin.delete(f"/vobjects/case_request__v/{record_id}")
    assert gone.status == "SUCCESS", gone.text
    (shown,) = (
        await desk.admin.get(f"/objects/objectworkflows/{task['workflow__v']}")
    ).data
    assert shown["status__v"] == ["cancelled__v"]
    refused = await desk.agent.post(f"{TASKS}/{task['id']}/actions/complete")
    assert refused.error == "OPERATION_NOT_ALLOWED"


async def test_workflows_are_queried(desk: Desk) -> None:
    record_id = await started(desk)
    task = await open_task(desk.agent, record_id)
    workflow = task["workflow__v"]
    found = await desk.admin.query(
        "SELECT id, label__sys, status__sys, owner__sysr.username__sys,"
        " (SELECT name__sys, status__sys FROM active_workflow_tasks__sysr)"
        f" FROM active_workflow__sys WHERE id = '{workflow}'"
    )
    (row,) = found.data
    assert row["label__sys"] == "Answer with Review"
    (one,) = row["active_workflow_tasks__sysr"]["data"]
    assert one == {"name__sys": "answer__c", "status__sys": "assigned__sys"}
    items = await desk.agent.query(
        "SELECT object_name__sys, active_workflow__sysr.label__sys FROM active_workflow_item__sys"
        f" WHERE object_record_id__sys = '{record_id}'"
    )
    assert items.data[0]["object_name__sys"] == "case_request__v"
    await desk.admin.post(f"/objects/objectworkflows/{workflow}/actions/cancel")
    after = await desk.agent.query(
        "SELECT verdict__sys, inactive_workflow__sysr.status__sys FROM inactive_workflow_task_item__sys"
        f" WHERE workflow__sys = '{workflow}'"
    )
    assert after.data[0]["inactive_workflow__sysr.status__sys"] == "cancelled__v"
    of_active = f"SELECT id FROM active_workflow__sys WHERE id = '{workflow}'"
    assert (await desk.admin.query(of_active)).data == []


async def test_actions_on_several_are_a_job_that_says_what_it_could_not_do(
    desk: Desk,
) -> None:
    first, second = await started(desk), await started(desk)
    tasks = [await open_task(desk.agent, each) for each in (first, second)]
    ids = [task["workflow__v"] for task in tasks]
    refused = await desk.agent.post(
        "/object/workflow/actions/cancelworkflows", data={"workflow_ids": ids[0]}
    )
    assert refused.error == "INSUFFICIENT_ACCESS"
    submitted = await desk.admin.post(
        "/object/workflow/actions/cancelworkflows",
        data={"workflow_ids": ",".join([*ids, "999999999"])},
    )
    job = await finished(desk.admin, submitted.data["job_id"])
    assert job["status"] == "ERRORS_ENCOUNTERED"
    for each in ids:
        (shown,) = (await desk.admin.get(f"/objects/objectworkflows/{each}")).data
        assert shown["status__v"] == ["cancelled__v"]

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
    reviewed,
    started,
    state_of,
    workflow_of,
)
from tests.service.vault.jobbing import finished
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import USERNAMES, Api

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
    await reviewed(desk, record_id, "reject", "Say how long.")
    # The agent has the task again, and the record is where it was.
    assert await state_of(desk.admin, record_id) == "in_progress_state__v"
    await answered(desk, record_id, "Once a day, for a week.")
    await reviewed(desk, record_id, "approve", "Well said.")
    assert await state_of(desk.admin, record_id) == "closed_state__v"
    record = (await desk.admin.get(f"/vobjects/case_request__v/{record_id}")).data
    assert record["response_notes__v"] == "Once a day, for a week."
    workflow = await workflow_of(desk, record_id)
    assert workflow["status__v"] == ["completed__v"]
    assert workflow["completed_date__v"]


async def test_who_has_a_task_or_is_named_in_a_step_is_notified(desk: Desk) -> None:
    record_id = await started(desk)
    await answered(desk, record_id)
    await reviewed(desk, record_id, "approve", "Well said.")
    sent = await desk.agent.get("/services/notifications")
    subjects = [each["subject"] for each in sent.data if each["record_id"] == record_id]
    assert len(subjects) == 2
    record = (await desk.admin.get(f"/vobjects/case_request__v/{record_id}")).data
    assert f"{record['name__v']} is closed" in subjects


async def test_each_step_is_in_the_audit_trail_of_the_record(desk: Desk) -> None:
    record_id = await started(desk)
    await answered(desk, record_id)
    await reviewed(desk, record_id, "approve", "Well said.")
    trail = await desk.admin.query(
        "SELECT action FROM object_audit_trail WHERE object_name = 'case_request__v'"
        f" AND record_id = '{record_id}'"
    )
    noted = {row["action"] for row in trail.data}
    assert noted >= {
        "Start Workflow",
        "Accept Task",
        "Complete Task",
        "Complete Workflow",
    }


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
    text = f"SELECT id FROM active_workflow_task__sys WHERE id = '{task['id']}'"
    assert (await stranger.query(text)).data == []
    assert len((await desk.agent.query(text)).data) == 1
    refused = await stranger.post(f"{TASKS}/{task['id']}/actions/accept")
    assert refused.error == "INSUFFICIENT_ACCESS"


async def test_only_its_owner_or_a_manager_of_workflows_cancels_one(desk: Desk) -> None:
    workflow = await workflow_of(desk, await started(desk))
    path = f"/objects/objectworkflows/{workflow['id']}/actions"
    refused = await desk.agent.post(f"{path}/cancel")
    assert refused.error == "INSUFFICIENT_ACCESS"
    owner = {"new_workflow_owner": f"user:{desk.agent_id}"}
    changed = await desk.admin.post(f"{path}/replaceworkflowowner", data=owner)
    assert changed.status == "SUCCESS", changed.text
    done = await desk.agent.post(f"{path}/cancel")
    assert done.status == "SUCCESS", done.text


async def test_a_cancelled_workflow_leaves_no_task_and_no_action_open(
    desk: Desk,
) -> None:
    task = await open_task(desk.agent, await started(desk))
    path = f"/objects/objectworkflows/{task['workflow__v']}"
    why = {"cancellation_comment": "Asked twice"}
    done = await desk.admin.post(f"{path}/actions/cancel", data=why)
    assert done.status == "SUCCESS", done.text
    (shown,) = (await desk.admin.get(path)).data
    assert shown["status__v"] == ["cancelled__v"]
    (ended_task,) = (await desk.agent.get(f"{TASKS}/{task['id']}")).data
    assert ended_task["status__v"] == ["cancelled__v"]
    assert (await desk.admin.get(f"{path}/actions")).data == []


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


async def test_active_workflows_are_queried_with_their_tasks_and_items(
    desk: Desk,
) -> None:
    record_id = await started(desk)
    workflow = (await workflow_of(desk, record_id))["id"]
    found = await desk.admin.query(
        "SELECT label__sys, owner__sysr.username__sys, (SELECT name__sys, status__sys FROM active_workflow_tasks__sysr)"
        f" FROM active_workflow__sys WHERE id = '{workflow}'"
    )
    (row,) = found.data
    assert row["label__sys"] == "Answer with Review"
    assert row["owner__sysr.username__sys"] == USERNAMES["admin"]
    assert row["active_workflow_tasks__sysr"]["data"] == [
        {"name__sys": "answer__c", "status__sys": "assigned__sys"}
    ]
    items = await desk.agent.query(
        "SELECT object_name__sys, active_workflow__sysr.label__sys FROM active_workflow_item__sys"
        f" WHERE object_record_id__sys = '{record_id}'"
    )
    assert items.data == [
        {
            "object_name__sys": "case_request__v",
            "active_workflow__sysr.label__sys": "Answer with Review",
        }
    ]


async def test_an_ended_workflow_is_queried_as_inactive(desk: Desk) -> None:
    workflow = (await workflow_of(desk, await started(desk)))["id"]
    await desk.admin.post(f"/objects/objectworkflows/{workflow}/actions/cancel")
    of_active = f"SELECT id FROM active_workflow__sys WHERE id = '{workflow}'"
    assert (await desk.admin.query(of_active)).data == []
    items = await desk.agent.query(
        "SELECT inactive_workflow__sysr.status__sys FROM inactive_workflow_task_item__sys"
        f" WHERE workflow__sys = '{workflow}'"
    )
    assert items.data == [{"inactive_workflow__sysr.status__sys": "cancelled__v"}]


async def test_actions_on_several_workflows_are_not_for_everybody(desk: Desk) -> None:
    workflow = await workflow_of(desk, await started(desk))
    refused = await desk.agent.post(
        "/object/workflow/actions/cancelworkflows",
        data={"workflow_ids": str(workflow["id"])},
    )
    assert refused.error == "INSUFFICIENT_ACCESS"


async def test_an_action_on_several_workflows_is_a_job_that_counts_what_it_could_not_do(
    desk: Desk,
) -> None:
    workflows = [await workflow_of(desk, await started(desk)) for _ in range(2)]
    ids = [str(each["id"]) for each in workflows]
    submitted = await desk.admin.post(
        "/object/workflow/actions/cancelworkflows",
        data={"workflow_ids": ",".join([*ids, "999999999"])},
    )
    job = await finished(desk.admin, submitted.data["job_id"])
    assert job["status"] == "ERRORS_ENCOUNTERED"
    tasks = await desk.admin.get(f"/services/jobs/{submitted.data['job_id']}/tasks")
    (task,) = tasks.body["tasks"]
    assert task["counts"] == {"success": 2, "failure": 1}
    for each in ids:
        (shown,) = (await desk.admin.get(f"/objects/objectworkflows/{each}")).data
        assert shown["status__v"] == ["cancelled__v"]

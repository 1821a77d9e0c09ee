"""Workflow tasks: who may complete, accept and pass on one, by call, on pages and with a public client."""

from __future__ import annotations

from veevatools.veevavault import ObjectLifecycleWorkflowService, VaultClient
from veevatools.veevavault.services.workflows import (
    WorkflowService,
    WorkflowTaskService,
)

from shared.vault.assembly.vault import Vault
from tests.service.vault import answering, module_vault
from tests.service.vault.answering import (
    TASKS,
    Desk,
    answered,
    new_request,
    open_task,
    started,
    state_of,
)
from tests.service.vault.browsing import browser
from tests.service.vault.conftest import Call
from tests.service.vault.jobbing import finished
from tests.service.vault.people import new_user
from tests.service.vault.served import Api

# A Vault of the module's own: the guide changes the lifecycle of Case Requests.
vault = module_vault.vault
api = module_vault.api
admin = module_vault.admin
user = module_vault.user
desk = answering.desk


async def test_a_task_is_its_assignees_alone(desk: Desk) -> None:
    record_id = await started(desk)
    task = await open_task(desk.agent, record_id)
    path = f"{TASKS}/{task['id']}/actions"
    notes = {"response_notes__v": "Mine"}
    other = await desk.reviewer.post(f"{path}/complete", data=notes)
    assert other.error == "OPERATION_NOT_ALLOWED"
    assert (await desk.reviewer.post(f"{path}/accept")).error == "OPERATION_NOT_ALLOWED"
    # Neither assignee nor owner, nor one who manages workflows.
    to_me = {"task_assignee__v": f"user:{desk.reviewer_id}"}
    taken = await desk.reviewer.post(f"{path}/reassign", data=to_me)
    assert taken.error == "INSUFFICIENT_ACCESS"
    assert (await desk.reviewer.post(f"{path}/cancel")).error == "INSUFFICIENT_ACCESS"
    given = await desk.agent.post(f"{path}/reassign", data=to_me)
    assert given.status == "SUCCESS", given.text
    offered = await desk.reviewer.get(path)
    assert "complete" in [each["name"] for each in offered.data]
    assert (
        await desk.reviewer.post(f"{path}/complete", data=notes)
    ).status == "SUCCESS"
    twice = await desk.reviewer.post(f"{path}/complete", data=notes)
    assert twice.error == "OPERATION_NOT_ALLOWED"


async def test_an_agent_finds_accepts_and_completes_tasks_on_pages(
    desk: Desk, api: Api
) -> None:
    record_id = await new_request(desk)
    agent = f"agents__c.{desk.agent_id}"
    async with browser(api.url, "admin") as starter:
        page = await starter.open(f"/ui/objects/case_request__v/{record_id}")
        page = await starter.press(page, "Answer with Review", **{agent: "on"})
        assert "Answer Assigned" in page.text
    task = await open_task(desk.agent, record_id)
    async with browser(api.url) as answering:
        await answering.sign_in(desk.agent_name)
        page = await answering.open("/ui/tasks")
        assert f"/ui/tasks/{task['id']}" in page.links.values()
        page = await answering.open(f"/ui/tasks/{task['id']}")
        assert "Answer the question in the response notes." in page.text
        # What is missing is said at the task, and nothing has happened.
        page = await answering.press(page, "Complete")
        assert "PARAMETER_REQUIRED" in page.text and "Assigned" in page.text
        page = await answering.press(page, "Complete", response_notes__v="Daily.")
        assert "The task is completed." in page.text
    review = await open_task(desk.reviewer, record_id)
    async with browser(api.url) as reviewing:
        await reviewing.sign_in(desk.reviewer_name)
        page = await reviewing.open(f"/ui/tasks/{review['id']}")
        page = await reviewing.press(page, "Accept")
        assert "The task is yours." in page.text
        page = await reviewing.press(
            page,
            "Complete",
            verdict_public_key__c="verdict_approve__c",
            comment="Well said.",
        )
        assert "The task is completed." in page.text
        page = await reviewing.open(f"/ui/objects/case_request__v/{record_id}")
        assert "Review Completed" in page.text and "Well said." in page.text
    assert await state_of(desk.admin, record_id) == "closed_state__v"


async def test_the_python_client_on_pypi_works_on_tasks(
    desk: Desk, client: VaultClient, call: Call
) -> None:
    record_id = await new_request(desk)
    workflows, tasks = WorkflowService(client), WorkflowTaskService(client)
    (me,) = (await desk.admin.get("/objects/users/me")).body["users"]
    begun = await call(
        ObjectLifecycleWorkflowService(client).initiate_multi_record_workflow,
        "Objectworkflow.answer_with_review__c",
        {
            "contents__sys": f"Object:case_request__v.{record_id}",
            "description__sys": "By the client",
            "agents__c": f"user:{me['user']['id']}",
        },
    )
    assert begun["responseStatus"] == "SUCCESS", begun
    listed = await call(
        workflows.retrieve_workflows, object_name="case_request__v", record_id=record_id
    )
    (workflow,) = listed["data"]
    assert str(workflow["id"]) == begun["data"]["workflow_id"]
    found = await call(
        tasks.retrieve_workflow_tasks, assignee="me()", status="assigned__v"
    )
    task = next(each for each in found["data"] if each["record_id__v"] == record_id)
    details = await call(
        tasks.retrieve_workflow_task_action_details, str(task["id"]), "complete"
    )
    kinds = [control["type"] for control in details["data"]["controls"]]
    assert kinds == ["instructions", "field"]
    done = await call(
        tasks.complete_single_record_workflow_task,
        str(task["id"]),
        {"case_request__v.response_notes__v": "By the client."},
    )
    assert done["responseStatus"] == "SUCCESS", done


async def test_a_delegate_completes_and_the_trail_names_both(
    desk: Desk, api: Api, vault: Vault
) -> None:
    record_id = await started(desk)
    task = await open_task(desk.agent, record_id)
    granted = await desk.agent.post(
        "/services/delegations", data={"delegate_userid": str(desk.reviewer_id)}
    )
    assert granted.status == "SUCCESS", granted.text
    opened = await desk.reviewer.post(
        "/delegation/login",
        data={
            "vault_id": str(vault.vault_id),
            "delegator_userid": str(desk.agent_id),
        },
    )
    delegate = Api(api.http, api.url, opened.body["delegated_sessionid"])
    done = await delegate.post(
        f"{TASKS}/{task['id']}/actions/complete",
        data={"response_notes__v": "For my colleague."},
    )
    assert done.status == "SUCCESS", done.text
    trail = await desk.admin.query(
        "SELECT action, user_id, on_behalf_of FROM object_audit_trail"
        f" WHERE object_name = 'case_request__v' AND record_id = '{record_id}'"
    )
    (noted,) = [row for row in trail.data if row["action"] == "Complete Task"]
    assert noted["user_id"] == str(desk.reviewer_id)
    assert noted["on_behalf_of"] == desk.agent_name


async def test_an_accepted_task_is_given_back_and_an_open_one_cancelled(
    desk: Desk,
) -> None:
    record_id = await started(desk)
    await answered(desk, record_id)
    task = (await open_task(desk.reviewer, record_id))["id"]
    offered = await desk.reviewer.get(f"{TASKS}/{task}/actions")
    assert [each["name"] for each in offered.data] == ["accept"]
    await desk.reviewer.post(f"{TASKS}/{task}/actions/accept")
    details = await desk.reviewer.get(f"{TASKS}/{task}/actions/complete")
    (verdicts,) = [
        control["verdicts"]
        for control in details.data["controls"]
        if control["type"] == "verdict"
    ]
    assert [each["name"] for each in verdicts] == [
        "verdict_approve__c",
        "verdict_reject__c",
    ]
    back = await desk.reviewer.post(f"{TASKS}/{task}/actions/undoaccept")
    assert back.status == "SUCCESS", back.text
    assert (await open_task(desk.admin, record_id))["status__v"] == ["available__v"]
    due = {"task_due_date__v": "2027-01-31"}
    refused = await desk.reviewer.post(
        f"{TASKS}/{task}/actions/updateduedate", data=due
    )
    assert refused.error == "INSUFFICIENT_ACCESS"
    dated = await desk.admin.post(f"{TASKS}/{task}/actions/updateduedate", data=due)
    assert dated.status == "SUCCESS", dated.text
    found = (await open_task(desk.admin, record_id))["due_date__v"]
    assert found == "2027-01-31T00:00:00.000Z"
    # Without a verdict the decision has only its last rule, which asks for another answer.
    cancelled = await desk.admin.post(f"{TASKS}/{task}/actions/cancel")
    assert cancelled.status == "SUCCESS", cancelled.text
    assert (await open_task(desk.admin, record_id))["label__v"] == "Answer"


async def test_tasks_and_workflows_of_a_user_go_to_another_one(
    desk: Desk, admin: Api
) -> None:
    record_id = await started(desk)
    task = await open_task(desk.agent, record_id)
    heir, _ = await new_user(admin, security_profile__v="business_user__v")
    changes: dict[str, dict[str, int]] = {
        "reassigntasks": {
            "current_task_assignee": desk.agent_id,
            "new_task_assignee": heir,
        },
        "replaceworkflowowner": {
            "current_workflow_owner": desk.agent_id,
            "new_workflow_owner": heir,
        },
    }
    path = f"/objects/objectworkflows/{task['workflow__v']}"
    mine = {"new_workflow_owner": f"user:{desk.agent_id}"}
    await admin.post(f"{path}/actions/replaceworkflowowner", data=mine)
    for action, fields in changes.items():
        asked = await admin.get(f"/object/workflow/actions/{action}")
        (control,) = asked.data["controls"]
        assert {prompt["name"] for prompt in control["prompts"]} == set(fields)
        sent_fields = {name: str(number) for name, number in fields.items()}
        begun = await admin.post(f"/object/workflow/actions/{action}", data=sent_fields)
        job = await finished(admin, begun.data["job_id"])
        assert job["status"] == "SUCCESS", job
    assert (await open_task(admin, record_id))["assignee__v"] == str(heir)
    assert (await admin.get(path)).data[0]["initiator__v"] == heir
    by_user = {"user_ids": str(heir)}
    begun = await admin.post("/object/workflow/actions/canceltasks", data=by_user)
    assert (await finished(admin, begun.data["job_id"]))["status"] == "SUCCESS"
    # The answer was cancelled: the workflow goes on with the review.
    assert (await open_task(admin, record_id))["label__v"] == "Review"

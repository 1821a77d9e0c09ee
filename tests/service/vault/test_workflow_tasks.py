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
    workflow_of,
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
    task = await open_task(desk.agent, await started(desk))
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


async def test_an_open_task_has_its_dates(desk: Desk) -> None:
    record_id = await started(desk)
    task = await open_task(desk.agent, record_id)
    assert task["status__v"] == ["assigned__v"]
    assert task["assigned_date__v"] >= task["created_date__v"]
    (details,) = (await desk.agent.get(f"{TASKS}/{task['id']}")).data
    assert details["assigned_date__v"] == task["assigned_date__v"]
    complete = f"{TASKS}/{task['id']}/actions/complete"
    await desk.agent.post(complete, data={"response_notes__v": "Done"})
    (ended,) = (await desk.agent.get(f"{TASKS}/{task['id']}")).data
    assert ended["assigned_date__v"] == task["assigned_date__v"]
    assert ended["completed_date__v"] >= ended["assigned_date__v"]


async def test_an_assignee_passes_a_task_on(desk: Desk) -> None:
    task = await open_task(desk.agent, await started(desk))
    path = f"{TASKS}/{task['id']}/actions"
    to_other = {"task_assignee__v": f"user:{desk.reviewer_id}"}
    passed_on = await desk.agent.post(f"{path}/reassign", data=to_other)
    assert passed_on.status == "SUCCESS", passed_on.text
    offered = await desk.reviewer.get(path)
    assert "complete" in [each["name"] for each in offered.data]
    notes = {"response_notes__v": "Mine"}
    refused = await desk.agent.post(f"{path}/complete", data=notes)
    assert refused.error == "OPERATION_NOT_ALLOWED"
    done = await desk.reviewer.post(f"{path}/complete", data=notes)
    assert done.status == "SUCCESS", done.text


async def test_a_task_is_completed_once(desk: Desk) -> None:
    task = await open_task(desk.agent, await started(desk))
    path = f"{TASKS}/{task['id']}/actions/complete"
    notes = {"response_notes__v": "Once"}
    assert (await desk.agent.post(path, data=notes)).status == "SUCCESS"
    assert (await desk.agent.post(path, data=notes)).error == "OPERATION_NOT_ALLOWED"


async def review_of(desk: Desk) -> str:
    """Start the example and complete the answer; return the id of the record, which waits for its review."""
    record_id = await started(desk)
    await answered(desk, record_id)
    return record_id


async def test_a_task_for_several_users_is_accepted_before_it_is_completed(
    desk: Desk,
) -> None:
    review = await open_task(desk.reviewer, await review_of(desk))
    assert review["status__v"] == ["available__v"]
    path = f"{TASKS}/{review['id']}/actions"
    offered = await desk.reviewer.get(path)
    assert [each["name"] for each in offered.data] == ["accept"]
    approved = {"verdict_public_key__c": "verdict_approve__c"}
    early = await desk.reviewer.post(f"{path}/complete", data=approved)
    assert early.error == "OPERATION_NOT_ALLOWED"
    accepted = await desk.reviewer.post(f"{path}/mdwaccept")
    assert accepted.status == "SUCCESS", accepted.text
    done = await desk.reviewer.post(f"{path}/mdwcomplete", json=approved)
    assert done.status == "SUCCESS", done.text


async def test_a_verdict_may_need_a_comment(desk: Desk) -> None:
    review = await open_task(desk.reviewer, await review_of(desk))
    path = f"{TASKS}/{review['id']}/actions"
    await desk.reviewer.post(f"{path}/accept")
    rejected = {"verdict_public_key__c": "verdict_reject__c"}
    missing = await desk.reviewer.post(f"{path}/complete", data=rejected)
    assert missing.error == "PARAMETER_REQUIRED"
    why = {**rejected, "verdict_reject_comment__c": "Say how long."}
    done = await desk.reviewer.post(f"{path}/complete", data=why)
    assert done.status == "SUCCESS", done.text


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


async def test_the_details_of_a_completion_name_the_verdicts(desk: Desk) -> None:
    review = await open_task(desk.reviewer, await review_of(desk))
    path = f"{TASKS}/{review['id']}/actions"
    await desk.reviewer.post(f"{path}/accept")
    details = await desk.reviewer.get(f"{path}/complete")
    verdicts = [
        [verdict["name"] for verdict in control["verdicts"]]
        for control in details.data["controls"]
        if control["type"] == "verdict"
    ]
    assert verdicts == [["verdict_approve__c", "verdict_reject__c"]]


async def test_the_trail_names_workflow_task_and_verdict(desk: Desk) -> None:
    record_id = await review_of(desk)
    review = await open_task(desk.reviewer, record_id)
    path = f"{TASKS}/{review['id']}/actions"
    await desk.reviewer.post(f"{path}/accept")
    details = await desk.reviewer.get(f"{path}/complete")
    (control,) = [each for each in details.data["controls"] if each.get("verdicts")]
    verdict = control["verdicts"][0]
    done = await desk.reviewer.post(
        f"{path}/complete", data={"verdict_public_key__c": verdict["name"]}
    )
    assert done.status == "SUCCESS", done.text
    trail = await desk.admin.get(f"/vobjects/case_request__v/{record_id}/audittrail")
    events = [row for row in trail.data if row["workflow_name"]]
    (workflow,) = {row["workflow_name"] for row in events}
    verdicts = {(row["action"], row["task_name"]): row["verdict"] for row in events}
    label = review["label__v"]
    assert verdicts["Complete Task", label] == verdict["label"]
    assert verdicts["Accept Task", label] is None
    assert ("Start Workflow", None) in verdicts
    described = [row["event_description"] for row in events]
    assert f"Start Workflow: {workflow}" in described


async def test_an_accepted_task_is_given_back(desk: Desk) -> None:
    record_id = await review_of(desk)
    path = f"{TASKS}/{(await open_task(desk.reviewer, record_id))['id']}/actions"
    await desk.reviewer.post(f"{path}/accept")
    back = await desk.reviewer.post(f"{path}/undoaccept")
    assert back.status == "SUCCESS", back.text
    assert (await open_task(desk.admin, record_id))["status__v"] == ["available__v"]


async def test_who_manages_workflows_sets_the_date_a_task_is_due(desk: Desk) -> None:
    record_id = await started(desk)
    path = f"{TASKS}/{(await open_task(desk.agent, record_id))['id']}/actions"
    due = {"task_due_date__v": "2027-01-31"}
    refused = await desk.reviewer.post(f"{path}/updateduedate", data=due)
    assert refused.error == "INSUFFICIENT_ACCESS"
    dated = await desk.admin.post(f"{path}/updateduedate", data=due)
    assert dated.status == "SUCCESS", dated.text
    found = (await open_task(desk.admin, record_id))["due_date__v"]
    assert found == "2027-01-31T00:00:00.000Z"


async def test_after_a_cancelled_review_the_last_rule_of_the_decision_applies(
    desk: Desk,
) -> None:
    record_id = await review_of(desk)
    review = (await open_task(desk.reviewer, record_id))["id"]
    cancelled = await desk.admin.post(f"{TASKS}/{review}/actions/cancel")
    assert cancelled.status == "SUCCESS", cancelled.text
    # There is no verdict; the last rule asks for another answer.
    assert (await open_task(desk.admin, record_id))["label__v"] == "Answer"


async def done_in_bulk(admin: Api, action: str, **fields: int) -> None:
    """Carry out an action on several tasks or workflows, after a look at its prompts."""
    asked = await admin.get(f"/object/workflow/actions/{action}")
    (control,) = asked.data["controls"]
    assert {prompt["name"] for prompt in control["prompts"]} >= set(fields)
    sent = {name: str(number) for name, number in fields.items()}
    begun = await admin.post(f"/object/workflow/actions/{action}", data=sent)
    job = await finished(admin, begun.data["job_id"])
    assert job["status"] == "SUCCESS", job


async def test_all_tasks_of_a_user_go_to_another_one(desk: Desk) -> None:
    record_id = await started(desk)
    heir, _ = await new_user(desk.admin, security_profile__v="business_user__v")
    await done_in_bulk(
        desk.admin,
        "reassigntasks",
        current_task_assignee=desk.agent_id,
        new_task_assignee=heir,
    )
    assert (await open_task(desk.admin, record_id))["assignee__v"] == str(heir)


async def test_all_workflows_of_a_user_go_to_another_one(desk: Desk) -> None:
    workflow = await workflow_of(desk, await started(desk))
    path = f"/objects/objectworkflows/{workflow['id']}"
    mine = {"new_workflow_owner": f"user:{desk.agent_id}"}
    await desk.admin.post(f"{path}/actions/replaceworkflowowner", data=mine)
    heir, _ = await new_user(desk.admin, security_profile__v="business_user__v")
    await done_in_bulk(
        desk.admin,
        "replaceworkflowowner",
        current_workflow_owner=desk.agent_id,
        new_workflow_owner=heir,
    )
    assert (await desk.admin.get(path)).data[0]["initiator__v"] == heir


async def test_all_tasks_of_a_user_are_cancelled(desk: Desk) -> None:
    record_id = await started(desk)
    begun = await desk.admin.post(
        "/object/workflow/actions/canceltasks", data={"user_ids": str(desk.agent_id)}
    )
    job = await finished(desk.admin, begun.data["job_id"])
    assert job["status"] == "SUCCESS", job
    # The answer was cancelled: the workflow goes on with the review.
    assert (await open_task(desk.admin, record_id))["label__v"] == "Review"

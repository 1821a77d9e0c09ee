"""Object workflows: the guide's example from its MDL to the closed request, and who may do what at each step."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from veevatools.veevavault import ObjectLifecycleWorkflowService, VaultClient
from veevatools.veevavault.services.workflows import (
    WorkflowService,
    WorkflowTaskService,
)

from shared.vault.assembly.vault import Vault
from tests.service.vault import module_vault
from tests.service.vault.browsing import browser
from tests.service.vault.conftest import Call
from tests.service.vault.jobbing import finished
from tests.service.vault.people import as_user, new_user
from tests.service.vault.profiles import with_profile
from tests.service.vault.served import Api

GUIDE = Path(__file__).parents[3] / "docs" / "workflows.md"
START = (
    "Objectlifecyclestateuseraction.case_request__v.new_state__v.answer_with_review__c"
)
TASKS = "/objects/objectworkflows/tasks"

# A Vault of the module's own: the guide changes the lifecycle of Case Requests.
vault = module_vault.vault
api = module_vault.api
admin = module_vault.admin
user = module_vault.user


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


PARCELS = """
RECREATE Objectlifecycle parcel_lifecycle__c (
   label('Parcel'), starting_state('packed_state__c'),
   Objectlifecyclestate packed_state__c (label('Packed'), cancel_state('Objectlifecyclestate.lost_state__c'),
      Objectlifecyclestateuseraction send__c (
         label('Send'), action('change_state'), next_state('sent_state__c'))),
   Objectlifecyclestate sent_state__c (label('Sent'),
      Objectlifecyclestateentryaction known__c (
         order(1), action('start_workflow'), workflow('Objectworkflow.closing__c')),
      Objectlifecyclestateentryaction exported__c (order(2), rule({<rule><actions>
         <action type="LIFECYCLE_RUN_WORKFLOW_ACTION" objectWorkflow="Objectworkflow.elsewhere__c"/></actions></rule>}))
   ),
   Objectlifecyclestate lost_state__c (label('Lost'))
);
RECREATE Object parcel__c (
   label('Parcel'), prefix('ZPA'), lifecycle('Objectlifecycle.parcel_lifecycle__c'),
   Field weight__c (label('Weight'), type('Number')),
   Field carrier__c (label('Carrier'), type('Object'), object('Object.user__sys'))
);
RECREATE Objectworkflow closing__c (
   label('Closing'), active(true), object_lifecycles('Objectlifecycle.parcel_lifecycle__c'),
   Objectworkflowstep start__c (label('Start'), type('start'), next_steps('Objectworkflowstep.end__c')),
   Objectworkflowstep end__c (label('End'), type('end'))
);
RECREATE Objectworkflow sending__c (
   label('Sending'), active(true), cardinality('OneOrMany'),
   object_lifecycles('Objectlifecycle.parcel_lifecycle__c'),
   Objectworkflowstep start__c (label('Start'), type('start'), next_steps('Objectworkflowstep.weigh__c'),
      step_detail({<d><control name="carriers__c" type="participant"><field reference="Object.parcel__c.carrier__c"/>
      </control></d>})),
   Objectworkflowstep weigh__c (label('Weigh'), type('decision'), step_detail({<d>
      <rule><criteria>weight__c &lt; 10</criteria><nextStep>Objectworkflowstep.check__c</nextStep></rule>
      <rule><nextStep>Objectworkflowstep.end__c</nextStep></rule></d>})),
   Objectworkflowstep check__c (label('Check'), type('usertask'), next_steps('Objectworkflowstep.way__c'),
      step_detail({<d><control name="verdict_public_key__c" type="verdict">
      <verdict label="Good" name="verdict_good__c"/><verdict label="Bad" name="verdict_bad__c"/></control>
      <assignment participant="carriers__c"/><assignmentType type="all"/></d>})),
   Objectworkflowstep way__c (label('Way'), type('decision'), step_detail({<d>
      <rule><expression operator="function" qualifier="decision.userTask">
      <expression operator="method"><value>all_label</value></expression>
      <expression operator="argumentGroup"><value>ARGUMENT_GROUP1</value>
      <expression operator="argument"><value>Objectworkflowstep.check__c</value></expression></expression>
      <expression operator="argumentGroup"><value>ARGUMENT_GROUP2</value>
      <expression operator="argument"><value>Good</value></expression></expression></expression>
      <nextStep>Objectworkflowstep.send__c</nextStep></rule>
      <rule><nextStep>Objectworkflowstep.end__c</nextStep></rule></d>})),
   Objectworkflowstep send__c (label('Send'), type('changestate'), next_steps('Objectworkflowstep.end__c'),
      step_detail({<d><nextstate>Objectlifecyclestate.parcel_lifecycle__c.sent_state__c</nextstate></d>})),
   Objectworkflowstep end__c (label('End'), type('end'))
);
"""


@pytest.fixture(scope="module")
async def parcels(desk: Desk) -> Desk:
    made = await desk.admin.post("/api/mdl/execute", data=PARCELS)
    assert made.status == "SUCCESS", made.text
    return desk


async def sent(desk: Desk, *weights: int) -> tuple[list[str], str]:
    """Start the workflow with parcels of these weights, by turns for two carriers; their ids, and the workflow's."""
    carriers = (desk.agent_id, desk.reviewer_id)
    rows = [
        {
            "name__v": f"Parcel {weight}",
            "weight__c": weight,
            "carrier__c": str(carriers[index % 2]),
        }
        for index, weight in enumerate(weights)
    ]
    made = await desk.admin.post("/vobjects/parcel__c", json=rows)
    ids = made.ids
    begun = await desk.admin.post(
        "/objects/objectworkflows/actions/Objectworkflow.sending__c",
        data={
            "contents__sys": ",".join(f"Object:parcel__c.{each}" for each in ids),
            "description__sys": "Parcels",
        },
    )
    assert begun.status == "SUCCESS", begun.text
    return ids, begun.data["workflow_id"]


async def states(desk: Desk, ids: list[str]) -> set[str]:
    found = [(await desk.admin.get(f"/vobjects/parcel__c/{each}")).data for each in ids]
    return {record["state__v"][0] for record in found}


async def tasks_of(api: Api, record_id: str) -> list[int]:
    found = await api.get(
        TASKS, params={"object__v": "parcel__c", "record_id__v": record_id}
    )
    return sorted(task["id"] for task in found.data)


@pytest.mark.parametrize(
    ("verdicts", "state"),
    [(("good", "good"), "sent_state__c"), (("good", "bad"), "packed_state__c")],
)
async def test_each_record_has_its_verdict_and_a_decision_asks_for_all(
    parcels: Desk, verdicts: tuple[str, str], state: str
) -> None:
    ids, workflow = await sent(parcels, 1, 2)
    first, second = await tasks_of(parcels.admin, ids[0])
    every = {"verdict_public_key__c": "verdict_good__c"}
    done = await parcels.agent.post(f"{TASKS}/{first}/actions/mdwcomplete", json=every)
    assert done.status == "SUCCESS", done.text
    (active,) = (await parcels.admin.get(f"/objects/objectworkflows/{workflow}")).data
    assert active["status__v"] == ["active__v"]
    each = [
        {
            "object__v": "parcel__c",
            "record_id__v": record_id,
            "verdict_public_key__c": f"verdict_{verdict}__c",
        }
        for record_id, verdict in zip(ids, verdicts, strict=True)
    ]
    done = await parcels.reviewer.post(
        f"{TASKS}/{second}/actions/mdwcomplete", json={"contents__sys": each}
    )
    assert done.status == "SUCCESS", done.text
    # In the state that it leads to, an entry action would start another workflow, and one that is not here.
    assert await states(parcels, ids) == {state}
    found = await parcels.admin.query(
        "SELECT verdict__sys FROM inactive_workflow_task_item__sys"
        f" WHERE workflow__sys = '{workflow}' AND task__sys = '{second}'"
    )
    given = sorted(row["verdict__sys"] for row in found.data)
    assert given == sorted(f"verdict_{verdict}__c" for verdict in verdicts)


async def test_criteria_decide_and_a_workflow_may_end_without_a_task(
    parcels: Desk,
) -> None:
    ids, workflow = await sent(parcels, 20)
    assert await tasks_of(parcels.admin, ids[0]) == []
    (ended,) = (await parcels.admin.get(f"/objects/objectworkflows/{workflow}")).data
    assert ended["status__v"] == ["completed__v"]


async def test_two_last_completions_at_once_move_the_workflow_on_once(
    parcels: Desk,
) -> None:
    ids, workflow = await sent(parcels, 3, 4)
    first, second = await tasks_of(parcels.admin, ids[0])
    bad = {"verdict_public_key__c": "verdict_bad__c"}
    answers = await asyncio.gather(
        parcels.agent.post(f"{TASKS}/{first}/actions/complete", data=bad),
        parcels.reviewer.post(f"{TASKS}/{second}/actions/complete", data=bad),
        parcels.agent.post(f"{TASKS}/{first}/actions/complete", data=bad),
    )
    assert sorted(answer.status for answer in answers) == [
        "FAILURE",
        "SUCCESS",
        "SUCCESS",
    ]
    (ended,) = (await parcels.admin.get(f"/objects/objectworkflows/{workflow}")).data
    assert ended["status__v"] == ["completed__v"]
    trail = await parcels.admin.query(
        "SELECT action FROM object_audit_trail WHERE object_name = 'parcel__c'"
        f" AND record_id = '{ids[0]}'"
    )
    actions = [row["action"] for row in trail.data]
    assert actions.count("Complete Workflow") == 1


async def test_a_cancelled_workflow_moves_its_records_to_their_cancel_state(
    parcels: Desk,
) -> None:
    ids, workflow = await sent(parcels, 5)
    path = f"/objects/objectworkflows/{workflow}/actions/cancel"
    assert (await parcels.admin.post(path)).status == "SUCCESS"
    assert await states(parcels, ids) == {"lost_state__c"}


async def test_a_workflow_under_way_keeps_its_definition(parcels: Desk) -> None:
    ids, _ = await sent(parcels, 6)
    (task,) = await tasks_of(parcels.admin, ids[0])
    dropped = "ALTER Objectworkflow sending__c (active(false), DROP Objectworkflowstep way__c);"
    changed = await parcels.admin.post("/api/mdl/execute", data=dropped)
    assert changed.status in ("SUCCESS", "WARNING"), changed.text
    good = {"verdict_public_key__c": "verdict_good__c"}
    done = await parcels.agent.post(f"{TASKS}/{task}/actions/complete", data=good)
    assert done.status == "SUCCESS", done.text
    assert await states(parcels, ids) == {"sent_state__c"}
    again = await parcels.admin.post("/api/mdl/execute", data=PARCELS)
    assert again.status == "SUCCESS", again.text


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


async def test_an_entry_action_starts_what_is_here_and_passes_over_what_is_not(
    parcels: Desk,
) -> None:
    made = await parcels.admin.post("/vobjects/parcel__c", json=[{"name__v": "Own"}])
    (record_id,) = made.ids
    send = "Objectlifecyclestateuseraction.parcel__c.packed_state__c.send__c"
    path = f"/vobjects/parcel__c/{record_id}/actions/{send}"
    assert (await parcels.admin.post(path)).status == "SUCCESS"
    of_record = {"object__v": "parcel__c", "record_id__v": record_id}
    found = await parcels.admin.get("/objects/objectworkflows", params=of_record)
    shown = [(each["label__v"], each["status__v"]) for each in found.data]
    assert shown == [("Closing", ["completed__v"])]


async def test_verdicts_may_be_noted_before_the_task_is_completed(
    parcels: Desk,
) -> None:
    ids, workflow = await sent(parcels, 7, 8)
    first, second = await tasks_of(parcels.admin, ids[0])
    noted = {
        "contents__sys": [
            {
                "object__v": "parcel__c",
                "record_id__v": ids[0],
                "verdict_public_key__c": "verdict_bad__c",
            }
        ]
    }
    done = await parcels.agent.post(
        f"{TASKS}/{first}/actions/mdwmanagecontent", json=noted
    )
    assert done.status == "SUCCESS", done.text
    # Of the other record nothing is known yet.
    early = await parcels.agent.post(f"{TASKS}/{first}/actions/mdwcomplete", json={})
    assert early.error == "PARAMETER_REQUIRED"
    other = {
        "record_id__v": ids[1],
        "verdict_public_key__c": "verdict_good__c",
    }
    done = await parcels.agent.post(
        f"{TASKS}/{first}/actions/mdwcomplete", json={"contents__sys": [other]}
    )
    assert done.status == "SUCCESS", done.text
    good = {"verdict_public_key__c": "verdict_good__c"}
    await parcels.reviewer.post(f"{TASKS}/{second}/actions/complete", data=good)
    assert await states(parcels, ids) == {"packed_state__c"}
    (ended,) = (await parcels.admin.get(f"/objects/objectworkflows/{workflow}")).data
    assert ended["status__v"] == ["completed__v"]


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

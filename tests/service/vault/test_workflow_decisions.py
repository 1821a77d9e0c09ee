"""Workflows of several records: verdicts of each, decisions by verdict and by criteria, states that they lead to."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.vault import answering, module_vault
from tests.service.vault.answering import TASKS, Desk
from tests.service.vault.served import Api

# A Vault of the module's own: the guide changes the lifecycle of Case Requests.
vault = module_vault.vault
api = module_vault.api
admin = module_vault.admin
user = module_vault.user
desk = answering.desk

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
    """Start the workflow with parcels of these weights, by turns for two carriers; return their ids and its own."""
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

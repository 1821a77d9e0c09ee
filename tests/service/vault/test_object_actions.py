"""Actions of an object: components, offered to those who may run them, and run by entry actions."""

from __future__ import annotations

import pytest

from tests.service.vault import notifying
from tests.service.vault.notifying import QUIET, deploy, entry, notified, tale
from tests.service.vault.served import Api

tales = notifying.tales


async def test_actions_of_an_object_are_its_components(admin: Api, user: Api) -> None:
    assert (await deploy(admin, QUIET)).status == "SUCCESS"
    record_id = await tale(user)
    offered = (await user.get(f"/vobjects/tale__c/{record_id}/actions")).data
    assert [(a["name"], a["type"]) for a in offered] == [
        ("Objectaction.tale__c.tell__c", "object_action")
    ]
    answer = await user.post(
        f"/vobjects/tale__c/{record_id}/actions/Objectaction.tale__c.silent__c"
    )
    assert answer.error == "INSUFFICIENT_ACCESS"


async def test_an_entry_action_runs_another_action(admin: Api, user: Api) -> None:
    onward = (
        "Objectlifecyclestateuseraction end__c (label('End'), action('change_state'), next_state('ended_state__c')), "
        + entry(action="'run_action'", user_action="'end__c'")
    )
    ended = (
        QUIET
        + ", "
        + entry(action="'run_action'", user_action="'Objectaction.tale__c.tell__c'")
    )
    assert (await deploy(admin, onward, ended)).status == "SUCCESS"
    record_id = await tale(user)
    record = (await user.get(f"/vobjects/tale__c/{record_id}")).data
    assert (record["state__v"], record["told__c"]) == (["ended_state__c"], True)
    assert [each["subject"] for each in await notified(user, record_id)] == ["Told"]


async def test_actions_that_run_each_other_without_end_are_refused(
    admin: Api, user: Api
) -> None:
    def to(state: str) -> str:
        return (
            f"Objectlifecyclestateuseraction on__c (label('On'), action('change_state'), next_state('{state}')), "
            + entry(action="'run_action'", user_action="'on__c'")
        )

    assert (
        await deploy(admin, to("ended_state__c"), to("told_state__c"))
    ).status == "SUCCESS"
    answer = await user.post(
        "/vobjects/tale__c", json=[{"name__v": "x", "key__c": "endless"}]
    )
    assert (answer.http_status, answer.error) == (200, "OPERATION_NOT_ALLOWED")
    assert (
        await user.query("SELECT id FROM tale__c WHERE key__c = 'endless'")
    ).data == []


@pytest.mark.parametrize(
    "named",
    [
        "nothing__c",
        "Objectaction.tale__c.silent__c",
        "Objectaction.thing__c.tell__c",
        "tale__c.tell__c",
        ".",
    ],
)
async def test_an_action_that_is_not_there_is_refused_when_it_is_configured(
    admin: Api, named: str
) -> None:
    answer = await deploy(admin, entry(action="'run_action'", user_action=f"'{named}'"))
    assert answer.status == "FAILURE" and "there is no action" in answer.text

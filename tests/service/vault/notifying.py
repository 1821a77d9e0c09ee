"""An object whose lifecycle and action notify people, and the calls by which tests configure and use it."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.service.vault.served import Api

TALE = """
RECREATE Objectlifecycle tale_lifecycle__c (
    label('Tale'), starting_state('told_state__c'),
    Objectlifecyclestate told_state__c (label('Told'), {entry}),
    Objectlifecyclestate ended_state__c (label('Ended'), {ended})
);
"""
TALE_OBJECT = """
RECREATE Object tale__c (
    label('Tale'), prefix('ZTA'), lifecycle('Objectlifecycle.tale_lifecycle__c'),
    Field teller__c (label('Teller'), type('Object'), object('Object.user__sys')),
    Field thing__c (label('Thing'), type('Object'), object('Object.thing__c')),
    Field told__c (label('Told'), type('Boolean')),
    Field key__c (label('Key'), type('String'), unique(true), max_length(40)),
    Objectaction tell__c (
        label('Tell'), action('notify'), fields('created_by__v'), subject('Told'), body('Again: ${name__v}')
    ),
    Objectaction silent__c (
        label('Silent'), action('notify'), active(false), fields('created_by__v'), subject('x'), body('x')
    )
);
"""
QUIET = "Objectlifecyclestateentryaction q__c (action('set_field'), field('told__c'), value('true'))"
numbers = count(1)


@pytest.fixture(scope="module", autouse=True)
async def tales(admin: Api) -> None:
    """The object and its lifecycle, without a notification on entering a state."""
    assert (await deploy(admin, QUIET)).status == "SUCCESS"
    answer = await admin.post("/api/mdl/execute", data=TALE_OBJECT)
    assert answer.status == "SUCCESS", answer.text


def entry(**parameters: str) -> str:
    """An entry action in MDL; values as MDL writes them."""
    listed = ", ".join(f"{name}({value})" for name, value in parameters.items())
    return f"Objectlifecyclestateentryaction e__c (order(1), {listed})"


async def deploy(admin: Api, entry_action: str, ended: str = QUIET) -> Any:
    """The lifecycle of the tests' object with this entry action of its starting state."""
    return await admin.post(
        "/api/mdl/execute", data=TALE.format(entry=entry_action, ended=ended)
    )


async def notified(api: Api, record_id: str) -> list[dict[str, Any]]:
    """The notifications of this user about a record."""
    answer = await api.get("/services/notifications")
    return [each for each in answer.data if each["record_id"] == record_id]


async def tale(api: Api, **values: Any) -> str:
    row = {"name__v": "A tale", "key__c": f"T-{next(numbers)}", **values}
    return str((await api.post("/vobjects/tale__c", json=[row])).ids[0])

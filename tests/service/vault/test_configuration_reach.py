"""A caller who changes components must be allowed to read the data that the change would reveal."""

from __future__ import annotations

import pytest

from tests.service.vault.profiles import execute, with_profile
from tests.service.vault.served import Api

DENIED = "INSUFFICIENT_ACCESS"
COMPONENTS = """
RECREATE Objectlifecycle reach__c (label('Reach'), starting_state('Objectlifecyclestate.first__c'),
  Objectlifecyclestate first__c (label('First')), Objectlifecyclestate second__c (label('Second')));
RECREATE Object hidden__c (label('Hidden'), label_plural('Hidden'), prefix('RHI'),
  Field secret__c (label('Secret'), type('String'), max_length(100)));
RECREATE Object seen__c (label('Seen'), label_plural('Seen'), prefix('RSE'),
  lifecycle('Objectlifecycle.reach__c'),
  Field hidden__c (label('Hidden'), type('Object'), object('Object.hidden__c')));
RECREATE Object alone__c (label('Alone'), label_plural('Alone'), prefix('RAL'));
"""
CRITERION = """ALTER Objectlifecycle reach__c (MODIFY Objectlifecyclestate second__c (
  ADD Objectlifecyclestateentrycriterion {0} (criteria('{1}'), message('No'), order(1))));"""


@pytest.fixture(scope="module", autouse=True)
async def objects(admin: Api) -> None:
    answer = await execute(admin, COMPONENTS)
    assert answer.status == "SUCCESS", answer.text


@pytest.fixture(scope="module")
async def author(admin: Api) -> Api:
    """A user who configures everything, and may read one object of two."""
    return await with_profile(admin, {"execute_mdl"}, {"seen__c": "rced"})


@pytest.mark.parametrize(
    "text",
    [
        CRITERION.format("guess__c", "hidden__cr.secret__c LIKE ''a%''"),
        "RENAME Object hidden__c TO away__c;",
        "DROP Object alone__c;",
    ],
)
async def test_nobody_configures_what_shows_records_that_they_may_not_read(
    author: Api, text: str
) -> None:
    answer = await execute(author, text)
    (error,) = answer.body["statement_execution"][0]["errors"]
    assert error["code"] == DENIED, answer.text


async def test_what_one_may_read_one_may_configure(author: Api, admin: Api) -> None:
    own = CRITERION.format("own__c", "name__v LIKE ''a%''")
    assert (await execute(author, own)).status == "SUCCESS"
    assert (await execute(author, "RENAME Object seen__c TO shown__c;")).status == (
        "SUCCESS"
    )
    assert (await execute(admin, "RENAME Object shown__c TO seen__c;")).status == (
        "SUCCESS"
    )

"""User names that could be taken for those of others: refused, whichever way a user is created or renamed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from tests.service.vault.objects import record
from tests.service.vault.people import new_user, person
from tests.service.vault.served import USERNAMES, Api

INVALID = "INVALID_DATA"
LIKE_THE_ADMIN: dict[str, Callable[[str], str]] = {
    "capitals": str.upper,
    "a letter of another script": lambda name: "\u0430" + name[1:],
    "a wide letter": lambda name: "\uff41" + name[1:],
    "a wide sign": lambda name: name.replace("@", "\uff20"),
    "nothing that is seen": lambda name: name.replace("@", "\u200b@"),
    "a hyphen that is not seen": lambda name: name.replace("@", "\u00ad@"),
    "a space before": lambda name: f" {name}",
    "a tab behind": lambda name: f"{name}\t",
    "a space that does not break": lambda name: name.replace("@", "\u00a0@"),
    "another direction": lambda name: f"\u202e{name}",
    "an accent": lambda name: name.replace("@", "\u0307@"),
    "a letter that is composed": lambda name: f"\u00e9{name}",
}


@pytest.mark.parametrize("how", LIKE_THE_ADMIN)
async def test_no_name_looks_like_another(admin: Api, how: str) -> None:
    name = LIKE_THE_ADMIN[how](USERNAMES["admin"])
    answer = await admin.post("/objects/users", json=[person(user_name__v=name)])
    (result,) = answer.data
    assert [each["type"] for each in result["errors"]] == [INVALID], answer.text
    assert "[user_name__v]" in result["errors"][0]["message"]
    # The same for one who is there.
    user_id, known = await new_user(admin)
    row = {"id": str(user_id), "username__sys": name}
    renamed = await admin.put("/vobjects/user__sys", json=[row])
    assert INVALID in renamed.text, renamed.text
    assert (await record(admin, "user__sys", str(user_id)))["username__sys"] == known
    # And by the calls of identity providers.
    user: dict[str, Any] = {
        "userName": name,
        "name": {"givenName": "A", "familyName": "B"},
    }
    user["emails"] = [{"value": "a@example.org", "type": "work"}]
    provided = await admin.post("/scim/v2/Users", json=user)
    assert '"id"' not in provided.text, provided.text


async def test_names_of_one_call_differ_by_more_than_capitals(admin: Api) -> None:
    first = person()
    second = {**first, "user_name__v": first["user_name__v"].upper()}
    answer = await admin.post("/objects/users", json=[first, second])
    outcomes = [each["responseStatus"] for each in answer.data]
    assert outcomes == ["SUCCESS", "FAILURE"]


async def test_of_two_who_take_one_name_at_once_one_gets_it(admin: Api) -> None:
    row = person()
    names = [row["user_name__v"], row["user_name__v"].upper()]
    answers = await asyncio.gather(
        *(
            admin.post("/objects/users", json=[{**row, "user_name__v": name}])
            for name in names
        )
    )
    outcomes = sorted(answer.data[0]["responseStatus"] for answer in answers)
    assert outcomes == ["FAILURE", "SUCCESS"]


async def test_a_user_may_change_the_capitals_of_their_own_name(admin: Api) -> None:
    user_id, name = await new_user(admin)
    row = {"id": str(user_id), "username__sys": name.capitalize()}
    answer = await admin.put("/vobjects/user__sys", json=[row])
    assert answer.data[0]["responseStatus"] == "SUCCESS", answer.text

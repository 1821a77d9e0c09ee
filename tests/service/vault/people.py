"""Users that tests make for themselves, through the public API."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

from tests.service.vault.served import PASSWORD, Api

_numbers = count(1)


def person(**fields: Any) -> dict[str, Any]:
    """The fields of a call that creates a user, with a new user name."""
    number = next(_numbers)
    return {
        "user_name__v": f"person{number}@vault.example",
        "user_first_name__v": "Perso",
        "user_last_name__v": f"N{number}",
        "user_email__v": f"person{number}@vault.example",
        "password__v": PASSWORD,
        **fields,
    }


async def new_user(admin: Api, **fields: Any) -> tuple[int, str]:
    """Create a user; their id and name."""
    sent = person(**fields)
    answer = await admin.post(
        "/objects/users", data={name: str(value) for name, value in sent.items()}
    )
    assert answer.status == "SUCCESS", answer.text
    return answer.body["id"], sent["user_name__v"]


async def as_user(api: Api, username: str, password: str = PASSWORD) -> Api:
    """The API as this user calls it."""
    answer = await api.post("/auth", data={"username": username, "password": password})
    assert answer.status == "SUCCESS", answer.text
    return replace(api, session_id=answer.body["sessionId"])

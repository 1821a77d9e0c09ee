"""Calls that tests make about users: a form in parts, a sign-in, a user's record."""

from __future__ import annotations

from typing import Any

import aiohttp

from tests.service.vault.served import PASSWORD, Answer, Api


def multipart(fields: dict[str, str]) -> aiohttp.FormData:
    form = aiohttp.FormData(default_to_multipart=True)
    form.add_fields(*fields.items())
    return form


async def sign_in(api: Api, username: str, password: str = PASSWORD) -> Answer:
    return await api.post("/auth", data={"username": username, "password": password})


async def shown(admin: Api, user_id: int) -> dict[str, Any]:
    (entry,) = (await admin.get(f"/objects/users/{user_id}")).body["users"]
    user: dict[str, Any] = entry["user"]
    return user

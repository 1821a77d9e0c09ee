"""Results of rows, which a Vault answers one by one or, if nothing is to tell of them, as lists."""

from __future__ import annotations

import pytest
from aiohttp import web

from shared.client import UnexpectedAnswer, VaultClient
from shared.client.results import RowResult
from tests.unit.client.fake_vault import FaultyVault, success

RECORDS = "/api/v25.1/vobjects/account__v"
ROWS = [{"name__v": "one"}, {"name__v": "two"}]


async def test_brief_results_are_asked_for_and_read(
    vault: FaultyVault, client: VaultClient
) -> None:
    async def brief(request: web.Request) -> web.StreamResponse:
        assert request.headers["Accept"] == "application/json; results=brief"
        return success(ids=["V1", "V2"], events=["created__sys", "updated__sys"])

    vault.on(RECORDS, brief)
    assert await client.upsert("account__v", ROWS, "name__v") == [
        RowResult(True, "V1", "created__sys"),
        RowResult(True, "V2", "updated__sys"),
    ]


@pytest.mark.parametrize(
    ("ids", "events"),
    [
        (["V1"], ["created__sys"]),
        (["V1", "V2"], ["created__sys"]),
        (["V1", "V2"], ["created__sys", None]),
        (["V1", 2], ["created__sys", "created__sys"]),
        (["V1", "V2"], None),
        ("V1", "V2"),
        (None, None),
    ],
)
async def test_brief_results_of_another_shape_will_not_pass(
    vault: FaultyVault, client: VaultClient, ids: object, events: object
) -> None:
    async def answer(_request: web.Request) -> web.StreamResponse:
        return success(ids=ids, events=events)

    vault.on(RECORDS, answer)
    with pytest.raises(UnexpectedAnswer):
        await client.create("account__v", ROWS)

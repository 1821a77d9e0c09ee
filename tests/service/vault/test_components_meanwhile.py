"""Components that another process changes during a call: the call is run again, of whatever kind it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from shared.vault.assembly.vault import Vault
from shared.vault.configuration.component_table import NEXT_REVISION
from tests.service.vault.objects import key
from tests.service.vault.served import Answer, Api

DOCUMENTS = "/objects/documents"
Call = Callable[[Api, str], Awaitable[Answer]]

CALLS: dict[str, Call] = {
    "new version": lambda user, document: user.post(
        f"{DOCUMENTS}/{document}", params={"createDraft": "latestContent"}
    ),
    "fields": lambda user, document: user.put(
        f"{DOCUMENTS}/{document}", data={"title__v": "Another"}
    ),
    "action": lambda user, document: user.put(
        f"{DOCUMENTS}/{document}/versions/0/1/lifecycle_actions/approve__v"
    ),
    "deletion": lambda user, document: user.delete(f"{DOCUMENTS}/{document}"),
    "record": lambda user, _: user.post(
        "/vobjects/product__v", json=[{"name__v": key()}]
    ),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_call_reads_the_components_again_when_they_have_changed(
    user: Api, admin: Api, vault: Vault, call: str
) -> None:
    made = await user.post(
        DOCUMENTS, data={"name__v": key(), "type__v": "email_template__v"}
    )
    # What another process has just stored, and has not yet been heard of here.
    async with vault.database.transaction() as connection:
        await connection.execute(NEXT_REVISION)
    answer = await CALLS[call](admin, str(made.body["id"]))
    assert answer.status == "SUCCESS", answer.text

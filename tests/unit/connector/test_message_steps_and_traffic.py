"""The steps of a message in the other Vaults, limited by the caller's rights; and the traffic of their queues."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from services.connector.asking import message_routes
from services.connector.asking.access import MANAGE_INTEGRATIONS
from services.connector.asking.answers import Answers
from services.connector.readiness import traffic_routes
from shared.client.errors import VaultUnavailable
from tests.unit.connector.asgi import Reply, application, call
from tests.unit.connector.standard_vaults import CRM_ID, Pair, pair
from tests.unit.connector.test_asking import BOTH_SESSIONS, SESSION, signed_in

MESSAGE = "6f1c2a54-1c1b-4f0e-9d25-0a3f3c9e7b10"
STEP: dict[str, object] = {
    "step": "sent",
    "date": "2026-01-31T10:32:11.009Z",
    "queue": "out__v",
}
WRITE: dict[str, object] = {"object_name": "medical_inquiry__v", "record_id": "V4T1"}


@pytest.fixture
def vaults() -> Pair:
    made = pair()
    signed_in(made.medical, MANAGE_INTEGRATIONS)
    made.crm.users["another-session"] = {"security_profile__v": "business__c"}
    made.crm.message_parts["queue_log", MESSAGE] = [STEP]
    made.crm.message_parts["audit", MESSAGE] = [WRITE]
    made.crm.add(
        "exception_message__sys",
        message_id__sys=MESSAGE,
        name__v="EXM-1",
        error_status__sys="open__sys",
    )
    return made


async def message_steps(
    vaults: Pair, headers: Mapping[str, str] = BOTH_SESSIONS, message: str = MESSAGE
) -> Reply:
    app = application(message_routes.router(Answers(lambda: vaults.vaults)))
    return await call(app, "GET", f"/ways/medical/{message}", headers=headers)


async def test_a_message_is_shown_as_far_as_the_other_vault_knows_it(
    vaults: Pair,
) -> None:
    (found,) = (await message_steps(vaults)).json["data"]
    assert (found["vault_id"], found["steps"], found["writes"]) == (
        CRM_ID,
        [STEP],
        [WRITE],
    )
    assert [each["name__v"] for each in found["exceptions"]] == ["EXM-1"]
    (nothing,) = (await message_steps(vaults, message="another")).json["data"]
    assert (nothing["steps"], nothing["exceptions"]) == ([], [])


@pytest.mark.parametrize(
    ("headers", "shut", "told"),
    [
        (SESSION, set(), []),
        ({**SESSION, "X-Source-Authorization": "made up"}, set(), []),
        (BOTH_SESSIONS, {"queue_log", "audit", "exception_message__sys"}, []),
        (BOTH_SESSIONS, {"queue_log", "exception_message__sys"}, ["writes"]),
        (BOTH_SESSIONS, {"audit"}, ["exceptions", "steps"]),
    ],
)
async def test_each_part_is_shown_to_those_only_who_may_see_it_there(
    vaults: Pair, headers: Mapping[str, str], shut: set[str], told: list[str]
) -> None:
    vaults.crm.shut["another-session"] = shut
    data: list[dict[str, Any]] = (await message_steps(vaults, headers)).json["data"]
    parts = [name for each in data for name, part in each.items() if part]
    assert sorted(set(parts) - {"vault_id", "name"}) == told


async def traffic(vaults: Pair, reason: str | None = None) -> Any:
    async def consumers() -> str | None:
        return reason

    router = traffic_routes.router(Answers(lambda: vaults.vaults), consumers)
    reply = await call(application(router), "GET", "/traffic/medical", headers=SESSION)
    return reply.json["data"]


async def test_the_picture_has_each_queue_of_the_other_vaults(vaults: Pair) -> None:
    name = "crm_to_medical_outbound_queue__v"
    failed = {"name": "medical_crm__v", "error": {"message": "inactive"}}
    vaults.crm.queue_rows[name] = {
        "type": "outbound",
        "messages_in_queue": 12,
        "delivery": "disabled",
        "connections": [failed],
    }
    found = await traffic(vaults)
    assert found["connector"] is None
    (seen,) = found["vaults"]
    queues = {each["name"]: each for each in seen["queues"]}
    assert queues[name]["messages_in_queue"] == 12
    assert (queues[name]["delivery"], queues[name]["failing"]) == ("disabled", True)
    assert (await traffic(vaults, "starting"))["connector"] == "starting"


async def test_a_vault_that_is_away_is_in_the_picture_without_its_queues(
    vaults: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away() -> None:
        raise VaultUnavailable

    monkeypatch.setattr(vaults.crm, "queues", away)
    (seen,) = (await traffic(vaults))["vaults"]
    assert (seen["vault_id"], seen["queues"]) == (CRM_ID, None)

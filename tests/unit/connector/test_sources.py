"""The readable parts of the other Vault: objects and fields for every caller, records by the caller's rights."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import quote

import pytest

from services.connector.asking.access import MANAGE_INTEGRATIONS
from services.connector.asking.answers import Answers
from services.connector.preview import source_routes
from services.connector.preview.source_routes import MAX_FOUND
from tests.unit.connector.asgi import Reply, application, call
from tests.unit.connector.example_records import account
from tests.unit.connector.standard_vaults import CONNECTION, MEDICAL_ID, Pair, pair
from tests.unit.connector.test_asking import BOTH_SESSIONS, SESSION, signed_in

OBJECTS = f"/sources/medical/{CONNECTION}/objects"
RECORDS = f"/sources/medical/{CONNECTION}/records"


@pytest.fixture
def vaults() -> Pair:
    made = pair()
    signed_in(made.medical, MANAGE_INTEGRATIONS)
    made.crm.users["another-session"] = {"security_profile__v": "business__c"}
    return made


async def got(
    vaults: Pair,
    path: str,
    words: str = "",
    headers: Mapping[str, str] = BOTH_SESSIONS,
) -> Reply:
    app = application(source_routes.router(Answers(lambda: vaults.vaults)))
    if not path.startswith(RECORDS):
        return await call(app, "GET", path, headers=headers)
    body = json.dumps({"q": words}).encode()
    return await call(app, "POST", path, headers=headers, body=body)


async def test_objects_and_fields_have_labels_and_types(vaults: Pair) -> None:
    objects = (await got(vaults, OBJECTS, headers=SESSION)).json["data"]
    assert {"name": "account__v", "label": "Account"} in objects
    found = (await got(vaults, f"{OBJECTS}/medical_inquiry__v", headers=SESSION)).json
    fields = {each["name"]: each for each in found["data"]["fields"]}
    assert fields["account__v"]["type"] == "Object"
    assert fields["account__v"]["object"] == "account__v"
    assert fields["inquiry_text__v"]["object"] is None
    assert fields["inquiry_text__v"]["label"]


async def test_a_vault_may_be_named_by_its_id(vaults: Pair) -> None:
    path = OBJECTS.replace("medical", str(MEDICAL_ID), 1)
    assert (await got(vaults, path, headers=SESSION)).json["data"]


async def test_records_are_found_by_words_of_their_names(vaults: Pair) -> None:
    known = account(vaults.crm, name__v="Maribel Quentaro")
    account(vaults.crm, name__v="Somebody else")
    for words in ("mari", "quent mari", "Maribel!'"):
        reply = await got(vaults, f"{RECORDS}/account__v", words)
        assert reply.json["data"] == [{"id": known, "name": "Maribel Quentaro"}], words


async def test_no_more_records_than_a_list_shows(vaults: Pair) -> None:
    for _ in range(MAX_FOUND + 1):
        account(vaults.crm)
    reply = await got(vaults, f"{RECORDS}/account__v")
    assert len(reply.json["data"]) == MAX_FOUND


@pytest.mark.parametrize(
    ("headers", "shut"),
    [
        (SESSION, None),
        ({**SESSION, "X-Source-Authorization": "made up"}, None),
        (BOTH_SESSIONS, "account__v"),
    ],
)
async def test_records_are_shown_to_those_only_who_may_read_them_there(
    vaults: Pair, headers: Mapping[str, str], shut: str | None
) -> None:
    account(vaults.crm, name__v="Maribel Quentaro")
    if shut:
        vaults.crm.shut["another-session"] = {shut}
    reply = await got(vaults, f"{RECORDS}/account__v", headers=headers)
    assert reply.json["responseStatus"] == "FAILURE"
    assert "Maribel" not in reply.body.decode()


@pytest.mark.parametrize("name", ["nothing__c", "account__v WHERE", "x'y"])
@pytest.mark.parametrize("path", [OBJECTS, RECORDS])
async def test_an_object_that_is_none_is_refused(
    vaults: Pair, path: str, name: str
) -> None:
    reply = await got(vaults, f"{path}/{quote(name)}")
    assert reply.error[0] == "INVALID_DATA"

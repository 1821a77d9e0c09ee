"""What ties records to those of another Vault, and what may be read there, is not the users' to write."""

from __future__ import annotations

from tests.service.vault.objects import key
from tests.service.vault.served import Api

THINGS = "/vobjects/thing__c"


async def test_users_set_no_link(admin: Api, user: Api) -> None:
    link = key()
    row = {"name__v": "A", "link__sys": link}
    (refused,) = (await user.post(THINGS, json=[row])).data
    assert "[link__sys]" in refused["errors"][0]["message"]
    (made,) = (await admin.post(THINGS, json=[row])).ids
    for change in ({"link__sys": "another"}, {"link__sys": ""}):
        (refused,) = (await user.put(THINGS, json=[{"id": made, **change}])).data
        assert "[link__sys]" in refused["errors"][0]["message"]
    assert (await admin.get(f"{THINGS}/{made}")).data["link__sys"] == link


async def test_the_connections_user_sets_links(integration: Api) -> None:
    row = {"link__sys": key(), "name__v": "A"}
    answer = await integration.post(THINGS, json=[row])
    assert answer.status == "SUCCESS", answer.text


async def test_metadata_say_who_sets_links(
    admin: Api, user: Api, integration: Api
) -> None:
    for caller, editable in ((admin, True), (integration, True), (user, False)):
        answer = await caller.get("/metadata/vobjects/thing__c")
        fields = answer.body["object"]["fields"]
        (link,) = [field for field in fields if field["name"] == "link__sys"]
        assert link["editable"] is editable

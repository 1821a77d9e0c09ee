"""What ties records to those of another Vault, and what may be read there, is not the users' to write."""

from __future__ import annotations

from tests.service.vault.objects import key, outcomes
from tests.service.vault.profiles import with_profile
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


async def test_nobody_deletes_with_a_record_what_they_may_not_delete(
    admin: Api,
) -> None:
    mdl = """RECREATE Object trunk__c ( label('Trunk'), prefix('ZTR') );
    RECREATE Object twig__c ( label('Twig'), prefix('ZTW'), Field trunk__c ( type('Object'), label('Trunk'),
        object('Object.trunk__c'), relationship_deletion('cascade') ) );"""
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    trunks = (await admin.post("/vobjects/trunk__c", json=[{"name__v": "A"}] * 2)).ids
    row = {"name__v": "T", "trunk__c": trunks[0]}
    (twig,) = (await admin.post("/vobjects/twig__c", json=[row])).ids
    rows = [{"id": trunk} for trunk in trunks]
    blind = await with_profile(admin, set(), {"trunk__c": "rd"})
    reader = await with_profile(admin, set(), {"trunk__c": "rd", "twig__c": "r"})
    for caller, named in ((blind, False), (reader, True)):
        answer = await caller.delete("/vobjects/trunk__c", json=rows[:1])
        assert outcomes(answer) == ["INSUFFICIENT_ACCESS"]
        assert ("[twig__c]" in answer.text) is named
    owner = await with_profile(admin, set(), {"trunk__c": "rd", "twig__c": "d"})
    assert outcomes(await reader.delete("/vobjects/trunk__c", json=rows)) == [
        "INSUFFICIENT_ACCESS",
        "SUCCESS",
    ]
    assert (await admin.get(f"/vobjects/twig__c/{twig}")).status == "SUCCESS"
    deleted = await owner.delete("/vobjects/trunk__c", json=rows[:1])
    assert outcomes(deleted) == ["SUCCESS"]
    assert (await admin.get(f"/vobjects/twig__c/{twig}")).status == "FAILURE"

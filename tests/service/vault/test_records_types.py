"""The change of a record's object type."""

from __future__ import annotations

from tests.service.vault.objects import key, outcomes, record
from tests.service.vault.served import Api

MDL = """
RECREATE Object typed__c ( label('Typed'), prefix('ZTY'), allow_types(true),
  Field shared__c ( type('String'), label('Shared'), max_length(20) ),
  Field only__c ( type('String'), label('Only'), max_length(20) ) );
RECREATE Objecttype typed__c.wide__c ( label('Wide') );
RECREATE Objecttype typed__c.narrow__c ( label('Narrow'), Typefield shared__c ( required(false) ) );
"""
TYPED = "/vobjects/typed__c"
CHANGE = f"{TYPED}/actions/changetype"
NAME = "object_type__v.api_name__v"


async def test_change_type(admin: Api, user: Api) -> None:
    assert (await admin.post("/api/mdl/execute", data=MDL)).status == "SUCCESS"
    row = {"name__v": key(), NAME: "wide__c", "shared__c": "s", "only__c": "o"}
    one, two = (await admin.post(TYPED, json=[row, {**row, "name__v": key()}])).ids
    wide = (await record(admin, "typed__c", one))["object_type__v"]
    assert outcomes(await user.put(TYPED, json=[{"id": one, NAME: "narrow__c"}])) == [
        "OPERATION_NOT_ALLOWED"
    ]
    rows = [
        {"id": one, NAME: "narrow__c"},
        {"id": two, NAME: "wide__c"},
        {"id": two, NAME: "nothing__c"},
        {"id": two},
        {"id": two, NAME: "narrow__c", "shared__c": "x"},
        {"id": "ZTY0", NAME: "narrow__c"},
    ]
    answer = await user.post(CHANGE, json=rows)
    expected = [
        "SUCCESS",
        "WARNING",
        "INVALID_DATA",
        "PARAMETER_REQUIRED",
        "ATTRIBUTE_NOT_SUPPORTED",
        "INVALID_DATA",
    ]
    assert outcomes(answer) == expected
    changed = await record(admin, "typed__c", one)
    assert changed["object_type__v"] != wide
    assert (changed["shared__c"], changed["only__c"]) == ("s", None)
    back = f"id,object_type__v\n{one},{wide}\n"
    answer = await user.post(
        CHANGE, data=back, headers={"Content-Type": "text/csv", "Accept": "text/csv"}
    )
    assert answer.text.splitlines()[1].startswith("SUCCESS")
    migration = {"X-VaultAPI-MigrationMode": "true"}
    assert outcomes(
        await admin.put(TYPED, json=[{"id": one, NAME: "narrow__c"}], headers=migration)
    ) == ["SUCCESS"]


async def test_fields_that_the_type_lacks_are_refused(admin: Api, user: Api) -> None:
    assert (await admin.post("/api/mdl/execute", data=MDL)).status == "SUCCESS"
    narrow, wide = {NAME: "narrow__c"}, {NAME: "wide__c"}
    lacking = ["ATTRIBUTE_NOT_SUPPORTED"]
    row = {"name__v": key(), "shared__c": "s"}
    assert (
        outcomes(await user.post(TYPED, json=[row | narrow | {"only__c": "o"}]))
        == lacking
    )
    sent = [row | narrow | {"only__c": ""}, row | wide | {"only__c": "o"}]
    one, other = (await user.post(TYPED, json=sent)).ids
    changes = [{"id": each, "only__c": "x", "shared__c": "t"} for each in (one, other)]
    answer = await user.put(TYPED, json=changes)
    assert outcomes(answer) == [*lacking, "SUCCESS"]
    assert "[only__c]" in answer.data[0]["errors"][0]["message"]
    assert (await record(admin, "typed__c", one))["shared__c"] == "s"
    (copied,) = (
        await user.post(TYPED, json=[{"source_record_id": other, **narrow}])
    ).ids
    copy = await record(admin, "typed__c", copied)
    assert (copy["shared__c"], copy["only__c"]) == ("t", None)


async def test_objects_without_types(user: Api) -> None:
    answer = await user.post(
        "/vobjects/item__c/actions/changetype", json=[{"id": "0", NAME: "base__v"}]
    )
    assert (answer.status, answer.error) == ("FAILURE", "OPERATION_NOT_ALLOWED")


async def test_nothing_to_recalculate(user: Api, admin: Api) -> None:
    path = "/vobjects/item__c/actions"
    assert (await user.post(f"{path}/recalculaterollups")).body == {
        "responseStatus": "SUCCESS"
    }
    assert (await user.get(f"{path}/recalculaterollups")).data == {
        "status": "NOT_RUNNING"
    }
    assert (
        await admin.post("/vobjects/nothing__c/actions/recalculaterollups")
    ).error == "INVALID_DATA"

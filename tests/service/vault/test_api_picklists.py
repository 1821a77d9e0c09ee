"""Picklists through the public API: every change is one of the Picklist component."""

from __future__ import annotations

from itertools import count

import pytest

from tests.service.vault.served import Api

numbers = count(1)


async def picklist(admin: Api) -> str:
    """A picklist of the test's own, used by an object of its own."""
    number = next(numbers)
    name = f"region{number}__c"
    mdl = f"""
    RECREATE Picklist {name} ( label('Region'), Picklistentry north__c ( label('North') ),
      Picklistentry south__c ( label('South') ) );
    RECREATE Object place{number}__c ( label('Place'), prefix('P{number:02}'),
      Field region__c ( type('Picklist'), label('Region'), picklist('Picklist.{name}') ),
      Field regions__c ( type('Picklist'), label('Regions'), picklist('Picklist.{name}'), multi_value(true) ) );
    """
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status == "SUCCESS", answer.text
    return name


async def names(api: Api, name: str) -> list[str]:
    return [
        value["name"]
        for value in (await api.get(f"/objects/picklists/{name}")).body[
            "picklistValues"
        ]
    ]


async def test_all_picklists(user: Api, admin: Api) -> None:
    name = await picklist(admin)
    shown = {
        entry["name"]: entry
        for entry in (await user.get("/objects/picklists")).body["picklists"]
    }
    assert shown[name]["label"] == "Region"
    assert (shown[name]["kind"], shown[name]["systemManaged"]) == ("global", False)
    owner = name.replace("region", "place")
    assert {"objectName": owner, "propertyName": "region__c"} in shown[name]["usedIn"]
    assert shown["security_profile__sys"]["systemManaged"] is True


async def test_values_in_order(user: Api, admin: Api) -> None:
    name = await picklist(admin)
    values = (await user.get(f"/objects/picklists/{name}")).body["picklistValues"]
    assert values == [
        {"name": "north__c", "label": "North"},
        {"name": "south__c", "label": "South"},
    ]
    assert (await user.get("/objects/picklists/nothing__c")).error == "INVALID_DATA"


async def test_values_are_added_by_label(admin: Api) -> None:
    name = await picklist(admin)
    labels = ["Far West", "L'Est \\ 'east'", "Östlich", "東"]
    answer = await admin.post(
        f"/objects/picklists/{name}",
        data={f"value_{n}": label for n, label in enumerate(labels, 1)},
    )
    added = answer.body["picklistValues"]
    assert [value["label"] for value in added] == labels
    assert [value["name"] for value in added][:3] == [
        "far_west__c",
        "l_est_east__c",
        "ostlich__c",
    ]
    assert await names(admin, name) == [
        "north__c",
        "south__c",
        *(value["name"] for value in added),
    ]
    values = (await admin.get(f"/objects/picklists/{name}")).body["picklistValues"]
    assert [value["label"] for value in values][2:] == labels
    again = await admin.post(f"/objects/picklists/{name}", data={"value_1": "far west"})
    assert again.error == "OPERATION_NOT_ALLOWED"
    twice = await admin.post(
        f"/objects/picklists/{name}", data={"value_1": "A b", "value_2": "a B"}
    )
    assert twice.error == "OPERATION_NOT_ALLOWED"


async def test_a_blank_label_is_named(admin: Api) -> None:
    name = await picklist(admin)
    refused = await admin.post(
        f"/objects/picklists/{name}", data={"value_1": "East", "value_2": " "}
    )
    assert refused.error == "PARAMETER_REQUIRED"
    assert "[value_2]" in refused.text
    assert await names(admin, name) == ["north__c", "south__c"]


async def test_long_labels_that_begin_alike_have_names_of_their_own(admin: Api) -> None:
    name = await picklist(admin)
    start = "Request for unpublished data about interactions with"
    labels = [f"{start} food", f"{start} alcohol"]
    sent = {f"value_{n}": label for n, label in enumerate(labels, 1)}
    answer = await admin.post(f"/objects/picklists/{name}", data=sent)
    assert answer.status == "SUCCESS", answer.text
    added = answer.body["picklistValues"]
    assert [each["label"] for each in added] == labels
    assert len({each["name"] for each in added}) == 2
    again = await admin.post(f"/objects/picklists/{name}", data={"value_1": labels[0]})
    assert again.error == "OPERATION_NOT_ALLOWED"


async def test_two_active_values_have_no_label_in_common(admin: Api) -> None:
    name = await picklist(admin)
    path = f"/objects/picklists/{name}"
    for sent in ({"north__c": "south"}, {"north__c": "East", "south__c": "east"}):
        refused = await admin.put(path, data=sent)
        assert refused.error == "OPERATION_NOT_ALLOWED", sent
    swapped = await admin.put(path, data={"north__c": "South", "south__c": "North"})
    assert swapped.status == "SUCCESS", swapped.text
    # An inactive value keeps its label, and does not come back beside another that has it.
    await admin.delete(f"{path}/north__c")
    taken = await admin.put(path, data={"south__c": "South"})
    assert taken.status == "SUCCESS", taken.text
    back = await admin.put(f"{path}/north__c", data={"status": "active"})
    assert back.error == "OPERATION_NOT_ALLOWED"
    # Its label is no name: the value that was relabelled is called otherwise.
    added = await admin.post(path, data={"value_1": "SOUTH"})
    assert added.error == "OPERATION_NOT_ALLOWED"


async def test_labels_are_changed(admin: Api) -> None:
    name = await picklist(admin)
    answer = await admin.put(
        f"/objects/picklists/{name}", data={"north__c": "The North"}
    )
    assert answer.body["picklistValues"] == [{"name": "north__c", "label": "The North"}]
    assert (await admin.get(f"/objects/picklists/{name}")).body["picklistValues"][0][
        "label"
    ] == "The North"
    assert (
        await admin.put(f"/objects/picklists/{name}", data={"west__c": "W"})
    ).error == "INVALID_DATA"


async def test_a_renamed_value_stays_with_its_records(admin: Api) -> None:
    name = await picklist(admin)
    owner = name.replace("region", "place")
    row = {
        "name__v": "A place",
        "region__c": "north__c",
        "regions__c": ["south__c", "north__c"],
    }
    (record,) = (await admin.post(f"/vobjects/{owner}", json=[row])).ids
    answer = await admin.put(
        f"/objects/picklists/{name}/north__c", data={"name": "arctic"}
    )
    assert answer.status == "SUCCESS", answer.text
    assert answer.body["name"] == "arctic__c"
    stored = (await admin.get(f"/vobjects/{owner}/{record}")).data
    assert (stored["region__c"], stored["regions__c"]) == (
        ["arctic__c"],
        ["south__c", "arctic__c"],
    )
    assert sorted(await names(admin, name)) == ["arctic__c", "south__c"]
    for new, error in (
        ("south", "OPERATION_NOT_ALLOWED"),
        ("a__b", "INVALID_DATA"),
        ("A b", "INVALID_DATA"),
    ):
        assert (
            await admin.put(f"/objects/picklists/{name}/arctic__c", data={"name": new})
        ).error == error


async def test_an_inactive_value_is_kept_by_its_records(admin: Api) -> None:
    name = await picklist(admin)
    owner = name.replace("region", "place")
    (record,) = (
        await admin.post(
            f"/vobjects/{owner}", json=[{"name__v": "A", "region__c": "north__c"}]
        )
    ).ids
    assert (await admin.delete(f"/objects/picklists/{name}/north__c")).body[
        "name"
    ] == "north__c"
    assert await names(admin, name) == ["south__c"]
    assert (await admin.get(f"/vobjects/{owner}/{record}")).data["region__c"] == [
        "north__c"
    ]
    refused = await admin.post(
        f"/vobjects/{owner}", json=[{"name__v": "B", "region__c": "north__c"}]
    )
    assert refused.data[0]["responseStatus"] == "FAILURE"
    for sent, status in (
        ({"region__c": "north__c", "name__v": "A2"}, "SUCCESS"),
        ({"region__c": "south__c"}, "SUCCESS"),
        ({"region__c": "north__c"}, "FAILURE"),
        ({"regions__c": "south__c,north__c"}, "FAILURE"),
    ):
        row = {"id": record, **sent}
        (result,) = (await admin.put(f"/vobjects/{owner}", json=[row])).data
        assert result["responseStatus"] == status, sent
    stored = (await admin.get(f"/vobjects/{owner}/{record}")).data
    assert (stored["name__v"], stored["region__c"]) == ("A2", ["south__c"])
    assert (
        await admin.put(
            f"/objects/picklists/{name}/north__c", data={"status": "active"}
        )
    ).status == "SUCCESS"
    assert await names(admin, name) == ["north__c", "south__c"]


@pytest.mark.parametrize(
    ("method", "path", "fields", "error"),
    [
        ("POST", "", {}, "PARAMETER_REQUIRED"),
        ("POST", "", {"value_1": " "}, "PARAMETER_REQUIRED"),
        ("POST", "", {"label": "x"}, "INVALID_DATA"),
        ("POST", "", {"value_1": "x" * 2_000}, "INVALID_DATA"),
        ("PUT", "", {}, "PARAMETER_REQUIRED"),
        ("PUT", "", {"north__c": ""}, "PARAMETER_REQUIRED"),
        ("PUT", "/north__c", {}, "PARAMETER_REQUIRED"),
        ("PUT", "/north__c", {"status": "gone"}, "INVALID_DATA"),
        ("PUT", "/west__c", {"status": "active"}, "INVALID_DATA"),
        ("DELETE", "/west__c", {}, "INVALID_DATA"),
    ],
)
async def test_refused_changes(
    admin: Api, method: str, path: str, fields: dict[str, str], error: str
) -> None:
    name = await picklist(admin)
    answer = await admin.call(method, f"/objects/picklists/{name}{path}", data=fields)
    assert (answer.status, answer.error) == ("FAILURE", error)


@pytest.mark.parametrize("name", ["security_profile__sys", "default_status__v"])
async def test_picklists_of_the_system_stay(admin: Api, name: str) -> None:
    value = (await names(admin, name))[0]
    assert (
        await admin.post(f"/objects/picklists/{name}", data={"value_1": "x"})
    ).error == "OPERATION_NOT_ALLOWED"
    assert (
        await admin.delete(f"/objects/picklists/{name}/{value}")
    ).error == "OPERATION_NOT_ALLOWED"


async def test_only_an_administrator_changes_picklists(
    user: Api, integration: Api
) -> None:
    for client in (user, integration):
        answer = await client.post(
            "/objects/picklists/colour__c", data={"value_1": "Green"}
        )
        assert answer.error == "INSUFFICIENT_ACCESS"

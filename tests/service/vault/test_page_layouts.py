"""Page layouts: deployed as MDL, listed with their object, returned unchanged."""

from __future__ import annotations

from tests.service.vault.served import Api

MARKUP = '<vault:page xmlns:vault="VeevaVault" controller="Object.{}"><vault:section name="a__c"/></vault:page>'
MDL = "RECREATE Pagelayout {0}_page_layout__c (label('Layout'), active(true), page_markup({{{1}}}));"
PATH = "/metadata/vobjects/item__c/page_layouts"


async def test_layouts_of_an_object(admin: Api, user: Api) -> None:
    for name in ("item__c", "owner__c"):
        deployed = MDL.format(name.removesuffix("__c"), MARKUP.format(name))
        assert (await admin.post("/api/mdl/execute", data=deployed)).status == "SUCCESS"
    (listed,) = (await user.get(PATH)).data
    assert (listed["name"], listed["label"], listed["object"]) == (
        "item_page_layout__c",
        "Layout",
        "item__c",
    )
    assert (listed["object_type"], listed["description"]) == ("base__v", "")
    flags = ("active", "default_layout", "display_lifecycle_stages")
    assert [listed[name] for name in flags] == [True, False, False]
    one = (await user.get(listed["url"])).data
    assert one == {**listed, "page_markup": f"{{{MARKUP.format('item__c')}}}"}
    assert (await user.get(f"{PATH}/owner_page_layout__c")).error == "INVALID_DATA"
    assert (
        await user.get("/metadata/vobjects/connection__sys/page_layouts")
    ).error == "INSUFFICIENT_ACCESS"

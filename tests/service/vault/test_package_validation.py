"""Packages validated through the public API, before and after their import."""

from __future__ import annotations

from tests.service.vault.package_calls import BOX, SHADE, form, imported, package_status
from tests.service.vault.served import Api
from tests.unit.packages.building import component_files, vpk, zipped


async def test_validation_without_import(admin: Api) -> None:
    dep = (
        "In Package,Blocking Type,Source Component Label,Source Component Name,Source Component Type,"
        "Target Component Label,Target Component Name,Target Component Type,Target Sub Component Name,"
        "Target Sub Component Type\n"
        "false,block__sys,Lid,pkg_lid__c,Object,Gone,pkg_gone__c,Picklist,,\n"
        "false,ignore__sys,Lid,pkg_lid__c,Object,Layout,lid_layout__c,Pagelayout,,\n"
        "true,block__sys,Lid,pkg_lid__c,Object,Colour,colour__c,Picklist,red__c,Picklistentry\n"
    )
    lid = "RECREATE Object pkg_lid__c ( label('Lid'), prefix('ZPL') );"
    content = vpk(
        component_files(10, "Object.pkg_lid__c", lid, dep),
        component_files(20, "Picklist.colour__c", SHADE),
    )
    answer = await admin.post("/services/package/actions/validate", data=form(content))
    details = answer.body["responseDetails"]
    assert details["package_status"] == "Blocked"
    assert (
        details["package_id"],
        details["total_steps"],
        details["total_steps_blocked"],
    ) == ("N/A", 2, 2)
    assert (details["summary"], details["author"]) == (
        "A test's package",
        "jennie@pharma.example",
    )
    lid_step, colour_step = details["package_steps"]
    assert (lid_step["deployment_status__v"], lid_step["deployment_action"]) == (
        "Blocked",
        "Add (missing in Vault)",
    )
    assert {d["component_name"]: d["status"] for d in lid_step["dependencies"]} == {
        "pkg_gone__c": "Missing - Block",
        "lid_layout__c": "Missing - Ignore",
        "colour__c": "In Target",
    }
    assert (colour_step["deployment_status__v"], colour_step["deployment_action"]) == (
        "Blocked",
        "Update",
    )
    listed = (
        await admin.query(
            "SELECT id FROM vault_package__v WHERE summary__v = 'nothing'"
        )
    ).data
    assert listed == []


async def test_validation_of_an_imported_package(admin: Api) -> None:
    box = (
        BOX.replace("pkg_box", "pkg_later")
        .replace("pkg_shade", "pkg_later_shade")
        .replace("ZPB", "ZPQ")
    )
    package_id = await imported(
        admin, vpk(component_files(10, "Object.pkg_later__c", box))
    )
    assert await package_status(admin, package_id) == ["blocked__v"]
    shade = SHADE.replace("pkg_shade", "pkg_later_shade")
    assert (await admin.post("/api/mdl/execute", data=shade)).status == "SUCCESS"
    for name in ("vault_package__v", "vault_package_v"):
        answer = await admin.post(
            f"/services/vobject/{name}/{package_id}/actions/validate"
        )
        details = answer.body["responseDetails"]
        assert (
            details["package_status"],
            details["total_component_steps_blocked"],
        ) == ("Verified", 0)
        assert details["package_steps"][0]["id"].startswith("0IS")
    assert await package_status(admin, package_id) == ["verified__v"]


async def test_files_that_are_no_packages(admin: Api) -> None:
    for content in (
        b"",
        b"not a zip",
        zipped({"readme.txt": "x"}),
        zipped({"../vaultpackage.xml": "x"}),
    ):
        for call in (admin.put("/services/package", data=form(content)),):
            assert (await call).error == "INVALID_DATA"
        assert (
            await admin.post("/services/package/actions/validate", data=form(content))
        ).error == "INVALID_DATA"
    assert (
        await admin.put("/services/package", data={"file": "x.vpk"})
    ).error == "PARAMETER_REQUIRED"
    path = "/vobject/vault_package__v/0PI000000000000/actions"
    assert (await admin.post(f"{path}/deploy")).error == "INVALID_DATA"
    assert (await admin.get(f"{path}/deploy/results")).error == "INVALID_DATA"

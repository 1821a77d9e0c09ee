"""Packages exported through the public API."""

from __future__ import annotations

import io
import zipfile

from tests.service.vault.package_calls import artifact, deployed, finished, imported
from tests.service.vault.served import Api


async def test_export_of_chosen_components(admin: Api) -> None:
    mdl = """RECREATE Picklist pkg_size__c ( label('Size'), Picklistentry big__c ( label('Big') ) );
    RECREATE Object pkg_crate__c ( label('Crate'), prefix('ZPC'),
      Field size__c ( type('Picklist'), label('Size'), picklist('Picklist.pkg_size__c') ) );"""
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    row = {
        "summary__v": "Crates",
        "description__v": "For <deployment>",
        "target_vault_id__v": "20202",
    }
    (package_id,) = (await admin.post("/vobjects/outbound_package__v", json=[row])).ids
    name = (await admin.get(f"/vobjects/outbound_package__v/{package_id}")).data[
        "name__v"
    ]
    assert name.startswith("PKG-")
    assert (
        await admin.post("/services/package", data={"packageName": name})
    ).error == "OPERATION_NOT_ALLOWED"
    member = {
        "outbound_package__v": package_id,
        "vault_component__v": "Object.pkg_crate__c",
    }
    assert (await admin.post("/vobjects/package_component__v", json=[member])).data[0][
        "responseStatus"
    ] == "SUCCESS"

    answer = await admin.get(f"/vobjects/outbound_package__v/{package_id}/dependencies")
    details = answer.body["responseDetails"]
    assert (
        details["total_dependencies"],
        details["target_vault_id"],
        details["package_name"],
    ) == (1, 20202, name)
    assert details["url"] == f"{admin.url}/api/v25.1/vobjects/package_component__v"
    (missing,) = answer.body["package_dependencies"]
    assert (missing["component_name__v"], missing["component_type__v"]) == (
        "pkg_size__c",
        "Picklist",
    )
    assert missing["referenced_component_name"] == "pkg_crate__c"
    added = {"outbound_package__v": package_id, "vault_component__v": missing["id"]}
    await admin.post("/vobjects/package_component__v", json=[added])
    again = await admin.get(f"/vobject/outbound_package__v/{package_id}/dependencies")
    assert again.body["responseDetails"]["total_dependencies"] == 0
    assert "package_dependencies" not in again.body

    job = await finished(
        admin,
        (await admin.post("/services/package", data={"packageName": name})).body[
            "job_id"
        ],
    )
    async with admin.http.get(
        admin.url + artifact(job), headers={"Authorization": admin.session_id or ""}
    ) as response:
        content = await response.read()
        assert (
            response.headers["Content-Disposition"]
            == f'attachment;filename="{name}.vpk"'
        )
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert [entry for entry in archive.namelist() if entry.endswith(".mdl")] == [
            "components/00010/Picklist.pkg_size__c.mdl",
            "components/00020/Object.pkg_crate__c.mdl",
        ]
    assert (
        await admin.post(
            "/api/mdl/execute",
            data="DROP Object pkg_crate__c; DROP Picklist pkg_size__c;",
        )
    ).status
    ended, results = await deployed(admin, await imported(admin, content))
    assert (ended, results["responseDetails"]["package_status__v"]) == (
        "SUCCESS",
        "deployed__v",
    )
    assert (await admin.get("/api/mdl/components/Object.pkg_crate__c")).text.startswith(
        "RECREATE"
    )


async def test_export_of_what_is_not_there(admin: Api) -> None:
    assert (await admin.post("/services/package")).error == "PARAMETER_REQUIRED"
    assert (
        await admin.post("/services/package", data={"packageName": "PKG-none"})
    ).error == "INVALID_DATA"
    (package_id,) = (
        await admin.post(
            "/vobjects/outbound_package__v", json=[{"summary__v": "Broken"}]
        )
    ).ids
    member = {"outbound_package__v": package_id, "vault_component__v": "Object.gone__c"}
    await admin.post("/vobjects/package_component__v", json=[member])
    assert (
        await admin.get(f"/vobjects/outbound_package__v/{package_id}/dependencies")
    ).error == "INVALID_DATA"

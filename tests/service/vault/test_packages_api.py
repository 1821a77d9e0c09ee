"""Packages through the public API: validated, imported, deployed whole or not at all, exported."""

from __future__ import annotations

import io
import zipfile
from typing import Any, cast

import aiohttp
import pytest

from local.polling import answers_within
from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.jobs.job_model import JobContext, JobRun
from shared.vault.packages.package_model import PackageStatus
from tests.service.vault.served import Api
from tests.unit.packages.building import component_files, data_files, vpk, zipped

SHADE = "RECREATE Picklist pkg_shade__c ( label('Shade'), Picklistentry dark__c ( label('Dark') ) );"
BOX = """RECREATE Object pkg_box__c ( label('Box'), prefix('ZPB'),
  Field key__c ( type('String'), label('Key'), unique(true), max_length(40) ),
  Field shade__c ( type('Picklist'), label('Shade'), picklist('Picklist.pkg_shade__c') ) );"""
BOXES = 'key__c,name__v,shade__c\r\nB1,First,dark__c\r\n"B2","Second",\r\n'
JAVA = {"javasdk/src/main/java/com/example/Action.java": "class Action {}"}


def form(content: bytes, name: str = "test.vpk") -> aiohttp.FormData:
    data = aiohttp.FormData()
    data.add_field(
        "file", content, filename=name, content_type="application/octet-stream"
    )
    return data


async def finished(api: Api, job_id: int) -> dict[str, Any]:
    """The status document of a job that has ended."""

    async def running() -> str | None:
        status = (await api.get(f"/services/jobs/{job_id}")).data["status"]
        return status if status in ("QUEUED", "RUNNING") else None

    assert await answers_within(60, running) is None
    found: dict[str, Any] = (await api.get(f"/services/jobs/{job_id}")).data
    return found


def artifact(job: dict[str, Any]) -> str:
    """The address of the job's result."""
    return next(
        (str(link["href"]) for link in job["links"] if link["rel"] == "artifacts"),
        "no artifact",
    )


async def imported(admin: Api, content: bytes) -> str:
    """The id of the package imported from this file."""
    answer = await admin.put("/services/package", data=form(content))
    assert answer.body["url"] == f"/api/v25.1/services/jobs/{answer.body['job_id']}", (
        answer.text
    )
    job = await finished(admin, answer.body["job_id"])
    assert job["status"] == "SUCCESS", job
    package = (await admin.get(artifact(job))).body["vaultPackage"]
    return str(package["id"])


async def deployed(
    admin: Api, package_id: str, method: str = "POST"
) -> tuple[str, dict[str, Any]]:
    """How the job ended, and the results that it points at."""
    answer = await admin.call(
        method, f"/vobject/vault_package__v/{package_id}/actions/deploy"
    )
    job = await finished(admin, answer.body["job_id"])
    return job["status"], (await admin.get(artifact(job))).body


async def package_status(admin: Api, package_id: str) -> list[str]:
    found: list[str] = (
        await admin.get(f"/vobjects/vault_package__v/{package_id}")
    ).data["package_status__v"]
    return found


async def test_a_package_with_components_data_and_code(admin: Api) -> None:
    content = vpk(
        component_files(10, "Picklist.pkg_shade__c", SHADE),
        component_files(20, "Object.pkg_box__c", BOX),
        data_files(30, "pkg_box__c", "Upsert", BOXES, "key__c"),
        JAVA,
    )
    package_id = await imported(admin, content)
    assert package_id.startswith("0PI")
    assert await package_status(admin, package_id) == ["verified__v"]
    record = (await admin.get(f"/vobjects/vault_package__v/{package_id}")).data
    assert (
        record["name__v"],
        record["author__v"],
        record["source_vault__v"],
        record["file_name__v"],
    ) == (
        "PKG-0004",
        "jennie@pharma.example",
        "51577",
        "test.vpk",
    )

    ended, results = await deployed(admin, package_id, "PUT")
    assert ended == "SUCCESS"
    details = results["responseDetails"]
    expected = {
        "total_steps": 4,
        "deployed": 3,
        "deployed_with_warnings": 0,
        "deployed_with_failures": 0,
        "deployed_with_error": 0,
        "failed": 0,
        "skipped": 1,
        "package_status__v": "deployed_with_warnings__v",
    }
    assert {name: details[name] for name in expected} == expected
    assert await package_status(admin, package_id) == ["deployed_with_warnings__v"]

    shade, box, data, code = results["package_steps"]
    assert {
        "name__v": "00010",
        "step_type__v": "Component",
        "step_name__v": "pkg_shade__c",
        "type__v": "Picklist",
        "deployment_status__v": "deployed__v",
        "step_label__v": "Shade",
        "package_data": [],
        "package_code": [],
    }.items() <= shade.items()
    assert box["package_components"][0]["component_name__v"] == "pkg_box__c"
    assert {
        "name__v": "DSET-00030-pkg_box__c",
        "object__v": "pkg_box__c",
        "data_type__v": "Object",
        "data_action__v": "Upsert",
        "record_migration_mode__sys": False,
        "record_count__sys": "2",
    }.items() <= data["package_data"][0].items()
    assert (code["step_type__v"], code["deployment_status__v"]) == (
        "Code",
        "skipped__v",
    )
    assert code["package_code"][0]["name__v"] == next(iter(JAVA))

    rows = (
        await admin.query("SELECT key__c, shade__c FROM pkg_box__c ORDER BY key__c ASC")
    ).data
    assert [(row["key__c"], row["shade__c"]) for row in rows] == [
        ("B1", ["dark__c"]),
        ("B2", None),
    ]

    logs = {log["filename"]: log["url"] for log in details["deployment_log"]}
    assert set(logs) == {"PKG-0004-Validation.log", "PKG-0004-Deployment.log"}
    text = (
        await admin.get(logs["PKG-0004-Deployment.log"].removeprefix(admin.url))
    ).text
    assert "RECREATE Object.pkg_box__c" in text
    assert "Action.java: skipped" in text
    (data_log,) = details["data_deployment_log"]
    lines = (await admin.get(data_log["url"].removeprefix(admin.url))).text.splitlines()
    assert len(lines) == 3
    assert all("SUCCESS" in line for line in lines[1:])


WARNED = """RECREATE Integrationrule pkg_keyless__c (label('Keyless'), connection('medical_crm__v'),
  integration_point('pkg_keyless__c'), primary_query_object('thing__v'),
  Fieldrule note__c ( target_object('Object.thing__c'), target_object_field('Field.note__c'),
    query_object('thing__v'), query_field('text__v') ));"""


async def test_a_rule_that_can_hardly_be_meant_is_deployed_with_a_warning(
    admin: Api,
) -> None:
    content = vpk(component_files(10, "Integrationrule.pkg_keyless__c", WARNED))
    ended, results = await deployed(admin, await imported(admin, content))
    details = results["responseDetails"]
    assert (ended, details["deployed"], details["deployed_with_warnings"]) == (
        "SUCCESS",
        0,
        1,
    )
    assert details["package_status__v"] == "deployed_with_warnings__v"
    (step,) = results["package_steps"]
    assert step["deployment_status__v"] == "deployed_with_warnings__v"


LEVER = """RECREATE Object pkg_lever__c (label('Lever'), prefix('ZLV'), triggers_disallowed(false),
  Field maker__c (type('Object'), label('Maker'), object('pkg_lever__c')));"""
PULL = """RECREATE Objectaction pkg_lever__c.pull__c (label('Pull'), action('Recordaction.pull__c'));"""
PULL_NEEDS = """In Package,Blocking Type,Target Component Name,Target Component Type
false,block__sys,pull__c,Recordaction
"""
LEVERS = "name__v,maker__c.name__v\nFirst,\n"
FOLLOWER = "name__v,maker__c.name__v\nSecond,First\n"


async def test_what_has_no_effect_here_is_deployed_with_a_warning(admin: Api) -> None:
    content = vpk(
        component_files(10, "Object.pkg_lever__c", LEVER),
        component_files(20, "Objectaction.pkg_lever__c.pull__c", PULL, PULL_NEEDS),
        data_files(30, "pkg_lever__c", "Create", LEVERS),
        data_files(40, "pkg_lever__c", "Create", FOLLOWER),
    )
    package_id = await imported(admin, content)
    ended, results = await deployed(admin, package_id, "PUT")
    assert ended == "SUCCESS"
    statuses = [step["deployment_status__v"] for step in results["package_steps"]]
    warned = "deployed_with_warnings__v"
    assert statuses == [warned, warned, "deployed__v", "deployed__v"]
    logs = {
        log["filename"]: log["url"].removeprefix(admin.url)
        for log in results["responseDetails"]["deployment_log"]
    }
    text = (await admin.get(logs["PKG-0004-Deployment.log"])).text
    assert "triggers_disallowed" in text
    assert "Warning: Recordaction pull__c is missing" in text
    found = await admin.query(
        "SELECT id, maker__cr.name__v FROM pkg_lever__c WHERE name__v = 'Second'"
    )
    (row,) = found.data
    assert row["maker__cr.name__v"] == "First"
    path = f"/vobjects/pkg_lever__c/{row['id']}/actions"
    assert (await admin.get(path)).data == []


async def test_deploying_again_changes_nothing(admin: Api) -> None:
    content = vpk(
        component_files(
            10, "Picklist.pkg_twice__c", SHADE.replace("pkg_shade", "pkg_twice")
        )
    )
    package_id = await imported(admin, content)
    for _ in range(2):
        ended, results = await deployed(admin, package_id)
        assert (ended, results["responseDetails"]["package_status__v"]) == (
            "SUCCESS",
            "deployed__v",
        )


async def test_a_package_deploys_whole_or_not_at_all(admin: Api) -> None:
    content = vpk(
        component_files(
            10,
            "Object.pkg_whole__c",
            BOX.replace("pkg_box", "pkg_whole").replace("ZPB", "ZPW"),
        ),
        data_files(20, "pkg_whole__c", "Create", "key__c,name__v\nK1,One\nK2,Two\n"),
        data_files(
            30, "pkg_whole__c", "Create", "key__c,name__v\nK3,Three\nK1,Again\n"
        ),
        component_files(
            40, "Picklist.pkg_never__c", SHADE.replace("pkg_shade", "pkg_never")
        ),
        component_files(5, "Picklist.pkg_shade__c", SHADE),
        name="PKG/0005",
    )
    package_id = await imported(admin, content)
    ended, results = await deployed(admin, package_id)
    assert ended == "ERRORS_ENCOUNTERED"
    details = results["responseDetails"]
    assert (details["failed"], details["deployed"], details["skipped"]) == (1, 0, 4)
    assert details["package_status__v"] == "error__v"
    assert [step["deployment_status__v"] for step in results["package_steps"]] == [
        "not_deployed__v",
        "not_deployed__v",
        "not_deployed__v",
        "error__v",
        "not_deployed__v",
    ]
    assert await package_status(admin, package_id) == ["error__v"]
    for name in ("Object.pkg_whole__c", "Picklist.pkg_never__c"):
        assert (await admin.get(f"/api/mdl/components/{name}")).error == "INVALID_DATA"
    assert (await admin.query("SELECT id FROM pkg_whole__c")).status == "FAILURE"
    log = next(
        log
        for log in details["deployment_log"]
        if log["filename"].endswith("Deployment.log")
    )
    text = (await admin.get(log["url"].removeprefix(admin.url))).text
    assert "1 of 2 records were refused" in text
    assert "Again" not in text


async def test_components_that_refer_to_each_other(admin: Api) -> None:
    egg = """RECREATE Object pkg_egg__c ( label('Egg'), prefix('ZPE'),
      Field hen__c ( type('Object'), label('Hen'), object('Object.pkg_hen__c') ) );"""
    hen = """CREATE Object pkg_hen__c ( label('Hen'), prefix('ZPH'),
      Field egg__c ( type('Object'), label('Egg'), object('Object.pkg_egg__c') ) );"""
    content = vpk(
        component_files(10, "Object.pkg_egg__c", egg),
        component_files(20, "Object.pkg_hen__c", hen),
    )
    ended, results = await deployed(admin, await imported(admin, content))
    assert (ended, results["responseDetails"]["deployed"]) == ("SUCCESS", 2)
    fields = (await admin.get("/metadata/vobjects/pkg_egg__c/fields/hen__c")).body[
        "field"
    ]
    assert fields["object"]["name"] == "pkg_hen__c"


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


# More rows than one transaction takes: the second transaction has the row that is refused.
MANY = 700
REFUSED = {
    "a value of one row": ("N600", "no_such_shade__c", MANY - 1, "1 of 700 records"),
    "a key that is repeated": ("N550", "dark__c", 500, "From record 501 on"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_rows_that_are_refused_among_many(admin: Api, case: str) -> None:
    """A row fails separately; a slice refused as a whole is the last one; rows saved before stay."""
    name = f"pkg_many_{list(REFUSED).index(case)}"
    key, shade, saved, reason = REFUSED[case]
    box = BOX.replace("pkg_box", name).replace("ZPB", f"ZQ{name[-1]}")
    cells = [[f"N{number}", "Many", "dark__c"] for number in range(MANY)]
    cells[600] = [key, "Many", shade]
    rows = "key__c,name__v,shade__c\n" + "".join(",".join(row) + "\n" for row in cells)
    content = vpk(
        component_files(10, "Picklist.pkg_shade__c", SHADE),
        component_files(20, f"Object.{name}__c", box),
        data_files(30, f"{name}__c", "Upsert", rows, "key__c"),
        component_files(40, f"Picklist.{name}__c", SHADE.replace("pkg_shade", name)),
    )
    package_id = await imported(admin, content)
    ended, results = await deployed(admin, package_id)
    assert ended == "ERRORS_ENCOUNTERED"
    assert [step["deployment_status__v"] for step in results["package_steps"]] == [
        "deployed__v",
        "deployed__v",
        "error__v",
        "not_deployed__v",
    ]
    assert await package_status(admin, package_id) == ["error__v"]
    found = await admin.query(f"SELECT id FROM {name}__c PAGESIZE 1")
    assert found.body["responseDetails"]["total"] == saved
    details = results["responseDetails"]
    texts = {
        log["filename"]: await admin.get(log["url"].removeprefix(admin.url))
        for log in details["deployment_log"] + details["data_deployment_log"]
    }
    assert reason in texts["PKG-0004-Deployment.log"].text
    lines = texts["PKG-0004-Data.csv"].text.splitlines()[1:]
    failures = [line for line in lines if "FAILURE" in line]
    assert (len(lines) - len(failures), len(failures)) == (saved, len(lines) - saved)
    assert all(",601,FAILURE,,," in line for line in failures)


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


async def test_a_deployment_that_is_done_is_not_done_again(
    admin: Api, vault: Vault
) -> None:
    """A process may end after the commit and before it reports it: the next one finds the note."""
    content = vpk(data_files(10, "thing__c", "Create", "key__c,name__v\nPKG1,One\n"))
    package_id = await imported(admin, content)
    assert (await deployed(admin, package_id))[0] == "SUCCESS"
    done = JobContext(
        0,
        SYSTEM,
        {"package_id": package_id},
        {"status": "deployed__v"},
        cast("JobRun", None),
    )
    assert await vault.inbound_packages.deploy(done) is PackageStatus.DEPLOYED
    (row,) = (await admin.query("SELECT id FROM thing__c WHERE key__c = 'PKG1'")).data
    await admin.delete("/vobjects/thing__c", json=[row])
    await admin.delete("/vobjects/vault_package__v", json=[{"id": package_id}])
    assert (
        await admin.get(
            f"/vobject/vault_package__v/{package_id}/actions/deploy/results"
        )
    ).status == "FAILURE"

"""Packages deployed through the public API: whole or not at all."""

from __future__ import annotations

from typing import cast

import pytest

from shared.vault.access.caller import SYSTEM
from shared.vault.assembly.vault import Vault
from shared.vault.jobs.job_model import JobContext, JobRun
from shared.vault.packages.package_model import PackageStatus
from tests.service.vault.package_calls import (
    BOX,
    BOXES,
    JAVA,
    SHADE,
    deployed,
    imported,
    package_status,
)
from tests.service.vault.served import Api
from tests.unit.packages.building import component_files, data_files, vpk


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

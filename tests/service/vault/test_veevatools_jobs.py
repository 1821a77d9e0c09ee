"""The Python client on PyPI, unmodified: its calls for jobs, files, packages, and all others for objects."""

from __future__ import annotations

import io
from itertools import count
from pathlib import Path
from typing import Any

from veevatools.veevavault import (
    ConfigurationMigrationService,
    FileStagingService,
    JobsService,
    MDLService,
    ObjectService,
    QueryService,
    UserService,
    VaultClient,
)

from local.polling import answers_within
from tests.service.vault.conftest import Call
from tests.service.vault.served import Api
from tests.unit.packages.building import component_files, vpk

numbers = count(1)


async def finished(client: VaultClient, call: Call, job_id: int) -> str:
    """The status of a job that has ended."""
    jobs = JobsService(client)

    async def running() -> str | None:
        status = (await call(jobs.retrieve_job_status, job_id))["data"]["status"]
        return status if status in ("QUEUED", "RUNNING") else None

    assert await answers_within(60, running) is None
    assert (await call(jobs.retrieve_sdk_job_tasks, job_id))[
        "responseStatus"
    ] == "SUCCESS"
    return str((await call(jobs.retrieve_job_status, job_id))["data"]["status"])


async def owners(admin: Api, number: int) -> list[str]:
    rows = [{"name__v": "o", "key__c": f"VJ-{next(numbers)}"} for _ in range(number)]
    return (await admin.post("/vobjects/owner__c", json=rows)).ids


async def test_copies_and_cascades(client: VaultClient, call: Call, admin: Api) -> None:
    objects, (record,) = ObjectService(client), await owners(admin, 1)
    payload = [{"key__c": f"VJ-{next(numbers)}"}]
    copied = (await call(objects.deep_copy_object_record, "owner__c", record, payload))[
        "job_id"
    ]
    assert await finished(client, call, copied) == "SUCCESS"
    deleted = (await call(objects.cascade_delete_object_record, "owner__c", record))[
        "job_id"
    ]
    assert await finished(client, call, deleted) == "SUCCESS"
    gone = await call(objects.crud.retrieve_deleted_object_record_id, "owner__c")
    assert record in {row["id"] for row in gone["data"]}


async def test_merges(
    client: VaultClient, call: Call, admin: Api, tmp_path: Path
) -> None:
    objects, (main, duplicate) = ObjectService(client), await owners(admin, 2)
    pairs = [{"duplicate_record_id": duplicate, "main_record_id": main}]
    job_id = (await call(objects.initiate_record_merge, "owner__c", pairs))["data"][
        "job_id"
    ]
    assert await finished(client, call, job_id) == "SUCCESS"
    assert (await call(objects.retrieve_record_merge_status, "owner__c", job_id))[
        "data"
    ]["status"] == "SUCCESS"
    (merged,) = (await call(objects.retrieve_record_merge_results, "owner__c", job_id))[
        "data"
    ]["merge_sets"]
    assert (merged["duplicate_record_id"], merged["main_record_id"]) == (
        duplicate,
        main,
    )
    log = tmp_path / "merge.zip"
    await call(objects.download_merge_records_job_log, "owner__c", job_id, str(log))
    assert log.read_bytes().startswith(b"PK")


async def test_types_limits_and_roll_ups(
    client: VaultClient, call: Call, admin: Api
) -> None:
    objects = ObjectService(client)
    (record,) = (await admin.post("/vobjects/kind__c", json=[{"name__v": "k"}])).ids
    assert (await call(objects.retrieve_details_from_all_object_types))["data"]
    better = await call(
        objects.retrieve_details_from_specific_object, "Objecttype.kind__c.better__c"
    )
    assert better["data"]["name"] == "better__c"
    payload = [{"id": record, "object_type__v.api_name__v": "better__c"}]
    assert (await call(objects.change_object_type, "kind__c", payload))["data"][0][
        "responseStatus"
    ] == "SUCCESS"
    assert (await call(objects.retrieve_limits_on_objects))["data"][0][
        "name"
    ] == "custom_objects"
    assert (await call(objects.recalculate_rollup_fields, "kind__c"))[
        "responseStatus"
    ] == "SUCCESS"
    status = await call(objects.retrieve_rollup_field_recalculation_status, "kind__c")
    assert status["data"]["status"] == "NOT_RUNNING"


async def test_actions_on_many(client: VaultClient, call: Call, user: Api) -> None:
    rows = [{"name__v": "t", "key__c": f"VM-{next(numbers)}"} for _ in range(2)]
    ids = (await user.post("/vobjects/thing__c", json=rows)).ids
    name = "Objectlifecyclestateuseraction.thing__c.new_state__c.start__c"
    done = await call(
        ObjectService(client).initiate_object_action_on_multiple_records,
        "thing__c",
        name,
        {"ids": ids},
    )
    assert [row["responseStatus"] for row in done["data"]] == ["SUCCESS", "SUCCESS"]


async def test_scripts_as_jobs(client: VaultClient, call: Call, tmp_path: Path) -> None:
    mdl = MDLService(client)
    script = f"RECREATE Picklist vjob{next(numbers)}__c ( label('A job') );"
    job_id = (await call(mdl.execute_mdl_script_async, script))["job_id"]
    assert await finished(client, call, job_id) == "SUCCESS"
    results = await call(mdl.retrieve_async_mdl_script_results, job_id)
    assert results["statement_execution"][0]["response"] == "SUCCESS"
    waiting = await call(mdl.cancel_raw_object_deployment, "thing__c")
    assert waiting["errors"][0]["type"] == "OPERATION_NOT_ALLOWED"
    logo = tmp_path / "logo.svg"
    logo.write_text("<svg/>")
    assert (await call(mdl.upload_content_file, str(logo)))["data"]["name__v"]
    assert (await call(mdl.retrieve_content_file, "Picklist.colour__c"))[
        "responseStatus"
    ] == "SUCCESS"


async def test_files(client: VaultClient, call: Call, tmp_path: Path) -> None:
    staging, source = FileStagingService(client), tmp_path / "rows.csv"
    source.write_text("a,b\n1,2\n")
    assert (await call(staging.create_folder_or_file, "/veeva", "folder"))["data"][
        "kind"
    ] == "folder"
    made = await call(
        staging.create_folder_or_file,
        "/veeva/rows.csv",
        "file",
        str(source),
        overwrite=True,
    )
    assert made["data"]["size"] == 8
    assert [
        i["name"] for i in (await call(staging.list_items_at_path, "/veeva"))["data"]
    ] == ["rows.csv"]
    part = await call(staging.download_item_content, "veeva/rows.csv", (0, 2))
    assert part.content == b"a,b"
    moved = await call(staging.update_folder_or_file, "veeva/rows.csv", name="old.csv")
    assert await finished(client, call, moved["data"]["job_id"]) == "SUCCESS"
    session = (
        await call(staging.create_resumable_upload_session, "/veeva/big.txt", 6)
    )["data"]["id"]
    assert (await call(staging.upload_to_session, session, b"abcdef", 1))["data"][
        "part_number"
    ] == 1
    assert session in {
        s["id"] for s in (await call(staging.list_upload_sessions))["data"]
    }
    assert (await call(staging.get_upload_session_details, session))["data"][
        "uploaded_parts"
    ] == 1
    assert (
        len((await call(staging.list_file_parts_uploaded_to_session, session))["data"])
        == 1
    )
    committed = (await call(staging.commit_upload_session, session))["data"]["job_id"]
    assert await finished(client, call, committed) == "SUCCESS"
    other = (await call(staging.create_resumable_upload_session, "/veeva/none.txt", 6))[
        "data"
    ]["id"]
    assert (await call(staging.abort_upload_session, other))[
        "responseStatus"
    ] == "SUCCESS"
    gone = await call(staging.delete_file_or_folder, "veeva", recursive=True)
    assert await finished(client, call, gone["data"]["job_id"]) == "SUCCESS"


async def test_packages(client: VaultClient, call: Call, admin: Api) -> None:
    packages, name = ConfigurationMigrationService(client), f"vpack{next(numbers)}__c"
    content = vpk(
        component_files(
            10, f"Picklist.{name}", f"RECREATE Picklist {name} ( label('Packed') );"
        )
    )
    checked = await call(packages.validate_package, io.BytesIO(content))
    assert checked["responseDetails"]["package_status"] == "Verified"
    job = (await call(packages.import_package, io.BytesIO(content)))["job_id"]
    assert await finished(client, call, job) == "SUCCESS"
    rows = (
        await admin.query(
            "SELECT id FROM vault_package__v ORDER BY created_date__v DESC MAXROWS 1"
        )
    ).data
    package_id = rows[0]["id"]
    again = await call(packages.validate_inbound_package, package_id)
    assert again["responseDetails"]["package_id"] == package_id
    deployed = (await call(packages.deploy_package, package_id))["job_id"]
    assert await finished(client, call, deployed) == "SUCCESS"
    results = await call(packages.retrieve_package_deploy_results, package_id)
    assert results["responseDetails"]["deployed"] == 1
    (outbound,) = (
        await admin.post("/vobjects/outbound_package__v", json=[{"summary__v": "out"}])
    ).ids
    member = {"outbound_package__v": outbound, "vault_component__v": f"Picklist.{name}"}
    assert (await admin.post("/vobjects/package_component__v", json=[member])).ids
    missing = await call(packages.retrieve_outbound_package_dependencies, outbound)
    assert missing["responseDetails"]["total_dependencies"] == 0
    named = (await admin.get(f"/vobjects/outbound_package__v/{outbound}")).data[
        "name__v"
    ]
    assert (await call(packages.export_package, named))["job_id"]
    assert (await call(packages.enable_configuration_mode))[
        "responseStatus"
    ] == "SUCCESS"
    assert (await call(packages.disable_configuration_mode))[
        "responseStatus"
    ] == "SUCCESS"
    assert (await call(packages.compare_vaults, "10101"))["errors"][0][
        "type"
    ] == "OPERATION_NOT_ALLOWED"
    assert (await call(packages.generate_configuration_report))["errors"][0][
        "type"
    ] == "OPERATION_NOT_ALLOWED"


async def test_queries_with_all_that_headers_ask_for(
    client: VaultClient, call: Call
) -> None:
    text = "SELECT id, name__v, status__v FROM user__sys"
    answer = await call(QueryService(client).query, text, True, "all", ["status__v"])
    assert answer["record_properties"][0]["permissions"]["read"] is True
    assert answer["facets"][0]["name"] == "status__v"


async def test_jobs_that_wait(client: VaultClient, call: Call) -> None:
    jobs = JobsService(client)
    waiting: list[dict[str, Any]] = (
        await call(jobs.retrieve_job_monitors, status="scheduled")
    )["jobs"]
    assert (await call(jobs.start_job, waiting[0]["job_id"]))["job_id"] == waiting[0][
        "job_id"
    ]
    assert (await call(jobs.retrieve_job_histories, status="success", limit=1))[
        "responseDetails"
    ]["limit"] == 1


async def test_who_the_caller_is(client: VaultClient, call: Call) -> None:
    assert (await call(UserService(client).validate_session_user))["users"][0]["user"][
        "active__v"
    ] is True

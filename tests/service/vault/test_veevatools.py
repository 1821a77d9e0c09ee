"""The Python client on PyPI, unmodified, against a started Vault."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from veevatools.veevavault import (
    AuthenticationService,
    GroupsService,
    JobsService,
    MDLService,
    ObjectLifecycleWorkflowService,
    ObjectService,
    PicklistService,
    QueryService,
    UserService,
    VaultClient,
)
from veevatools.veevavault.errors import VaultAuthenticationError

from shared.vault.assembly.vault import Vault
from tests.public_client import client_of
from tests.service.vault.conftest import Call
from tests.service.vault.people import person
from tests.service.vault.served import PASSWORD, USERNAMES, Api

numbers = count(1)


async def test_signing_in(api: Api, vault: Vault, call: Call) -> None:
    made, host = client_of(api.url)
    details = await call(
        made.authenticate,
        vaultURL=f"{api.url}/",
        vaultUserName=USERNAMES["user"],
        vaultPassword=PASSWORD,
        if_return=True,
    )
    assert (details["vaultId"], details["LatestAPIversion"]) == (
        vault.vault_id,
        "v26.3",
    )
    assert made.api_version_negotiated
    assert host.asked == ["/auth/discovery"]
    me = (await call(made.validate_session_user))["users"][0]["user"]
    assert me["user_name__v"] == USERNAMES["user"]
    assert "vault_membership" in me
    service = AuthenticationService(made)
    assert (await call(service.keep_alive))["responseStatus"] == "SUCCESS"
    await call(made.get_session_manager().keep_alive)
    assert (await call(service.retrieve_delegations))["delegated_vaults"] == []
    refused = await call(service.initiate_delegated_session, str(vault.vault_id), "2")
    assert refused["errors"][0]["type"] == "INSUFFICIENT_ACCESS"
    assert (await call(service.logout))["responseStatus"] == "SUCCESS"
    assert made.sessionId is None


async def test_wrong_passwords_and_other_ways_to_sign_in(api: Api, call: Call) -> None:
    made, _ = client_of(api.url)
    with pytest.raises(VaultAuthenticationError) as refused:
        await call(
            made.authenticate,
            vaultURL=api.url,
            vaultUserName="nobody@vault.example",
            vaultPassword="x",
        )
    assert refused.value.error_type == "AUTHENTICATION_FAILED"
    service = AuthenticationService(made)
    answer = await call(
        service.authenticate_with_oauth_openid_connect, "_profile", "token"
    )
    assert answer["errors"][0]["type"] == "INVALID_DATA"


async def test_a_lost_session_is_renewed_and_the_call_replayed(
    api: Api, call: Call
) -> None:
    made, _ = client_of(api.url)
    await call(
        made.authenticate,
        vaultURL=api.url,
        vaultUserName=USERNAMES["user"],
        vaultPassword=PASSWORD,
    )
    lost = made.sessionId
    await api.delete("/session", headers={"Authorization": str(lost)})
    assert (await call(UserService(made).validate_session_user))[
        "responseStatus"
    ] == "SUCCESS"
    assert made.sessionId != lost


async def test_a_session_of_another_program(api: Api, vault: Vault, call: Call) -> None:
    session = await api.signed_in("integration")
    made, _ = client_of(api.url)
    await call(
        made.authenticate,
        vaultURL=api.url,
        sessionId=session.session_id,
        vaultId=str(vault.vault_id),
    )
    assert (await call(made.session_keep_alive))["responseStatus"] == "SUCCESS"
    dead, _ = client_of(api.url)
    await call(
        dead.authenticate,
        vaultURL=api.url,
        sessionId="0" * 64,
        vaultId=str(vault.vault_id),
    )
    with pytest.raises(VaultAuthenticationError):
        await call(dead.session_keep_alive)


async def test_records(client: VaultClient, call: Call) -> None:
    objects, json = (
        ObjectService(client),
        {"content_type": "application/json", "accept": "application/json"},
    )
    key = f"VT-{next(numbers)}"
    row = {"name__v": "by veevatools", "key__c": key, "colour__c": "red__c"}
    created = await call(objects.crud.create_object_records, "thing__c", row, **json)
    record_id = created["data"][0]["data"]["id"]
    updated = await call(
        objects.crud.update_object_records,
        "thing__c",
        {"id": record_id, "note__c": "x"},
    )
    assert updated["data"][0]["data"]["id"] == record_id
    by_key = {"key__c": key, "note__c": "y"}
    again = await call(
        objects.crud.update_object_records, "thing__c", by_key, id_param="key__c"
    )
    assert again["data"][0]["responseStatus"] == "SUCCESS"
    record = (await call(objects.retrieve_object_record, "thing__c", record_id))["data"]
    assert (record["note__c"], record["colour__c"]) == ("y", ["red__c"])
    listed = await call(objects.retrieve_object_record_collection, "thing__c")
    assert listed["responseDetails"]["total"] >= 1
    deleted = await call(
        objects.crud.delete_object_records, "thing__c", {"id": record_id}
    )
    assert deleted["data"][0]["responseStatus"] == "SUCCESS"
    gone = await call(objects.retrieve_object_record, "thing__c", record_id)
    assert gone["responseStatus"] == "FAILURE"


async def test_attachments(client: VaultClient, call: Call, tmp_path: Path) -> None:
    objects, mdl, name = (
        ObjectService(client),
        MDLService(client),
        f"binder{next(numbers)}__c",
    )
    script = f"RECREATE Object {name} ( label('Binder'), prefix('ZB{next(numbers)}'), allow_attachments(true) );"
    assert (await call(mdl.execute_mdl_script, script))["responseStatus"] == "SUCCESS"
    enabled = await call(
        objects.determine_if_attachments_are_enabled_on_an_object, name
    )
    assert enabled["object"]["allow_attachments"] is True
    json = {"content_type": "application/json", "accept": "application/json"}
    created = await call(
        objects.crud.create_object_records, name, {"name__v": "a"}, **json
    )
    record = created["data"][0]["data"]["id"]
    file, copy = tmp_path / "plan.txt", tmp_path / "copy.txt"
    file.write_text("version 1")
    first = await call(
        objects.create_object_record_attachment, name, record, str(file), "described"
    )
    file.write_text("version 2")
    added = await call(objects.create_object_record_attachment, name, record, str(file))
    assert added["data"] == [{"id": first["data"][0]["id"], "version__v": 2}]
    one = (name, record, added["data"][0]["id"])
    (shown,) = (await call(objects.retrieve_object_record_attachments, name, record))[
        "data"
    ]
    assert (str(shown["id"]), shown["description__v"]) == (one[2], "described")
    assert (await call(objects.retrieve_object_record_attachment_metadata, *one))[
        "data"
    ] == [shown]
    assert (await call(objects.retrieve_object_record_attachment_versions, *one))[
        "data"
    ] == shown["versions"]
    (older,) = (
        await call(
            objects.retrieve_object_record_attachment_version_metadata, *one, "1"
        )
    )["data"]
    assert older["version__v"] == 1
    await call(objects.download_object_record_attachment_file, *one, str(copy))
    assert copy.read_text() == "version 2"
    await call(
        objects.download_object_record_attachment_version_file, *one, "1", str(copy)
    )
    assert copy.read_text() == "version 1"
    await call(
        objects.attachments.download_all_object_record_attachment_files,
        name,
        record,
        str(tmp_path / "all"),
    )
    assert [path.name for path in (tmp_path / "all").iterdir()] == [
        "Binder a - attachments.zip"
    ]
    assert (await call(objects.restore_object_record_attachment_version, *one, "1"))[
        "data"
    ]["version__v"] == 3
    changed = await call(
        objects.update_object_record_attachment_description, *one, "changed"
    )
    assert changed["responseStatus"] == "SUCCESS"
    row = {"id": record, "attachment_id": one[2], "description__v": "again"}
    many = await call(
        objects.update_multiple_object_record_attachment_descriptions, name, row
    )
    assert many["data"][0]["responseStatus"] == "SUCCESS"
    row = {"id": record, "filename__v": "a.txt", "file": "/nothing.txt"}
    staged = await call(objects.create_multiple_object_record_attachments, name, row)
    assert staged["data"][0]["errors"][0]["type"] == "INVALID_DATA"
    assert (await call(objects.delete_object_record_attachment_version, *one, "1"))[
        "responseStatus"
    ] == "SUCCESS"
    await call(
        objects.create_object_record_attachment,
        name,
        record,
        str(copy.rename(tmp_path / "more.txt")),
    )
    gone = [{"id": record, "attachment_id": one[2]}]
    deleted = await call(objects.delete_multiple_object_record_attachments, name, gone)
    assert deleted["data"][0]["responseStatus"] == "SUCCESS"
    left = (await call(objects.retrieve_object_record_attachments, name, record))[
        "data"
    ]
    for each in left:
        assert (
            await call(
                objects.delete_object_record_attachment, name, record, each["id"]
            )
        )["responseStatus"] == "SUCCESS"
    listed = await call(objects.retrieve_deleted_object_record_attachments, name)
    assert {str(each["id"]) for each in listed["data"]} >= {one[2]}


async def test_attachment_fields(
    client: VaultClient, call: Call, tmp_path: Path
) -> None:
    objects, mdl, name = (
        ObjectService(client),
        MDLService(client),
        f"binder{next(numbers)}__c",
    )
    fields, crud = objects.attachment_fields, objects.crud
    prefix, scan = (
        f"prefix('ZB{next(numbers)}')",
        "Field scan__c ( label('Scan'), type('Attachment') )",
    )
    script = f"RECREATE Object {name} ( label('Binder'), {prefix}, {scan} );"
    assert (await call(mdl.execute_mdl_script, script))["responseStatus"] == "SUCCESS"
    json = {"content_type": "application/json", "accept": "application/json"}
    created = await call(crud.create_object_records, name, {"name__v": "a"}, **json)
    record = created["data"][0]["data"]["id"]
    file, copy = tmp_path / "plan.txt", tmp_path / "copy.txt"
    file.write_text("a plan")
    put = await call(
        fields.update_attachment_field_file, name, record, "scan__c", str(file)
    )
    assert put["data"][0]["data"]["id"] == record
    await call(
        fields.download_attachment_field_file, name, record, "scan__c", str(copy)
    )
    assert copy.read_text() == "a plan"
    await call(
        fields.download_all_attachment_field_files, name, record, str(tmp_path / "all")
    )
    assert [path.name for path in (tmp_path / "all").iterdir()] == [
        "Binder a - attachment fields.zip"
    ]


async def test_queries_over_many_pages(
    client: VaultClient, user: Api, call: Call
) -> None:
    rows = [{"name__v": "paged", "key__c": f"VQ-{n:04}"} for n in range(1200)]
    for start in range(0, len(rows), 500):
        assert (
            await user.post("/vobjects/thing__c", json=rows[start : start + 500])
        ).status == "SUCCESS"
    queries = QueryService(client)
    text = "SELECT id, key__c FROM thing__c WHERE key__c LIKE 'VQ-%'"
    everything = await call(queries.bulk_query, text)
    assert (len(everything["data"]), everything["responseDetails"]["total"]) == (
        1200,
        1200,
    )
    assert {field["name"] for field in everything["queryDescribe"]["fields"]} == {
        "id",
        "key__c",
    }
    pages = await call(lambda: list(queries.bulk_query_iter(text)))
    assert [len(page["data"]) for page in pages] == [1000, 200]
    assert len(await call(lambda: list(queries.records(text)))) == 1200
    assert len((await call(queries.bulk_query, f"{text} LIMIT 7"))["data"]) == 7
    refused = await call(queries.query, "SELECT FROM")
    assert refused["errors"][0]["type"] == "INCORRECT_QUERY_SYNTAX_ERROR"


async def test_metadata_and_mdl(client: VaultClient, call: Call) -> None:
    objects, mdl = ObjectService(client), MDLService(client)
    assert "thing__c" in {
        o["name"] for o in (await call(objects.retrieve_object_collection))["objects"]
    }
    fields = (await call(objects.retrieve_object_metadata, "thing__c"))["object"][
        "fields"
    ]
    assert "key__c" in {field["name"] for field in fields}
    field = (await call(objects.retrieve_object_field_metadata, "thing__c", "key__c"))[
        "field"
    ]
    assert (field["type"], field["unique"]) == ("String", True)
    name = f"veevatools{next(numbers)}__c"
    script = f"RECREATE Picklist {name} ( label('By veevatools'), Picklistentry one__c ( label('One') ) );"
    executed = await call(mdl.execute_mdl_script, script)
    assert executed["script_execution"]["code"] == "GEN-S-0"
    text = await call(mdl.retrieve_component_record_mdl, f"Picklist.{name}")
    assert text.startswith(f"RECREATE Picklist {name}")
    assert (await call(mdl.execute_mdl_script, text))["responseStatus"] == "SUCCESS"
    record = (await call(mdl.retrieve_component_record, f"Picklist.{name}"))["data"]
    assert record["Picklistentry"][0]["name"] == "one__c"
    types = {
        row["name"] for row in (await call(mdl.retrieve_all_component_metadata))["data"]
    }
    assert {"Picklist", "Object", "Queue", "Integrationrule"} <= types
    assert (await call(mdl.retrieve_component_type_metadata, "Picklist"))["data"][
        "name"
    ] == "Picklist"
    assert (await call(mdl.retrieve_component_record_collection, "Queue"))["data"]
    assert (await call(mdl.execute_mdl_script, "RECREATE Nothing"))[
        "responseStatus"
    ] == "FAILURE"


async def test_picklists(client: VaultClient, call: Call) -> None:
    picklists, mdl, name = (
        PicklistService(client),
        MDLService(client),
        f"areas{next(numbers)}__c",
    )
    await call(mdl.execute_mdl_script, f"RECREATE Picklist {name} ( label('Areas') );")
    assert name in {
        p["name"] for p in (await call(picklists.retrieve_all_picklists))["picklists"]
    }
    created = await call(
        picklists.create_picklist_values, name, ["North America", "South America"]
    )
    assert [v["name"] for v in created["picklistValues"]] == [
        "north_america__c",
        "south_america__c",
    ]
    await call(
        picklists.update_picklist_value_label,
        name,
        {"north_america__c": "North America & Co"},
    )
    await call(
        picklists.update_picklist_value, name, "south_america__c", new_name="the_south"
    )
    assert (await call(picklists.inactivate_picklist_value, name, "the_south__c"))[
        "name"
    ] == "the_south__c"
    values = await picklists.async_bulk_retrieve_picklist_values([name])
    assert [(v["name"], v["label"]) for v in values] == [
        ("north_america__c", "North America & Co")
    ]


async def test_users(client: VaultClient, call: Call, vault: Vault) -> None:
    users = UserService(client)
    assert (await call(users.retrieve_user_metadata))["properties"]
    assert (
        await call(
            users.retrieve_all_users, vaults="all", exclude_vault_membership=False
        )
    )["users"]
    user_id = (await call(users.create_user, person()))["id"]
    many = await call(users.create_multiple_users, [person(), person()])
    assert [row["responseStatus"] for row in many["data"]] == ["SUCCESS", "SUCCESS"]
    csv = "user_name__v,user_first_name__v,user_last_name__v,user_email__v\na@b.example,A,B,a@b.example\n"
    first = (await call(users.create_multiple_users, csv))["data"][0]
    again = await call(
        users.create_multiple_users, csv, operation="upsert", id_param="user_name__v"
    )
    assert again["data"][0]["id"] == first["id"]
    assert (await call(users.update_user, user_id, {"user_title__v": "Agent"}))[
        "id"
    ] == user_id
    assert (
        await call(users.update_multiple_users, [{"id": user_id, "company__v": "Acme"}])
    )["data"]
    shown = (await call(users.retrieve_user, user_id))["users"][0]["user"]
    assert (shown["user_title__v"], shown["company__v"]) == ("Agent", "Acme")
    await call(
        users.update_vault_membership,
        user_id,
        vault.vault_id,
        security_profile="integration_user__v",
    )
    name = "object.user__sys.object_actions"
    (entry,) = (await call(users.retrieve_user_permissions, user_id, name))["data"]
    assert entry["permissions"] == {
        "read": True,
        "create": False,
        "edit": False,
        "delete": False,
    }
    assert (await call(users.retrieve_my_permissions))["data"]
    assert (await call(users.disable_user, user_id))["id"] == user_id
    shown = (await call(users.retrieve_user, user_id))["users"][0]["user"]
    assert shown["active__v"] is False
    refused = await call(users.change_my_password, "wrong", "another of a test")
    assert refused["errors"][0]["type"] == "USERNAME_OR_PASSWORD_INCORRECT"


async def test_groups(client: VaultClient, call: Call) -> None:
    groups = GroupsService(client)
    assert (await call(groups.retrieve_group_metadata))["properties"]
    created = await call(
        groups.create_group,
        f"By veevatools {next(numbers)}",
        members=[2],
        security_profiles=["business_user__v"],
    )
    group_id = created["id"]
    await call(groups.update_group, group_id, members=["add", 3], description="Those")
    group = (await call(groups.retrieve_group, group_id, include_implied=True))[
        "groups"
    ][0]["group"]
    assert (group["members__v"], group["group_description__v"]) == ([2, 3], "Those")
    assert group_id in {
        g["group"]["id"] for g in (await call(groups.retrieve_all_groups))["groups"]
    }
    assert (await call(groups.retrieve_auto_managed_groups))["data"] == []
    assert (await call(groups.delete_group, group_id))["id"] == group_id


async def test_user_actions(client: VaultClient, user: Api, call: Call) -> None:
    row = {"name__v": "acted on", "key__c": f"VA-{next(numbers)}"}
    (record,) = (await user.post("/vobjects/thing__c", json=[row])).ids
    actions = ObjectLifecycleWorkflowService(client)
    (action,) = (
        await call(actions.retrieve_object_record_user_actions, "thing__c", record)
    )["data"]
    details = await call(
        actions.retrieve_object_user_action_details, "thing__c", record, action["name"]
    )
    assert details["data"]["name"] == action["name"]
    objects = ObjectService(client)
    done = await call(
        objects.initiate_object_action_on_single_record,
        "thing__c",
        record,
        action["name"],
    )
    assert done["responseStatus"] == "SUCCESS"


async def test_queues_and_jobs(client: VaultClient, call: Call) -> None:
    version = client.LatestAPIversion
    queues = (await call(client.api_call, f"api/{version}/services/queues"))["data"]
    one = await call(
        client.api_call, f"api/{version}/services/queues/{queues[0]['name']}"
    )
    assert one["responseStatus"] == "SUCCESS"
    jobs = JobsService(client)
    assert (await call(jobs.retrieve_job_histories))["responseStatus"] == "SUCCESS"
    assert (await call(jobs.retrieve_job_monitors))["responseStatus"] == "SUCCESS"


async def test_what_this_vault_does_not_have(client: VaultClient, call: Call) -> None:
    answer = await call(
        client.api_call, f"api/{client.LatestAPIversion}/objects/binders"
    )
    assert answer["errors"][0]["type"] == "OPERATION_NOT_ALLOWED"

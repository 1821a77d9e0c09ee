"""The vendor's Java client: its requests, form by form, over TLS; its models match the answers."""

from __future__ import annotations

import json

from tests.service.vault import java_session
from tests.service.vault.java_client import (
    CSV,
    FORM,
    JSON,
    Body,
    Integer,
    JavaClient,
    Long,
    Types,
    form,
    misfits,
    raw,
)
from tests.service.vault.java_models import (
    AUDIT,
    DETAILS,
    FIELD,
    GROUP,
    JOB,
    JOB_CREATED,
    QUEUE,
    RECORD,
    ROWS,
    USER,
)
from tests.service.vault.java_session import finished, succeeded
from tests.service.vault.served import PASSWORD, USERNAMES, Api

client = java_session.client


def test_what_does_not_fit_is_found() -> None:
    body = {
        "id": 2**31,
        "size": 2**31,
        "rows": [{"name": 1}, {"name": None}, {}],
        "data": {"a": "x"},
    }
    types: Types = {
        "id": Integer,
        "size": Long,
        "rows[].name": str,
        "data[].a": str,
        "absent.name": str,
    }
    assert [misfit.partition(":")[0] for misfit in misfits(body, types)] == [
        "id",
        "rows[].name",
        "data[].a",
    ]


async def test_a_session_of_another_program(client: JavaClient, api: Api) -> None:
    session = (await api.signed_in("integration")).session_id or ""
    other = JavaClient(client.http, client.trust, client.dns, session)
    me = succeeded(await other.send("GET", "/objects/users/me"), USER)
    assert me.headers["X-VaultAPI-UserId"] == str(me.body["users"][0]["user"]["id"])
    assert int(me.headers["X-VaultAPI-VaultId"]) > 0
    succeeded(await other.send("POST", "/keep-alive"))
    versions = succeeded(await other.send("GET", "/api/")).body["values"]
    assert versions["v24.3"] == f"https://{client.dns}/api/v24.3"
    succeeded(await other.send("DELETE", "/session", Body()))
    assert (await other.send("GET", "/objects/users/me")).error == "INVALID_SESSION_ID"


async def test_an_empty_dns_and_a_wrong_password(client: JavaClient) -> None:
    nobody = JavaClient(client.http, client.trust, client.dns)
    fields = form(username=USERNAMES["user"], password=PASSWORD, vaultDNS="")
    answer = succeeded(
        await nobody.send("POST", "/auth", fields, Content_Type=FORM, Accept=JSON)
    )
    assert answer.body["vaultIds"][0]["url"] == f"https://{client.dns}/api"
    wrong = await nobody.send(
        "POST",
        "/auth",
        form(username="x@vault.example", password="x"),
        Content_Type=FORM,
    )
    assert (wrong.status, wrong.body["errorType"]) == (
        "FAILURE",
        "AUTHENTICATION_FAILED",
    )


async def test_a_query_and_its_pages(client: JavaClient) -> None:
    rows = [{"name__v": f"java {n}", "key__c": f"JQ-{n}"} for n in range(5)]
    create = raw(JSON, json.dumps(rows))
    succeeded(
        await client.send(
            "POST", "/vobjects/thing__c", create, Content_Type=JSON, Accept=JSON
        )
    )
    text = "SELECT id, name__v, amount__c, created_by__v FROM thing__c WHERE key__c LIKE 'JQ-%' PAGESIZE 2"
    headers = {"X_VaultAPI_DescribeQuery": "true", "X_VaultAPI_RecordProperties": "all"}
    described: Types = {
        **{f"queryDescribe.fields[].{name}": kind for name, kind in FIELD.items()},
        "queryDescribe.object.name": str,
        **dict.fromkeys(("record_properties[].id", "data[].id"), str),
        **dict.fromkeys(
            (
                f"record_properties[].{name}"
                for name in ("field_properties", "permissions", "field_additional_data")
            ),
            dict,
        ),
        "record_properties[].field_properties.hidden": list,
    }
    page = succeeded(
        await client.send("POST", "/query", form(q=text), Content_Type=FORM, **headers),
        DETAILS,
        described,
    )
    assert all(
        properties["field_additional_data"]
        for properties in page.body["record_properties"]
    )
    seen = []
    while True:
        details = page.body["responseDetails"]
        seen += [row["id"] for row in page.data]
        assert (
            details["size"] != details["total"]
        ) is True  # how the client knows that there are pages
        if "next_page" not in details:
            break
        assert details["next_page"].startswith("/api/v24.3/query/")
        page = succeeded(await client.send("GET", details["next_page"]), DETAILS)
    assert len(set(seen)) == len(seen) == 5
    refused = await client.send("POST", "/query", form(q="SELECT"), Content_Type=FORM)
    assert (refused.status, refused.error) == (
        "FAILURE",
        "INCORRECT_QUERY_SYNTAX_ERROR",
    )


async def test_records(client: JavaClient) -> None:
    as_always = {"Accept": JSON, "X_VaultAPI_MigrationMode": "false"}
    text = "name__v,key__c\nby csv,JR-1\nby csv,JR-2\n"
    created = succeeded(
        await client.send("POST", "/vobjects/thing__c", raw(CSV, text), **as_always),
        ROWS,
    )
    ids = created.ids
    record = succeeded(await client.send("GET", f"/vobjects/thing__c/{ids[0]}"), RECORD)
    assert record.data["name__v"] == "by csv"
    upsert = Body(b'[{"key__c":"JR-1","note__c":"again"}]', JSON)
    upserted = await client.send(
        "POST", "/vobjects/thing__c?idParam=key__c", upsert, **as_always
    )
    assert succeeded(upserted, ROWS).data[0]["data"]["event"] == "updated__sys"
    # A map of fields goes as a form; the answer's object stands for a list of one.
    single = await client.send(
        "POST",
        "/vobjects/thing__c",
        form(name__v="one", key__c="JR-3"),
        Content_Type=JSON,
        **as_always,
    )
    assert succeeded(single).data["event"] == "created__sys"
    update = raw(JSON, json.dumps([{"id": each, "note__c": "changed"} for each in ids]))
    succeeded(await client.send("PUT", "/vobjects/thing__c", update, **as_always), ROWS)
    binary = await client.send(
        "PUT", "/vobjects/thing__c", raw(CSV, f"id,note__c\n{ids[0]},c\n"), Accept=CSV
    )
    assert binary.text.startswith("responseStatus,id,")
    listed = await client.send("GET", "/vobjects/thing__c?fields=id%2Cname__v")
    assert succeeded(
        listed, DETAILS, {"data[].id": str, "responseDetails.object.name": str}
    ).data
    delete = raw(CSV, "id\n" + "\n".join([*ids, single.data["id"]]) + "\n")
    succeeded(
        await client.send("DELETE", "/vobjects/thing__c", delete, **as_always), ROWS
    )
    deleted = await client.send(
        "GET",
        "/objects/deletions/vobjects/thing__c?start_date=2020-01-01T00%3A00%3A00Z",
    )
    assert {
        row["id"]
        for row in succeeded(deleted, DETAILS, {"data[].date_deleted": str}).data
    } >= set(ids)
    limits: Types = {
        "data[].name": str,
        "data[].remaining": Integer,
        "data[].max": Integer,
    }
    succeeded(await client.send("GET", "/limits"), limits)


async def test_record_jobs(client: JavaClient) -> None:
    body = raw(
        JSON,
        json.dumps(
            [
                {"name__v": "owner", "key__c": "JJ-1"},
                {"name__v": "owner", "key__c": "JJ-2"},
            ]
        ),
    )
    ids = (await client.send("POST", "/vobjects/owner__c", body, Accept=JSON)).ids
    copy = raw(JSON, json.dumps([{"key__c": "JJ-3"}]))
    for path, content in (("deepcopy", copy), ("cascadedelete", Body())):
        started = await client.send(
            "POST",
            f"/vobjects/owner__c/{ids[0]}/actions/{path}",
            content,
            Content_Type=JSON,
        )
        job_id = succeeded(started, JOB_CREATED).body["job_id"]
        assert await finished(client, job_id) == "SUCCESS"
        results = await client.send(
            "GET", f"/vobjects/{path}/results/owner__c/success/{job_id}", Accept=CSV
        )
        assert results.text.count("\n") == 2


async def test_users_and_groups(client: JavaClient) -> None:
    succeeded(await client.send("GET", "/objects/users?vaults=all"), USER)
    user = await client.send(
        "GET",
        "/objects/users/me?exclude_vault_membership=false&exclude_app_licensing=false",
    )
    own = succeeded(user, USER).body["users"][0]["user"]["id"]
    properties: Types = {
        "properties[].name": str,
        "properties[].length": Integer,
        "properties[].required": bool,
    }
    succeeded(await client.send("GET", "/metadata/objects/users"), properties)
    succeeded(await client.send("GET", "/metadata/objects/groups"), properties)
    permissions: Types = {"data[].name__v": str, "data[].permissions": dict}
    succeeded(
        await client.send("GET", f"/objects/users/{own}/permissions", Accept=JSON),
        permissions,
    )
    fields = form(label__v="Java", members__v=str(own), active__v="true")
    group = succeeded(
        await client.send("POST", "/objects/groups", fields, Accept=JSON), {"id": Long}
    ).body["id"]
    succeeded(await client.send("GET", "/objects/groups?includeImplied=true"), GROUP)
    succeeded(await client.send("GET", f"/objects/groups/{group}"), GROUP)
    succeeded(
        await client.send(
            "PUT", f"/objects/groups/{group}", form(group_description__v="Beans")
        ),
        {"id": Long},
    )
    succeeded(
        await client.send("DELETE", f"/objects/groups/{group}", Body()), {"id": Long}
    )


async def test_queues(client: JavaClient) -> None:
    listed = succeeded(
        await client.send("GET", "/services/queues", Accept=JSON, Content_Type=JSON),
        QUEUE,
    )
    assert isinstance(listed.data, list)
    assert isinstance(
        succeeded(
            await client.send("GET", "/services/queues/out__c", Accept=JSON), QUEUE
        ).data,
        list,
    )
    for action in ("disable_delivery", "enable_delivery", "reset"):
        path = f"/services/queues/out__c/actions/{action}"
        succeeded(
            await client.send("PUT", path, Body(), Accept=JSON, Content_Type=JSON)
        )


async def test_jobs(client: JavaClient) -> None:
    for listed in (
        "histories?limit=2&offset=0&status=success%2Cerrors_encountered",
        "monitors?limit=2",
    ):
        succeeded(await client.send("GET", f"/services/jobs/{listed}"), DETAILS, JOB)


async def test_audit(client: JavaClient) -> None:
    succeeded(await client.send("GET", "/metadata/audittrail"), AUDIT)
    fields: Types = {
        "data.name": str,
        "data.fields[].name": str,
        "data.fields[].type": str,
    }
    for trail in (
        "object_audit_trail",
        "system_audit_trail",
        "domain_audit_trail",
        "login_audit_trail",
    ):
        succeeded(await client.send("GET", f"/metadata/audittrail/{trail}"), fields)
        succeeded(
            await client.send("GET", f"/audittrail/{trail}?all_dates=true&limit=5"),
            AUDIT,
        )


async def test_what_it_may_ask_for_in_vain(client: JavaClient) -> None:
    for method, path in (
        ("POST", "/objects/vault/actions/compare"),
        ("POST", "/objects/vault/actions/configreport"),
        ("GET", "/objects/sandbox"),
        ("GET", "/logs/code/debug"),
        ("PUT", "/code/com.example.Thing/enable"),
    ):
        refused = await client.send(
            method,
            path,
            form(vault_id="1") if method == "POST" else Body(),
            Accept=JSON,
        )
        assert (refused.http_status, refused.status) == (200, "FAILURE")
        assert refused.error in (
            "MALFORMED_URL",
            "METHOD_NOT_SUPPORTED",
            "OPERATION_NOT_ALLOWED",
        ), path

"""The vendor's Java client: its requests, form by form, over TLS; its models can hold what is answered."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator

import aiohttp
import pytest
import uvicorn

from local.polling import answers_within, holds_within
from local.tls import LocalTls
from shared.runtime.process import KEEP_ALIVE_SECONDS
from shared.vault.assembly.vault import Vault
from shared.vault.process.application import create_app
from tests.service.vault.java_client import (
    CSV,
    FORM,
    JSON,
    MULTIPART,
    Body,
    Integer,
    JavaClient,
    Long,
    Types,
    form,
    misfits,
    raw,
)
from tests.service.vault.java_client import file as a_file
from tests.service.vault.served import PASSWORD, USERNAMES, Answer, Api
from tests.unit.packages.building import component_files, vpk

ERRORS: Types = {
    "responseStatus": str,
    "responseMessage": str,
    "errors[].type": str,
    "errors[].message": str,
}
JOB_CREATED: Types = {"job_id": Integer, "url": str}
RECORD: Types = {
    "data.id": str,
    "data.name__v": str,
    "data.status__v": list,
    "data.state__v": list,
    "data.lifecycle__v": list,
    "data.created_by__v": Integer,
    "data.modified_by__v": Integer,
    "data.created_date__v": str,
    "data.global_id__sys": str,
}
ROWS: Types = {
    "data[].responseStatus": str,
    "data[].data.id": str,
    "data[].data.url": str,
    "data[].errors": list,
}
JOB: Types = {
    f"{head}{name}": kind
    for head in ("data.", "jobs[].")
    for name, kind in {
        **dict.fromkeys(("id", "job_id", "created_by", "modified_by"), Integer),
        **dict.fromkeys(
            (
                "status",
                "title",
                "method",
                "created_date",
                "run_start_date",
                "run_end_date",
            ),
            str,
        ),
        "links": list,
    }.items()
}
DETAILS: Types = {
    f"responseDetails.{name}": kind
    for name, kind in {
        **dict.fromkeys(
            ("pagesize", "pageoffset", "size", "total", "limit", "offset"), Integer
        ),
        **dict.fromkeys(("next_page", "previous_page", "url"), str),
    }.items()
}
FIELD = {
    **dict.fromkeys(
        (
            "name",
            "label",
            "type",
            "source",
            "picklist",
            "relationship_type",
            "help_content",
        ),
        str,
    ),
    **dict.fromkeys(
        (
            "required",
            "unique",
            "editable",
            "encrypted",
            "facetable",
            "list_column",
            "multi_value",
        ),
        bool,
    ),
    **dict.fromkeys(
        ("max_length", "scale", "order", "created_by", "modified_by"), Integer
    ),
    "status": list,
}
OBJECT: Types = {
    **{
        f"object.{name}": kind
        for name, kind in {
            **dict.fromkeys(
                (
                    "name",
                    "label",
                    "label_plural",
                    "prefix",
                    "description",
                    "object_class",
                    "source",
                ),
                str,
            ),
            **dict.fromkeys(
                (
                    "allow_attachments",
                    "auditable",
                    "in_menu",
                    "system_managed",
                    "dynamic_security",
                ),
                bool,
            ),
            **dict.fromkeys(("order", "created_by", "modified_by"), Integer),
            **dict.fromkeys(
                ("status", "available_lifecycles", "object_types", "relationships"),
                list,
            ),
            "urls": dict,
        }.items()
    },
    **{f"object.fields[].{name}": kind for name, kind in FIELD.items()},
    "object.relationships[].object.name": str,
}
USER: Types = {
    f"users[].user.{name}": kind
    for name, kind in {
        **dict.fromkeys(
            (
                "id",
                "domain_id__v",
                "security_policy_id__v",
                "created_by__v",
                "modified_by__v",
            ),
            Integer,
        ),
        **dict.fromkeys(
            (
                "user_name__v",
                "user_email__v",
                "last_login__v",
                "security_profile__v",
                "license_type__v",
            ),
            str,
        ),
        **dict.fromkeys(("active__v", "domain_active__v", "is_domain_admin__v"), bool),
        **dict.fromkeys(("vault_id__v", "group_id__v"), list),
    }.items()
}
GROUP: Types = {
    f"groups[].group.{name}": kind
    for name, kind in {
        **dict.fromkeys(
            ("name__v", "label__v", "type__v", "group_description__v"), str
        ),
        **dict.fromkeys(("active__v", "editable__v", "system_group__v"), bool),
        **dict.fromkeys(("members__v", "security_profiles__v"), list),
        **dict.fromkeys(("created_by__v", "modified_by__v"), Integer),
        "id": Long,
    }.items()
}
QUEUE: Types = {
    **dict.fromkeys(
        (
            "data[].name",
            "data[].status",
            "data[].type",
            "data[].url",
            "data[].delivery",
        ),
        str,
    ),
    "data[].messages_in_queue": Integer,
    "data[].connections[].name": str,
    "data[].connections[].last_message_delivered": str,
    "data[].connections[].error": dict,
}
PACKAGE: Types = {
    **dict.fromkeys(
        (
            f"responseDetails.{name}"
            for name in ("author", "package_name", "package_status")
        ),
        str,
    ),
    "responseDetails.total_steps": Integer,
    "responseDetails.package_steps": list,
}
STAGED: Types = {
    **dict.fromkeys(
        (
            "data.path",
            "data.name",
            "data.id",
            "data.file_content_md5",
            "data.expiration_date",
        ),
        str,
    ),
    **dict.fromkeys(
        ("data.uploaded_parts", "data.owner", "data.job_id", "data.part_number"),
        Integer,
    ),
    **dict.fromkeys(("data.size", "data.uploaded"), Long),
    "data.overwrite": bool,
}
ATTACHMENT: Types = {
    **dict.fromkeys(
        (f"data[].{name}" for name in ("id", "version__v", "size__v", "created_by__v")),
        Integer,
    ),
    **dict.fromkeys(
        (f"data[].{name}" for name in ("filename__v", "format__v", "md5checksum__v")),
        str,
    ),
    **dict.fromkeys(
        (f"data[].{name}" for name in ("external_id__v", "created_date__v")), str
    ),
    "data[].versions[].version__v": Integer,
    "data[].versions[].url": str,
}
AUDIT: Types = {
    **DETAILS,
    "data[].id": str,
    "data[].timestamp": str,
    "data[].user_name": str,
    "audittrails[].name": str,
}


@pytest.fixture(scope="module")
async def client(
    vault: Vault, api: Api, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[JavaClient]:
    """The client, signed in by name and password to the started Vault's second port, which speaks TLS."""
    files = LocalTls(tmp_path_factory.mktemp("tls"))
    files.ensure()
    config = uvicorn.Config(
        create_app(vault), port=0, log_config=None, access_log=False, lifespan="off"
    )
    config.timeout_keep_alive = KEEP_ALIVE_SECONDS
    config.ssl_certfile, config.ssl_keyfile = str(files.certificate), str(files.key)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        assert await holds_within(30, lambda: server.started or serving.done())
        dns = f"localhost:{server.servers[0].sockets[0].getsockname()[1]}"
        trust = ssl.create_default_context(cafile=str(files.ca_file))
        async with aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=30)
        ) as http:
            made = JavaClient(http, trust, dns)
            fields = form(username=USERNAMES["admin"], password=PASSWORD, vaultDNS=dns)
            answer = await made.send(
                "POST", "/auth", fields, Content_Type=FORM, Accept=JSON
            )
            types: Types = {
                **dict.fromkeys(("userId", "vaultId", "vaultIds[].id"), Integer),
                **dict.fromkeys(
                    ("sessionId", "vaultIds[].name", "vaultIds[].url"), str
                ),
            }
            assert misfits(answer.body, types) == []
            # The session is refused by the client unless this is the Vault that it asked for.
            (own,) = [
                each
                for each in answer.body["vaultIds"]
                if each["id"] == answer.body["vaultId"]
            ]
            assert own["url"] == f"https://{dns}/api"
            made.session_id = answer.body["sessionId"]
            yield made
    finally:
        server.should_exit = True
        await serving


def succeeded(answer: Answer, *types: Types) -> Answer:
    """Exactly SUCCESS, no list of errors, and members of the types declared."""
    assert answer.http_status == 200
    assert (answer.status, answer.body.get("errors")) == ("SUCCESS", None), answer.text
    assert [
        misfit for table in (ERRORS, *types) for misfit in misfits(answer.body, table)
    ] == []
    return answer


async def finished(client: JavaClient, job_id: int) -> str:
    """The status of a job that has ended."""

    async def running() -> str | None:
        answer = succeeded(await client.send("GET", f"/services/jobs/{job_id}"), JOB)
        return (
            None
            if answer.data["status"] not in ("QUEUED", "RUNNING")
            else str(answer.data["status"])
        )

    assert await answers_within(60, running) is None
    return str((await client.send("GET", f"/services/jobs/{job_id}")).data["status"])


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


async def test_attachments(client: JavaClient) -> None:
    script = raw(
        "text/plain",
        "RECREATE Object java_file__c (label('File'), prefix('ZJF'), allow_attachments(true));",
    )
    succeeded(
        await client.send(
            "POST", "/api/mdl/execute", script, Content_Type=JSON, Accept=JSON
        )
    )
    body = raw(JSON, json.dumps([{"name__v": "a"}, {"name__v": "b"}]))
    record, other = (
        await client.send("POST", "/vobjects/java_file__c", body, Accept=JSON)
    ).ids
    path = f"/vobjects/java_file__c/{record}/attachments"
    numbers: Types = {"data.id": Integer, "data.version__v": Integer}
    succeeded(
        await client.send(
            "POST", path, a_file(b"one", "plan.txt"), Content_Type=MULTIPART
        ),
        numbers,
    )
    added = await client.send(
        "POST", path, a_file(b"two", "plan.txt"), Content_Type=MULTIPART
    )
    one = succeeded(added, numbers).data
    for shown in (
        path,
        f"{path}/{one['id']}",
        f"{path}/{one['id']}/versions",
        f"{path}/{one['id']}/versions/1",
    ):
        succeeded(await client.send("GET", shown), ATTACHMENT)
    assert (await client.send("GET", f"{path}/{one['id']}/file")).text == "two"
    assert (
        await client.send("GET", f"{path}/{one['id']}/versions/1/file")
    ).text == "one"
    # An empty form-encoded body, as its POST and DELETE without parameters are.
    restored = await client.send(
        "POST", f"{path}/{one['id']}/versions/1?restore=true", form()
    )
    assert succeeded(restored, {"data.id": Integer}).data == {
        "id": one["id"],
        "version__v": 3,
    }
    described = form(description__v="the first again")
    succeeded(
        await client.send("PUT", f"{path}/{one['id']}", described, Content_Type=FORM)
    )
    succeeded(await client.send("DELETE", f"{path}/{one['id']}/versions/1", Body()))
    staged = a_file(
        b"three", "three.txt", kind="file", path="/three.txt", overwrite="true"
    )
    succeeded(
        await client.send(
            "POST", "/services/file_staging/items", staged, Content_Type=MULTIPART
        ),
        STAGED,
    )
    batch = "/vobjects/java_file__c/attachments/batch"
    csv = raw(
        CSV, f"id,filename__v,file,external_id__v\n{other},three.txt,/three.txt,J-1\n"
    )
    rows = succeeded(
        await client.send("POST", batch, csv, Content_Type=CSV, Accept=JSON), ATTACHMENT
    )
    key = f"{other},{rows.data[0]['id']}"
    update = raw(CSV, f"id,attachment_id,description__v\n{key},described\n")
    succeeded(
        await client.send("PUT", batch, update, Content_Type=CSV, Accept=JSON),
        ATTACHMENT,
    )
    delete = raw(CSV, f"id,attachment_id\n{key}\n")
    succeeded(
        await client.send("DELETE", batch, delete, Content_Type=CSV, Accept=JSON),
        ATTACHMENT,
    )
    succeeded(await client.send("DELETE", f"{path}/{one['id']}", Body()))
    assert succeeded(await client.send("GET", path)).data == []


async def test_attachment_fields(client: JavaClient) -> None:
    script = "RECREATE Object java_scan__c (label('S'), prefix('ZJS'), Field a__c (label('A'), type('Attachment')));"
    succeeded(
        await client.send(
            "POST",
            "/api/mdl/execute",
            raw("text/plain", script),
            Content_Type=JSON,
            Accept=JSON,
        )
    )
    created = await client.send(
        "POST", "/vobjects/java_scan__c", raw(JSON, '[{"name__v": "a"}]'), Accept=JSON
    )
    path = f"/vobjects/java_scan__c/{created.ids[0]}/attachment_fields"
    put = await client.send(
        "POST", f"{path}/a__c/file", a_file(b"one", "plan.txt"), Content_Type=MULTIPART
    )
    assert succeeded(put, ROWS).ids == created.ids
    assert (await client.send("GET", f"{path}/a__c/file")).text == "one"


async def test_metadata(client: JavaClient) -> None:
    for name in ("thing__c", "case_request__v", "user__sys"):
        succeeded(
            await client.send("GET", f"/metadata/vobjects/{name}", Accept=JSON), OBJECT
        )
    field = await client.send(
        "GET", "/metadata/vobjects/thing__c/fields/key__c?loc=true", Accept=JSON
    )
    succeeded(field, {f"field.{name}": kind for name, kind in FIELD.items()})
    types: Types = {
        "data[].name": str,
        "data[].class": str,
        "data[].active": bool,
        "data[].abbreviation": str,
    }
    succeeded(await client.send("GET", "/metadata/components", Accept=JSON), types)
    attributes: Types = {
        "data.attributes[].name": str,
        "data.sub_components": list,
        "data.attributes[].editable": bool,
    }
    succeeded(
        await client.send("GET", "/metadata/components/Picklist", Accept=JSON),
        attributes,
    )
    succeeded(
        await client.send("GET", "/configuration/Objecttype", Accept=JSON),
        {"data[].name": str, "data[].active": bool},
    )
    single = await client.send(
        "GET", "/configuration/Objecttype.kind__c.good__c", Accept=JSON
    )
    succeeded(
        single,
        {
            "data.type_fields[].name": str,
            "data.type_fields[].required": bool,
            "data.label": str,
        },
    )


async def test_mdl(client: JavaClient) -> None:
    script = raw("text/plain", "RECREATE Picklist by_java__c ( label('By Java') );")
    done = await client.send(
        "POST", "/api/mdl/execute", script, Content_Type=JSON, Accept=JSON
    )
    assert succeeded(done).body["script_execution"]["code"] == "GEN-S-0"
    # The client's own spelling of the address.
    submitted = await client.send(
        "POST", "/api/mdl/execute_asyc", script, Content_Type=JSON, Accept=JSON
    )
    assert (
        await finished(client, succeeded(submitted, JOB_CREATED).body["job_id"])
        == "SUCCESS"
    )
    text = await client.send(
        "GET", "/api/mdl/components/Picklist.by_java__c", Accept=JSON
    )
    assert text.text.startswith("RECREATE Picklist by_java__c")
    body = a_file(b"<svg/>", "logo.svg")
    # It puts the address of its constants behind an address that ends with /api already.
    uploaded = await client.send(
        "POST", "/api/api/mdl/files", body, Accept="text/plain"
    )
    succeeded(
        uploaded, {"data.name__v": str, "data.format__v": str, "data.size__v": Integer}
    )
    succeeded(
        await client.send(
            "GET", "/api/mdl/components/Picklist.by_java__c/files", Accept="text/plain"
        )
    )


async def test_picklists(client: JavaClient) -> None:
    values: Types = {"picklistValues[].name": str, "picklistValues[].label": str}
    every: Types = {
        "picklists[].name": str,
        "picklists[].kind": str,
        "picklists[].usedIn": list,
    }
    script = "RECREATE Picklist java_colour__c ( label('Colour'), Picklistentry red__c ( label('Red') ) );"
    content = raw("text/plain", script)
    types = {"Content_Type": JSON, "Accept": JSON}
    succeeded(await client.send("POST", "/api/mdl/execute", content, **types))
    succeeded(await client.send("GET", "/objects/picklists"), every)
    succeeded(await client.send("GET", "/objects/picklists/java_colour__c"), values)
    made = await client.send(
        "POST", "/objects/picklists/java_colour__c", form(value_1="Java Green")
    )
    assert succeeded(made, values).body["picklistValues"][0]["name"] == "java_green__c"
    succeeded(
        await client.send(
            "PUT",
            "/objects/picklists/java_colour__c",
            form(java_green__c="Green of Java"),
        ),
        values,
    )
    succeeded(
        await client.send(
            "PUT",
            "/objects/picklists/java_colour__c/java_green__c",
            form(name="java_moss"),
        ),
        {"name": str},
    )
    succeeded(
        await client.send(
            "DELETE", "/objects/picklists/java_colour__c/java_moss__c", Body()
        ),
        {"name": str},
    )


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


async def test_files_and_loads(client: JavaClient) -> None:
    staging = "/services/file_staging"
    # The client says multipart here; a form without a file is sent URL-encoded all the same.
    folder = await client.send(
        "POST",
        f"{staging}/items",
        form(kind="folder", path="/java"),
        Content_Type=MULTIPART,
    )
    succeeded(folder, STAGED)
    rows = a_file(
        b"key__c,name__v\nJL-1,loaded\nJL-2,\n",
        "rows.csv",
        kind="file",
        path="/java/rows.csv",
        overwrite="true",
    )
    succeeded(
        await client.send("POST", f"{staging}/items", rows, Content_Type=MULTIPART),
        STAGED,
    )
    items: Types = {
        "data[].kind": str,
        "data[].path": str,
        "data[].name": str,
        "data[].size": Long,
    }
    succeeded(
        await client.send("GET", f"{staging}/items/java?recursive=true&limit=10"), items
    )
    content = await client.send(
        "GET", f"{staging}/items/content/java/rows.csv", Range="bytes=0-5"
    )
    assert (content.http_status, content.text) == (206, "key__c")
    task = {
        "object_type": "vobjects__v",
        "object": "thing__c",
        "action": "upsert",
        "file": "/java/rows.csv",
        "idparam": "key__c",
    }
    loaded = await client.send(
        "POST",
        "/services/loader/load?sendNotification=false",
        raw(JSON, json.dumps([task])),
        Accept=JSON,
    )
    job_id = succeeded(
        loaded, JOB_CREATED, {"tasks[].task_id": str, "tasks[].object": str}
    ).body["job_id"]
    assert await finished(client, job_id) == "ERRORS_ENCOUNTERED"
    for log, line in (("successlog", "JL-1"), ("failurelog", "JL-2")):
        text = await client.send(
            "GET",
            f"/services/loader/{job_id}/tasks/1/{log}",
            Content_Type=JSON,
            Accept=CSV,
        )
        assert line in text.text
    renamed = await client.send(
        "PUT",
        f"{staging}/items/java/rows.csv",
        form(name="old.csv"),
        Content_Type=MULTIPART,
    )
    assert (
        await finished(client, succeeded(renamed, STAGED).data["job_id"]) == "SUCCESS"
    )
    session = await client.send(
        "POST",
        f"{staging}/upload",
        form(path="/java/big.txt", size="6", overwrite="true"),
    )
    upload = f"{staging}/upload/{succeeded(session, STAGED).data['id']}"
    headers = {
        "Content_Type": "application/octet-stream",
        "X_VaultAPI_FilePartNumber": "1",
    }
    succeeded(await client.send("PUT", upload, Body(b"abcdef"), **headers), STAGED)
    succeeded(await client.send("GET", upload), STAGED)
    succeeded(
        await client.send("GET", f"{upload}/parts"),
        {"data[].part_number": Integer, "data[].size": Long},
    )
    committed = succeeded(await client.send("POST", upload, Body()), STAGED)
    assert await finished(client, committed.data["job_id"]) == "SUCCESS"
    gone = succeeded(
        await client.send("DELETE", f"{staging}/items/java?recursive=true", Body()),
        STAGED,
    )
    assert await finished(client, gone.data["job_id"]) == "SUCCESS"


async def test_jobs(client: JavaClient) -> None:
    for listed in (
        "histories?limit=2&offset=0&status=success%2Cerrors_encountered",
        "monitors?limit=2",
    ):
        succeeded(await client.send("GET", f"/services/jobs/{listed}"), DETAILS, JOB)


async def test_packages(client: JavaClient) -> None:
    package = vpk(
        component_files(
            10,
            "Picklist.java_beans__c",
            "RECREATE Picklist java_beans__c ( label('Beans') );",
        )
    )
    validate = "/services/package/actions/validate"
    succeeded(
        await client.send(
            "POST", validate, a_file(package, "a.vpk"), Content_Type=MULTIPART
        ),
        PACKAGE,
    )
    imported = await client.send(
        "PUT", "/services/package", a_file(package, "a.vpk"), Content_Type=MULTIPART
    )
    job = succeeded(imported, JOB_CREATED).body["job_id"]
    assert await finished(client, job) == "SUCCESS"
    links = (await client.send("GET", f"/services/jobs/{job}")).data["links"]
    results = await client.send(
        "GET", next(link["href"] for link in links if link["rel"] == "artifacts")
    )
    package_id = results.body["vaultPackage"]["id"]
    again = f"/services/vobject/vault_package_v/{package_id}/actions/validate"  # as the client spells it
    succeeded(
        await client.send("POST", again, Body(), Accept=JSON, Content_Type=JSON),
        PACKAGE,
    )
    deploy = f"/vobject/vault_package__v/{package_id}/actions/deploy"
    assert (
        await finished(
            client,
            succeeded(await client.send("POST", deploy), JOB_CREATED).body["job_id"],
        )
        == "SUCCESS"
    )
    deployed: Types = {
        "responseDetails.total_steps": Integer,
        "responseDetails.deployed": Integer,
        "package_steps[].id": str,
    }
    assert succeeded(await client.send("GET", f"{deploy}/results"), deployed).body[
        "package_steps"
    ]


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
        ("GET", "/services/loader/1/tasks/1/results/renditions"),
        ("PUT", "/code/com.example.Thing/enable"),
    ):
        refused = await client.send(
            method,
            path,
            form(vault_id="1") if method == "POST" else Body(),
            Accept=JSON,
        )
        assert (refused.http_status, refused.status) == (200, "FAILURE")
        assert refused.error in ("MALFORMED_URL", "METHOD_NOT_SUPPORTED"), path

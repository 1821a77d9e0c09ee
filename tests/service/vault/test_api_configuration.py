"""Metadata, MDL and queues through the public API."""

from __future__ import annotations

import pytest

from shared.vault.assembly.vault import Vault
from tests.service.vault.served import Api

QUEUE = "counted_out__c"


@pytest.fixture
async def queue(admin: Api) -> str:
    """A queue that no other module sends messages to."""
    connection = "Queueconnection medical_crm__v ( connection_name('medical_crm__v'), deliver_to_queue('in__c') )"
    mdl = (
        f"RECREATE Queue {QUEUE} ( label('Counted'), type('outbound'), {connection} );"
    )
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status == "SUCCESS", answer.text
    return QUEUE


async def test_objects(admin: Api, user: Api) -> None:
    names = {o["name"] for o in (await admin.get("/metadata/vobjects")).body["objects"]}
    assert {"thing__c", "case__v", "connection__sys"} <= names
    seen = {o["name"] for o in (await user.get("/metadata/vobjects")).body["objects"]}
    assert "case__v" in seen
    assert "connection__sys" not in seen


async def test_one_object_and_one_field(integration: Api) -> None:
    target = (await integration.get("/metadata/vobjects/thing__c?loc=true")).body[
        "object"
    ]
    assert (target["prefix"], target["available_lifecycles"]) == (
        "ZTH",
        ["thing_lifecycle__c"],
    )
    field = (await integration.get("/metadata/vobjects/thing__c/fields/key__c")).body[
        "field"
    ]
    assert (field["type"], field["unique"], field["max_length"]) == ("String", True, 40)
    assert field in target["fields"]
    assert (
        await integration.get("/metadata/vobjects/thing__c/fields/nothing__c")
    ).error == "INVALID_DATA"
    assert (
        await integration.get("/metadata/vobjects/nothing__c")
    ).error == "INVALID_DATA"


async def test_attributes_of_fields_and_types_in_mdl_are_returned(admin: Api) -> None:
    field = "Field code__c ( type('String'), label('Code'), encrypted(true), format_mask('Upper(text)') )"
    mdl = f"""RECREATE Object told__c ( label('Told'), prefix('ZTL'), allow_types(true), {field} );
        RECREATE Objecttype told__c.story__c ( label('Story'), label_plural('Stories') );"""
    answer = await admin.post("/api/mdl/execute", data=mdl)
    assert answer.status != "FAILURE", answer.text
    (warning,) = answer.body["statement_execution"][0]["warnings"]
    assert "Field code__c encrypted, Field code__c format_mask" in warning["message"]
    shown = (await admin.get("/configuration/Object.told__c")).data
    assert (shown["audit"], shown["in_menu"], shown["search"]) == (True, True, True)
    assert shown["Field"][0]["editable"] is True
    types = (await admin.get("/metadata/vobjects/told__c")).body["object"][
        "object_types"
    ]
    assert ("Story", "Stories") in {
        (each["label"], each["label_plural"]) for each in types
    }
    described = {"X-VaultAPI-DescribeQuery": "true"}
    answer = await admin.query(
        "SELECT id, name__v, code__c FROM told__c", headers=described
    )
    _, name, code = answer.body["queryDescribe"]["fields"]
    assert (code["encrypted"], code["format_mask"]) == (True, "Upper(text)")
    assert not {"encrypted", "format_mask"} & name.keys()


async def test_component_types(integration: Api) -> None:
    types = {t["name"]: t for t in (await integration.get("/metadata/components")).data}
    assert {
        "Object",
        "Picklist",
        "Objecttype",
        "Objectlifecycle",
        "Queue",
        "Integrationrule",
    } <= set(types)
    rule = (await integration.get(types["Integrationrule"]["url"])).data
    assert "Fieldrule" in {sub["name"] for sub in rule["sub_components"]}
    assert (
        await integration.get("/metadata/components/Nothing")
    ).error == "INVALID_DATA"


async def test_configuration(integration: Api, admin: Api) -> None:
    entries = "Picklistentry warm__c ( label('Warm') ), Picklistentry cold__c ( label('Cold') )"
    mdl = f"RECREATE Picklist shade__c ( label('Shade'), {entries} );"
    assert (await admin.post("/api/mdl/execute", data=mdl)).status == "SUCCESS"
    listed = (await integration.get("/configuration/Picklist")).data
    single = (await integration.get("/configuration/Picklist.shade__c")).data
    assert single in listed
    names = [entry["name"] for entry in single["Picklistentry"]]
    assert names == ["warm__c", "cold__c"]
    assert (
        await integration.get("/configuration/Picklist.nothing__c")
    ).error == "INVALID_DATA"
    assert (await integration.get("/configuration/Nothing")).error == "INVALID_DATA"
    types = await integration.get("/configuration/Objecttype?loc=true")
    count = len(types.data)
    assert types.body["responseDetails"] == {"size": count, "total": count}
    for each in types.data:
        assert each["localized_data"]["label"] == {"en": each["label"]}
    plain = (await integration.get("/configuration/Objecttype")).data
    assert all("localized_data" not in each for each in plain)


@pytest.mark.parametrize("path", ["/api/mdl/execute", "/api/v25.1/api/mdl/execute"])
@pytest.mark.parametrize(
    "content_type", ["application/json", "text/plain; charset=utf-8", "text/csv"]
)
async def test_mdl_under_any_content_type(
    admin: Api, path: str, content_type: str
) -> None:
    text = "RECREATE Picklist shape__c ( label('Shape'), Picklistentry round__c ( label('Round') ) );"
    answer = await admin.post(path, data=text, headers={"Content-Type": content_type})
    assert answer.status == "SUCCESS"
    assert answer.body["script_execution"]["components_affected"] == 1
    assert answer.body["statement_execution"][0]["response"] == "SUCCESS"


async def test_a_component_as_mdl_is_executable(admin: Api) -> None:
    answer = await admin.get("/api/mdl/components/Object.thing__c")
    assert answer.headers["Content-Type"].startswith("text/plain")
    assert answer.text.startswith("RECREATE Object thing__c")
    assert (await admin.post("/api/mdl/execute", data=answer.text)).status == "SUCCESS"
    assert (
        await admin.get("/api/mdl/components/Object.nothing__c")
    ).error == "INVALID_DATA"


async def test_a_refused_statement_is_named(admin: Api) -> None:
    answer = await admin.post("/api/mdl/execute", data="DROP Object nothing__c;")
    assert (answer.http_status, answer.status, answer.error) == (
        200,
        "FAILURE",
        "INVALID_DATA",
    )
    statement = answer.body["statement_execution"][0]
    assert (statement["component"], statement["response"]) == (
        "Object.nothing__c",
        "FAILURE",
    )
    assert statement["errors"][0]["line"] == 1


@pytest.mark.parametrize("body", [b"not MDL at all", b"\xff\xfe"])
async def test_text_that_is_no_mdl(admin: Api, body: bytes) -> None:
    assert (await admin.post("/api/mdl/execute", data=body)).error == "INVALID_DATA"


# Large bytes are what is refused here.
@pytest.mark.filterwarnings(
    "ignore:Sending a large body directly with raw bytes:ResourceWarning"
)
async def test_an_mdl_script_above_five_megabytes(admin: Api) -> None:
    assert (
        await admin.post("/api/mdl/execute", data=b" " * (5 * 2**20 + 1))
    ).error == "EXCEEDS_FILE_MAX_SIZE"


async def test_queues(integration: Api, queue: str) -> None:
    queues = {q["name"]: q for q in (await integration.get("/services/queues")).data}
    listed = queues[queue]
    assert (listed["status"], listed["type"]) == ("active", "outbound")
    assert listed["url"] == f"{integration.url}/api/v25.1/services/queues/{queue}"
    (shown,) = (await integration.get(f"/services/queues/{queue}")).data
    assert (shown["delivery"], shown["messages_in_queue"]) == ("enabled", 0)
    assert shown["connections"] == [
        {"name": "medical_crm__v", "last_message_delivered": "ok"}
    ]
    assert (
        await integration.get("/services/queues/nothing__c")
    ).error == "INVALID_DATA"


async def test_delivery_and_reset(admin: Api, vault: Vault, queue: str) -> None:
    path = f"/services/queues/{queue}"
    headers = {"Content-Type": "application/json"}
    assert (
        await admin.put(f"{path}/actions/disable_delivery", headers=headers)
    ).body == {"responseStatus": "SUCCESS"}
    assert (await admin.get(path)).data[0]["delivery"] == "disabled"
    async with vault.database.connection() as connection:
        await connection.execute(
            "INSERT INTO platform.outbox (queue, direction, message_id, message)"
            " VALUES ($1, 'outbound', gen_random_uuid(), '{}')",
            queue,
        )
    assert (await admin.get(path)).data[0]["messages_in_queue"] == 1
    reset = await admin.put(f"{path}/actions/reset")
    assert reset.body == {
        "responseStatus": "SUCCESS",
        "responseMessage": "Deleted messages in queue.",
    }
    assert (await admin.get(path)).data[0]["messages_in_queue"] == 0
    assert (await admin.put(f"{path}/actions/enable_delivery")).status == "SUCCESS"
    assert (await admin.get(path)).data[0]["delivery"] == "enabled"


async def test_the_api_is_described(api: Api) -> None:
    document = (await api.http.get(f"{api.url}/openapi.json")).json
    described = await document()
    assert {"Queries", "Spark queues"} <= {tag["name"] for tag in described["tags"]}
    operations = [
        o
        for path in described["paths"].values()
        for o in path.values()
        if isinstance(o, dict)
    ]
    assert all(operation["summary"] and operation["tags"] for operation in operations)

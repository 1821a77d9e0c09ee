"""The vendor's Java client and the configuration: metadata, MDL, picklists, packages."""

from __future__ import annotations

from tests.service.vault import java_session
from tests.service.vault.java_client import (
    JSON,
    MULTIPART,
    Body,
    Integer,
    JavaClient,
    Types,
    form,
    raw,
)
from tests.service.vault.java_client import file as a_file
from tests.service.vault.java_models import FIELD, JOB_CREATED, OBJECT, PACKAGE
from tests.service.vault.java_session import finished, succeeded
from tests.unit.packages.building import component_files, vpk

client = java_session.client


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

"""Domain, security policies and definitions of components, as requested by public clients."""

from __future__ import annotations

import json

from tests.service.vault.browsing import browser
from tests.service.vault.served import Api


async def test_the_domain_and_its_only_vault(admin: Api, user: Api) -> None:
    (domain,) = (await user.get("/objects/domains")).body["domains"]
    assert domain["type"] == "Production"
    own = (
        await admin.get("/objects/domain", params={"include_application": "true"})
    ).body["domain__v"]
    assert (own["domain_name__v"], own["domain_type__v"]) == (
        domain["name"],
        domain["type"],
    )
    (vault,) = own["vaults__v"]
    vault_id = (await admin.get("/objects/users/me")).headers["X-VaultAPI-VaultId"]
    assert vault["id"] == int(vault_id)
    assert vault["vault_status__v"] == "Active"
    assert vault["vault_family__v"] == {
        "name__v": "commercial__v",
        "label__v": "Commercial",
    }
    (application,) = vault["vault_application__v"]
    assert application["label"] == vault["vault_name__v"]


async def test_applications_are_listed_on_request(admin: Api) -> None:
    for params in ({}, {"include_application": "false"}):
        answer = await admin.get("/objects/domain", params=params)
        (vault,) = answer.body["domain__v"]["vaults__v"]
        assert "vault_application__v" not in vault


async def test_the_security_policy_has_the_rules_of_passwords(admin: Api) -> None:
    (policy,) = (await admin.get("/objects/securitypolicies")).body[
        "security_policies__v"
    ]
    user = (await admin.get("/objects/users/me")).body["users"][0]["user"]
    assert policy["name__v"] == str(user["security_policy_id__v"])
    assert policy["value__v"].endswith(f"/objects/securitypolicies/{policy['name__v']}")
    shown = (await admin.get(f"/objects/securitypolicies/{policy['name__v']}")).body[
        "security_policy__v"
    ]
    assert shown["policy_details__v"]["label__v"] == policy["label__v"]
    shortest = shown["policy_security_settings__v"]["min_password_length__v"]
    first = {
        "user_name__v": "short@vault.example",
        "user_first_name__v": "S",
        "user_last_name__v": "Hort",
    }
    first |= {
        "user_email__v": "short@vault.example",
        "password__v": "x" * (shortest - 1),
    }
    refused = await admin.post("/objects/users", data=first)
    assert (refused.status, refused.error) == ("FAILURE", "INVALID_DATA")
    assert (await admin.get("/objects/securitypolicies/none")).error == "INVALID_DATA"


async def test_definitions_of_components_by_vql(admin: Api, user: Api) -> None:
    text = "SELECT component_name__v, mdl_definition__v AS mdl, json_definition__v FROM vault_component__v"
    picklists = (
        f"{text} WHERE component_type__v = 'Picklist' ORDER BY component_name__v"
    )
    page = await admin.post("/query/components", data={"q": f"{picklists} PAGESIZE 2"})
    following = await admin.get(page.body["responseDetails"]["next_page"])
    for row in (*page.data, *following.data):
        name = row["component_name__v"]
        assert (
            row["mdl"] == (await admin.get(f"/api/mdl/components/Picklist.{name}")).text
        )
        assert json.loads(row["json_definition__v"])["name"] == name
    found = await admin.post(
        "/query/components",
        data={"q": f"{text} WHERE mdl_definition__v LIKE 'RECREATE Queue %'"},
    )
    assert found.status == "SUCCESS", found.body
    assert found.data and all(
        row["mdl"].startswith("RECREATE Queue ") for row in found.data
    )
    refused = await user.post("/query/components", data={"q": picklists})
    assert (refused.status, refused.error) == ("FAILURE", "INSUFFICIENT_ACCESS")
    for name in ("mdl_definition__v", "json_definition__v"):
        plain = await user.query(
            f"SELECT id FROM object_type__v WHERE name__v = '{name}'"
        )
        assert plain.data == []


async def test_a_vault_in_production_does_not_misbehave_on_purpose(
    admin: Api,
) -> None:
    fields = {"fault": "cut_answer", "calls": "1"}
    refused = await admin.post("/services/rehearsal/switches", data=fields)
    assert (refused.status, refused.error) == ("FAILURE", "OPERATION_NOT_ALLOWED")
    assert (await admin.get("/services/rehearsal/switches")).data == []
    assert (await admin.delete("/services/rehearsal/switches")).status == "SUCCESS"
    async with browser(admin.url, "admin") as person:
        page = await person.open("/ui/rehearsal")
        assert "faults cannot be switched on" in page.text
        assert all("Switch on" not in form.labels for form in page.forms)

"""Users by SCIM 2.0, as an identity provider manages them; the licenses and policies that users refer to."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from tests.service.vault.served import USERNAMES, Answer, Api

SCIM = "/scim/v2"
USERS = f"{SCIM}/Users"
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"
VAULT = "urn:ietf:params:scim:schemas:extension:veevavault:2.0:User"
ERROR = "urn:ietf:params:scim:api:messages:2.0:Error"
ACCEPT = {"Accept": "application/scim+json"}
_numbers = count(1)


def person(**attributes: Any) -> dict[str, Any]:
    """A user as an identity provider sends one."""
    name = f"scim.{next(_numbers)}@vault.example"
    return {
        "schemas": [VAULT, CORE],
        "userName": name,
        "emails": [{"value": name, "type": "work", "primary": True}],
        "name": {"givenName": "Scim", "familyName": f"Person {name}"},
        "preferredLanguage": "en",
        "locale": "en_US",
        "timezone": "America/Los_Angeles",
        VAULT: {"securityProfile": {"value": "business_user__v"}},
        "externalId": "is ignored",
        **attributes,
    }


async def added(client: Api, **attributes: Any) -> dict[str, Any]:
    answer = await client.post(USERS, json=person(**attributes))
    assert "id" in answer.body, answer.text
    body: dict[str, Any] = answer.body
    return body


async def scim(client: Api, method: str, path: str, **options: Any) -> tuple[int, Any]:
    """Status and body of a call as a client of SCIM makes it."""
    headers = ACCEPT | {"Authorization": client.session_id or ""}
    url = f"{client.url}/api/v25.1{path}"
    async with client.http.request(method, url, headers=headers, **options) as response:
        assert response.content_type == "application/scim+json"
        return response.status, await response.json(content_type=None)


async def test_a_user_is_created_read_changed_and_disabled(admin: Api) -> None:
    sent = person()
    status, made = await scim(admin, "POST", USERS, json=sent)
    assert status == 201
    for name in ("userName", "name", "locale", "preferredLanguage", "timezone"):
        assert made[name] == sent[name]
    assert made["emails"] == [{"value": sent["userName"], "type": "work"}]
    assert made["active"] is True
    assert made["displayName"] == f"Scim {sent['name']['familyName']}"
    own = made[VAULT]
    assert own["securityProfile"]["value"] == "business_user__v"
    assert own["securityProfile"]["$ref"].endswith(
        f"{SCIM}/SecurityProfiles/business_user__v"
    )
    assert own["licenseType"]["value"] == "full__v"
    assert "lastLogin" not in own
    path = f"{USERS}/{made['id']}"
    assert made["meta"]["location"].endswith(path)
    assert (await scim(admin, "GET", path)) == (200, made)
    changes = {"name": {"familyName": "Changed"}, "active": False, "unknown": {}}
    status, changed = await scim(admin, "PUT", path, json=changes)
    assert status == 200
    assert changed["name"] == {"givenName": "Scim", "familyName": "Changed"}
    assert changed["active"] is False
    # The same by the other calls: there is one user.
    answer = await admin.get(f"/objects/users/{made['id']}")
    assert answer.body["users"][0]["user"]["user_last_name__v"] == "Changed"
    assert answer.body["users"][0]["user"]["active__v"] is False


async def test_users_are_found_by_one_attribute(admin: Api) -> None:
    made = await added(admin)
    name = made["userName"]
    for text in (f'userName eq "{name.upper()}"', f'id eq "{made["id"]}"'):
        _, found = await scim(admin, "GET", USERS, params={"filter": text})
        assert found["totalResults"] == found["itemsPerPage"] == 1
        assert found["Resources"] == [made]
    _, nobody = await scim(
        admin, "GET", USERS, params={"filter": 'emails.value eq "x\' OR 1=1"'}
    )
    assert (nobody["totalResults"], nobody["Resources"]) == (0, [])


async def test_users_come_in_pages_in_an_order(admin: Api) -> None:
    await added(admin)
    await added(admin)
    _, every = await scim(admin, "GET", USERS, params={"sortBy": "userName"})
    names = [each["userName"] for each in every["Resources"]]
    assert names == sorted(names)
    assert every["totalResults"] == len(names) > 2
    params = {
        "sortBy": "userName",
        "sortOrder": "descending",
        "count": "1",
        "startIndex": "2",
    }
    _, second = await scim(admin, "GET", USERS, params=params)
    assert [each["userName"] for each in second["Resources"]] == [names[-2]]
    assert (second["startIndex"], second["itemsPerPage"]) == (2, 1)
    _, none = await scim(admin, "GET", USERS, params={"count": "-1", "startIndex": "0"})
    assert (none["Resources"], none["startIndex"]) == ([], 1)
    assert none["totalResults"] == every["totalResults"]


@pytest.mark.parametrize(
    ("params", "members"),
    [
        ({"attributes": "userName,emails"}, {"userName", "emails"}),
        ({"attributes": "name.familyName"}, {"name"}),
        ({"attributes": f"{VAULT}:lastLogin"}, {VAULT}),
        (
            {"excludedAttributes": f"id,schemas,name,meta,emails,timezone,{VAULT}"},
            {"active", "displayName", "locale", "preferredLanguage", "userName"},
        ),
    ],
)
async def test_a_caller_chooses_what_is_shown(
    admin: Api, params: dict[str, str], members: set[str]
) -> None:
    _, shown = await scim(admin, "GET", f"{SCIM}/Me", params=params)
    assert set(shown) == members | {"schemas", "id"}


async def test_everybody_reads_and_changes_themselves(user: Api) -> None:
    _, own = await scim(user, "GET", f"{SCIM}/Me")
    assert own["userName"] == USERNAMES["user"]
    zone = {"timezone": "Europe/Paris"}
    _, changed = await scim(user, "PUT", f"{SCIM}/Me", json=zone)
    assert changed["timezone"] == "Europe/Paris"
    mighty = {VAULT: {"securityProfile": {"value": "system_admin__v"}}}
    status, refused = await scim(user, "PUT", f"{SCIM}/Me", json=mighty)
    assert status == 403
    assert refused["schemas"] == [ERROR]


def refusal(answer: Answer) -> str:
    """The type of a refusal that is an error of SCIM and of a Vault."""
    assert answer.http_status == 200
    assert answer.status == "FAILURE"
    assert answer.body["schemas"] == [ERROR]
    assert answer.body["detail"] == answer.message
    return answer.error


async def test_refusals_are_errors_of_scim(admin: Api, user: Api, api: Api) -> None:
    taken = await added(admin)
    wrong: tuple[tuple[str, str, dict[str, Any], int, str], ...] = (
        ("GET", f"{USERS}/999999999", {}, 404, "USER_NOT_FOUND"),
        ("GET", f"{USERS}/none", {}, 400, "INVALID_DATA"),
        ("GET", f"{SCIM}/Schemas/none", {}, 404, "MALFORMED_URL"),
        ("GET", f"{SCIM}/ResourceTypes/None", {}, 404, "MALFORMED_URL"),
        ("GET", f"{SCIM}/Groups", {}, 404, "MALFORMED_URL"),
        ("GET", f"{SCIM}/LicenseTypes/none", {}, 404, "MALFORMED_URL"),
        ("GET", f"{USERS}?filter=userName", {}, 400, "INVALID_DATA"),
        ("GET", f'{USERS}?filter=userName co "a"', {}, 400, "INVALID_DATA"),
        ("GET", f'{USERS}?filter=password eq "a"', {}, 400, "INVALID_DATA"),
        ("GET", f"{USERS}?sortBy=locale", {}, 400, "INVALID_DATA"),
        ("GET", f"{USERS}?sortOrder=up", {}, 400, "INVALID_DATA"),
        ("GET", f"{USERS}?count=many", {}, 400, "INVALID_DATA"),
        ("POST", USERS, {"json": {}}, 400, "PARAMETER_REQUIRED"),
        ("POST", USERS, {"json": person(name="Ann")}, 400, "INVALID_DATA"),
        ("POST", USERS, {"json": person(emails=[{"type": "home"}])}, 400, "INVALID_DATA"),
        ("POST", USERS, {"json": person(timezone=[1])}, 400, "INVALID_DATA"),
        ("PUT", f"{USERS}/999999999", {"json": {}}, 404, "USER_NOT_FOUND"),
    )  # fmt: skip
    for method, path, options, status, error in wrong:
        assert refusal(await admin.call(method, path, **options)) == error, path
        seen, body = await scim(admin, method, path, **options)
        assert (seen, body["status"]) == (status, str(status)), path
    again = person(userName=taken["userName"])
    assert refusal(await admin.post(USERS, json=again))
    assert refusal(await user.get(USERS)) == "INSUFFICIENT_ACCESS"
    assert refusal(await user.post(USERS, json=person())) == "INSUFFICIENT_ACCESS"
    assert refusal(await api.get(f"{SCIM}/Me")) == "INVALID_SESSION_ID"
    assert (await scim(api, "GET", f"{SCIM}/Me"))[0] == 401


async def test_what_is_there_is_described(admin: Api) -> None:
    _, provider = await scim(admin, "GET", f"{SCIM}/ServiceProviderConfig")
    assert provider["filter"] == {"supported": True, "maxResults": 1000}
    assert provider["patch"] == {"supported": False}
    _, types = await scim(admin, "GET", f"{SCIM}/ResourceTypes")
    _, schemas = await scim(admin, "GET", f"{SCIM}/Schemas")
    described = {each["id"] for each in schemas["Resources"]}
    for each in types["Resources"]:
        extensions = each.get("schemaExtensions", [])
        named = {each["schema"], *(one["schema"] for one in extensions)}
        assert named <= described
        assert (await scim(admin, "GET", f"{SCIM}/ResourceTypes/{each['id']}"))[
            1
        ] == each
        _, listed = await scim(admin, "GET", SCIM + each["endpoint"])
        first = listed["Resources"][0]
        _, one = await scim(admin, "GET", f"{SCIM}{each['endpoint']}/{first['id']}")
        assert one == first
        assert one["meta"]["resourceType"] == each["name"]
    for each in schemas["Resources"]:
        assert (await scim(admin, "GET", f"{SCIM}/Schemas/{each['id']}"))[1] == each
    # What a user shows is described, beside what every resource has.
    _, own = await scim(admin, "GET", f"{SCIM}/Me")
    (core,) = [each for each in schemas["Resources"] if each["id"] == CORE]
    names = {attribute["name"] for attribute in core["attributes"]}
    assert set(own) - {"schemas", "id", "meta", VAULT} == names


async def test_licenses_count_active_users(admin: Api) -> None:
    async def used() -> int:
        answer = await admin.get("/objects/licenses")
        (application,) = answer.body["applications"]
        license_ = application["user_licensing"]["full__v"]
        assert license_["licensed"] > license_["used"]
        assert license_["shared"] is False
        number: int = license_["used"]
        return number

    made = await added(admin)
    before = await used()
    await admin.put(f"{USERS}/{made['id']}", json={"active": False})
    assert await used() == before - 1


async def test_the_metadata_of_policies_describe_the_policy(admin: Api) -> None:
    answer = await admin.get("/metadata/objects/securitypolicies")
    metadata = answer.body["metadata"]
    policy = await admin.get("/objects/securitypolicies/1")
    shown = policy.body["security_policy__v"]
    parts = {each["name"]: each for each in metadata["objects"]}
    for each in metadata["properties"]:
        (reference,) = each["objectTypeReferenced"]
        fields = {field["name"] for field in parts[reference["type"]]["properties"]}
        assert fields == set(shown[each["name"]])

"""Unknown paths of the API get its envelope: never a bare page, never a stack trace."""

from __future__ import annotations

import asyncio
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from local.compatibility import operations
from shared.vault.api.api_app import CHAPTERS
from tests.service.vault.served import Answer, Api

ODD_NAMES = [
    "/nothing",
    "/vobjects",
    "/objects",
    "/objects/users/me/nothing",
    "/objects/users/1/2/3",
    "/objects/groups/1/members",
]
ODD = [
    "/api/25.1/auth",
    "/api/v25/auth",
    "/api/mdl",
    "/api/v25.1/..%2f..%2fetc",
    "/api/%00",
]
VERBS = ["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]


def assert_refused(answer: Answer, *errors: str) -> None:
    assert answer.http_status == 200
    assert answer.headers["Content-Type"].startswith("application/json")
    assert (answer.status, answer.headers["X-VaultAPI-Status"]) == (
        "FAILURE",
        "FAILURE",
    )
    assert answer.error in errors
    assert "Traceback" not in answer.text
    for name in ("ExecutionId", "BurstLimit", "BurstLimitRemaining"):
        assert answer.headers[f"X-VaultAPI-{name}"]


@pytest.mark.parametrize("verb", VERBS)
async def test_documented_paths_that_are_not_here(admin: Api, verb: str) -> None:
    for path in ODD_NAMES:
        answer = await admin.call(verb, path)
        # What looks like the name or id of something that there could be is answered by its own chapter.
        assert_refused(answer, "MALFORMED_URL", "METHOD_NOT_SUPPORTED", "INVALID_DATA")


@pytest.mark.parametrize(
    "path", ["/objects/documents/milestones/actions/recalculate", "/app/safety/intake"]
)
async def test_calls_of_other_applications_are_refused_with_their_reason(
    admin: Api, path: str
) -> None:
    answer = await admin.post(path)
    assert_refused(answer, "OPERATION_NOT_ALLOWED")
    assert "applications" in answer.text


async def test_operations_that_are_not_here_are_refused_with_their_reason(
    admin: Api,
) -> None:
    for operation in operations():
        if operation.served:
            continue
        path = operation.path.replace("{", "").replace("}", "")
        answer = await admin.call(operation.verb, path)
        if operation.path.startswith("/vobjects/edl_item__v/"):
            # The object is not there, which the call of any action says first.
            assert_refused(answer, "INVALID_DATA")
        elif operation.reason:
            assert_refused(answer, "OPERATION_NOT_ALLOWED")
            assert answer.body["errors"][0]["message"] == operation.reason
        else:
            assert_refused(
                answer, "MALFORMED_URL", "METHOD_NOT_SUPPORTED", "INVALID_DATA"
            )


DOUBLED = [
    ("GET", "/api/mdl/components/Picklist.colour__c"),
    ("GET", "/api/v25.1/metadata/vobjects"),
    ("GET", "/api/v25.1/objects/users/me"),
    ("GET", "/api/v25.1/configuration/Picklist.colour__c"),
    ("POST", "/api/v25.1/keep-alive"),
]


@pytest.mark.parametrize(("verb", "path"), DOUBLED)
async def test_slashes_that_say_nothing_are_left_out(
    admin: Api, verb: str, path: str
) -> None:
    plain = (await admin.call(verb, path)).text
    assert "SUCCESS" in plain or "Picklist" in plain
    places = [at for at, character in enumerate(path) if character == "/"]
    for at in places[1:]:
        doubled = f"{path[:at]}/{path[at:]}"
        assert (await admin.call(verb, doubled)).text == plain, doubled
    for ended in (f"{path}/", f"{path}//"):
        assert (await admin.call(verb, ended)).text == plain, ended


@pytest.mark.parametrize("path", ODD)
async def test_odd_paths(admin: Api, path: str) -> None:
    assert_refused(await admin.get(path), "MALFORMED_URL")


async def test_known_paths_and_other_verbs(admin: Api) -> None:
    for chapter in CHAPTERS:
        for route in chapter.router.routes:
            path = route.path.replace("{version:vault_version}", "v25.1").replace(
                ":path}", "}"
            )
            path = (
                path.replace("{user_id}", "1")
                .replace("{group_id}", "1")
                .replace("{", "")
                .replace("}", "")
            )
            assert_refused(await admin.call("PATCH", path), "METHOD_NOT_SUPPORTED")


async def test_without_a_session_as_well(api: Api) -> None:
    assert_refused(await api.get("/nothing"), "MALFORMED_URL")
    assert_refused(await api.call("PATCH", "/query"), "METHOD_NOT_SUPPORTED")
    assert_refused(await api.get("/auth/discovery"), "METHOD_NOT_SUPPORTED")
    assert_refused(await api.get("/auth/discovery/more"), "MALFORMED_URL")


async def test_how_users_sign_in(api: Api) -> None:
    for options in (
        {"params": {"username": "anyone@vault.example"}},
        {"data": {"username": "anyone@vault.example"}},
    ):
        answer = await api.post("/auth/discovery", **options)
        assert answer.body == {
            "responseStatus": "SUCCESS",
            "errors": [],
            "data": {"auth_type": "password"},
        }
    assert (await api.post("/auth/discovery")).error == "PARAMETER_REQUIRED"
    refused = await api.post(
        "/auth/oauth/session/_profile", headers={"Authorization": "Bearer x"}
    )
    assert (refused.http_status, refused.error) == (200, "INVALID_DATA")
    assert refused.body["errorType"] == "AUTHENTICATION_FAILED"


async def test_the_version_map_with_a_slash(admin: Api, api: Api) -> None:
    assert "v25.1" in (await admin.get("/api/v25.1/")).body["values"]
    assert (await api.get("/api/v25.1/")).error == "INVALID_SESSION_ID"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "text/csv", "text/plain", "application/x-thing", ""],
)
async def test_an_empty_body_of_any_type(admin: Api, content_type: str) -> None:
    session = await admin.signed_in("user")
    headers = {"Content-Type": content_type} if content_type else {}
    assert (
        await session.post("/keep-alive", data=b"", headers=headers)
    ).status == "SUCCESS"
    assert (
        await session.delete("/session", data=b"", headers=headers)
    ).status == "SUCCESS"


async def test_bodies_in_chunks_and_on_delete(user: Api, admin: Api) -> None:
    async def chunks() -> object:
        for piece in (b'[{"name__v": "in ', b'chunks", "key__c"', b': "CHUNKS"}]'):
            yield piece
            await asyncio.sleep(0)

    answer = await user.post(
        "/vobjects/thing__c",
        data=chunks(),
        headers={"Content-Type": "application/json"},
    )
    (record,) = answer.ids
    deleted = await admin.delete(
        "/vobjects/thing__c",
        data=f"id\n{record}\n",
        headers={"Content-Type": "text/csv"},
    )
    assert deleted.data[0]["responseStatus"] == "SUCCESS"


@settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    verb=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    parts=st.lists(
        st.one_of(
            st.sampled_from(
                [
                    "objects",
                    "users",
                    "me",
                    "groups",
                    "picklists",
                    "vobjects",
                    "query",
                    "services",
                    "jobs",
                    "1",
                    "metadata",
                ]
            ),
            st.text(st.characters(codec="utf-8"), max_size=12).filter(
                lambda part: part not in (".", "..")
            ),
        ),
        max_size=6,
    ),
    body=st.binary(max_size=40),
)
async def test_any_path_at_all(
    api: Api, verb: str, parts: list[str], body: bytes
) -> None:
    path = "/api/v25.1/" + "/".join(quote(part, safe="") for part in parts)
    answer = await api.call(verb, path, data=body)
    assert answer.http_status == 200
    assert answer.status == "FAILURE"
    assert "Traceback" not in answer.text

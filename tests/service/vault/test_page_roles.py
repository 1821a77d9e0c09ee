"""Role by page: every page has an entry with the roles that see it; forms of other origins are refused."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from shared.vault.admin.admin_app import create_pages
from shared.vault.assembly.vault import Vault
from tests.service.vault.browsing import Browser, Page, browser
from tests.service.vault.objects import key
from tests.service.vault.served import Api
from tests.service.vault.served_routes import served_routes

ANYONE = {"nobody", "user", "integration", "admin"}
SIGNED_IN = {"user", "integration", "admin"}
CONNECTION = {"integration", "admin"}
ADMIN = {"admin"}

# Pages are opened with the ids of the standard connection and its first integration; forms are sent without fields.
PAGES = {
    "GET /sign-in": ANYONE,
    "POST /sign-in": ANYONE,
    "GET /password": ANYONE,
    "POST /password": ANYONE,
    "GET /approved_viewer": ANYONE,  # of documents, by a token
    "GET /approved_viewer/file": ANYONE,
    "POST /sign-out": SIGNED_IN,
    "GET /": SIGNED_IN,
    "GET /connections": CONNECTION,
    "GET /connections/{connection}": CONNECTION,
    "GET /connections/{connection}/readiness": ADMIN,
    "POST /connections/{connection}/file": ADMIN,
    "POST /connections/{connection}/upload": ADMIN,
    "GET /connections/{connection}/duplicate": ADMIN,
    "POST /connections/{connection}/duplicate": ADMIN,
    "POST /connections/{connection}/reconciliations": ADMIN,
    "GET /connections/{connection}/reconciliations/{job_id}": CONNECTION,
    "GET /connections/{connection}/reconciliations/{job_id}/findings": CONNECTION,
    "POST /connections/{connection}/reconciliations/{job_id}/transfer-again": ADMIN,
    "GET /integrations/{integration}": CONNECTION,
    "POST /integrations/{integration}": ADMIN,
    "GET /integrations/{integration}/runs": CONNECTION,
    "POST /integrations/{integration}/runs": ADMIN,
    "GET /integrations/{integration}/runs/{job_id}": CONNECTION,
    "GET /lookups": CONNECTION,
    "GET /lookups/upload": ADMIN,
    "POST /lookups/upload": ADMIN,
    "GET /lookups/download": CONNECTION,
    "GET /lookups/template": ADMIN,
    "GET /lookups/missing": ADMIN,
    "POST /lookups/missing": ADMIN,
    "GET /rules": CONNECTION,
    "GET /rules/{name}": CONNECTION,
    "GET /rules/{name}/preview": ADMIN,
    "POST /rules/{name}/preview": ADMIN,
    "GET /integrations/{integration}/dry-run": ADMIN,
    "GET /rules/{name}/edit": ADMIN,
    "POST /rules/{name}/edit": ADMIN,
    "GET /rules/{name}/{part_kind}": ADMIN,
    "POST /rules/{name}/{part_kind}": ADMIN,
    "GET /rules/{name}/{part_kind}/{part}": ADMIN,
    "POST /rules/{name}/{part_kind}/{part}": ADMIN,
    "POST /rules/{name}/{part_kind}/{part}/delete": ADMIN,
    "GET /components": CONNECTION,
    "POST /components": ADMIN,
    "GET /components/mdl": ADMIN,
    "GET /components/{kind}": CONNECTION,
    "GET /components/{kind}/{name}": CONNECTION,
    "GET /users": CONNECTION,
    "POST /users": CONNECTION,
    "GET /users/new": ADMIN,
    "POST /users/new": ADMIN,
    "GET /users/{user_id}": CONNECTION,  # one's own, here and below: test_pages_users.py
    "GET /users/{user_id}/edit": ADMIN,
    "POST /users/{user_id}/edit": ADMIN,
    "POST /users/{user_id}/status": ADMIN,
    "POST /users/{user_id}/password": ADMIN,
    "GET /groups": CONNECTION,
    "GET /groups/new": ADMIN,
    "POST /groups/new": ADMIN,
    "GET /groups/{group_id}": CONNECTION,
    "GET /groups/{group_id}/edit": ADMIN,
    "POST /groups/{group_id}/edit": ADMIN,
    "POST /groups/{group_id}/members": ADMIN,
    "POST /groups/{group_id}/delete": ADMIN,
    "GET /profiles": CONNECTION,
    "GET /profiles/new": ADMIN,
    "POST /profiles/new": ADMIN,
    "GET /profiles/{name}": CONNECTION,
    "GET /profiles/{name}/edit": ADMIN,
    "POST /profiles/{name}/edit": ADMIN,
    "GET /permission-sets/new": ADMIN,
    "POST /permission-sets/new": ADMIN,
    "GET /permission-sets/{name}": CONNECTION,
    "GET /permission-sets/{name}/edit": ADMIN,
    "POST /permission-sets/{name}/edit": ADMIN,
    "GET /lifecycles": CONNECTION,
    "GET /lifecycles/new": ADMIN,
    "POST /lifecycles/new": ADMIN,
    "GET /lifecycles/{name}": CONNECTION,
    "GET /lifecycles/{name}/{state}/{addition}": ADMIN,
    "POST /lifecycles/{name}/{state}/{addition}": ADMIN,
    "POST /lifecycles/{name}/{state}/{member_kind}/{member}/remove": ADMIN,
    "GET /documents": SIGNED_IN,
    "POST /documents": SIGNED_IN,
    "GET /documents/new": SIGNED_IN,
    "POST /documents/new": SIGNED_IN,
    "GET /documents/{document_id}": SIGNED_IN,
    "GET /documents/{document_id}/versions/{major}/{minor}": SIGNED_IN,
    "POST /documents/{document_id}/versions": SIGNED_IN,
    "GET /documents/{document_id}/versions/{major}/{minor}/file": SIGNED_IN,
    "GET /documents/{document_id}/versions/{major}/{minor}/renditions/{rendition}": SIGNED_IN,
    "POST /documents/{document_id}/versions/{major}/{minor}/actions/{action_name}": SIGNED_IN,
    "POST /documents/{document_id}/lock": SIGNED_IN,
    "POST /documents/{document_id}/unlock": SIGNED_IN,
    "POST /documents/{document_id}/roles": SIGNED_IN,
    "POST /documents/{document_id}/attachments": SIGNED_IN,
    "GET /documents/{document_id}/attachments/{attachment_id}": SIGNED_IN,
    "GET /packages": ADMIN,
    "GET /packages/import": ADMIN,
    "POST /packages/import": ADMIN,
    "GET /packages/inbound/{package_id}": ADMIN,
    "POST /packages/inbound/{package_id}/validate": ADMIN,
    "GET /packages/inbound/{package_id}/review": ADMIN,
    "POST /packages/inbound/{package_id}/deploy": ADMIN,
    "GET /packages/inbound/{package_id}/logs/{name}": ADMIN,
    "GET /packages/{package_id}/content": ADMIN,
    "GET /packages/outbound/new": ADMIN,
    "POST /packages/outbound/new": ADMIN,
    "GET /packages/outbound/{package_id}": ADMIN,
    "POST /packages/outbound/{package_id}/components": ADMIN,
    "POST /packages/outbound/{package_id}/export": ADMIN,
    "GET /queues": CONNECTION,
    "GET /queues/{queue_name}": CONNECTION,
    "GET /queues/{queue_name}/reset": ADMIN,
    "POST /queues/{queue_name}/reset": ADMIN,
    "POST /queues/{queue_name}/enable_delivery": ADMIN,
    "POST /queues/{queue_name}/disable_delivery": ADMIN,
    "POST /queues/{queue_name}/trace_delivery": ADMIN,
    "GET /live": CONNECTION,
    "GET /messages": ADMIN,
    "GET /messages/{message_id}": ADMIN,
    "GET /processors": CONNECTION,
    "GET /queue-log": ADMIN,
    "GET /queue-log/{day}": ADMIN,
    "GET /exceptions": CONNECTION,
    "GET /exceptions/{exception}": CONNECTION,
    "POST /exceptions/actions": CONNECTION,
    "POST /exceptions/retry": CONNECTION,
    "POST /exceptions/causes": CONNECTION,
    "GET /jobs": SIGNED_IN,
    "GET /jobs/{job_id}": SIGNED_IN,  # one's own, here and below
    "GET /jobs/{job_id}/logs/{task_id}/{log}": SIGNED_IN,
    "POST /jobs/{job_id}/start": SIGNED_IN,
    "POST /jobs/{job_id}/cancel": SIGNED_IN,
    "GET /tasks": SIGNED_IN,
    "GET /tasks/{task_id}": SIGNED_IN,
    "POST /tasks/{task_id}/{action_name}": SIGNED_IN,
    "POST /workflows/{workflow_id}/cancel": SIGNED_IN,
    "GET /notifications": SIGNED_IN,
    "POST /notifications/read": SIGNED_IN,
    "GET /rehearsal": ADMIN,
    "POST /rehearsal": ADMIN,
    "POST /rehearsal/end": ADMIN,
    "POST /rehearsal/{switch_id}/end": ADMIN,
    "GET /answers/{token}": ANYONE,
    "GET /answers/{token}/all": ANYONE,
    "GET /answers/{token}/{position}": ANYONE,
    "GET /responses/{request}": SIGNED_IN,
    "POST /responses/{request}": SIGNED_IN,
    "GET /responses/{request}/preview": SIGNED_IN,
    "GET /responses/{request}/documents/{position}": SIGNED_IN,
    "GET /objects": SIGNED_IN,
    "GET /objects/{object_name}": CONNECTION,
    "POST /objects/{object_name}": CONNECTION,
    "POST /objects/{object_name}/views": CONNECTION,
    "POST /objects/{object_name}/views/{view_id}": CONNECTION,
    "POST /objects/{object_name}/views/{view_id}/usual": CONNECTION,
    "POST /objects/{object_name}/views/{view_id}/delete": CONNECTION,
    "POST /pick/{object_name}": CONNECTION,
    "GET /patterns": SIGNED_IN,
    "GET /search": SIGNED_IN,
    "POST /search": SIGNED_IN,
    "GET /objects/{object_name}/new": ADMIN,
    "POST /objects/{object_name}/new": ADMIN,
    "GET /objects/{object_name}/{connection}": CONNECTION,
    "GET /objects/{object_name}/{connection}/edit": ADMIN,
    "POST /objects/{object_name}/{connection}/edit": ADMIN,
    "GET /objects/{object_name}/{connection}/delete": ADMIN,
    "POST /objects/{object_name}/{connection}/delete": ADMIN,
    "GET /objects/{object_name}/{connection}/audit": ADMIN,
    "POST /objects/{object_name}/{connection}/actions/{action_name}": ADMIN,
}
SIGN_OUT = "POST /sign-out"
WITHOUT_SESSION = {page for page, roles in PAGES.items() if "nobody" in roles}
FIELDS = {
    "POST /exceptions/retry": {"connection": "nothing__c"},
    "POST /exceptions/actions": {"action": "ignore__sys"},
}
NAMES = {
    "/connections/{connection}": "/connections/{record_id}",
    "/integrations/{integration}": "/integrations/{record_id}",
    "/{part_kind}": "/{kind}",
    "/exceptions/{exception}": "/exceptions/{record_id}",
    "/responses/{request}": "/responses/{record_id}",
}


def _route(page: str) -> str:
    """The route of an entry."""
    page = page.replace(
        "/objects/{object_name}/{connection}", "/objects/{object_name}/{record_id}"
    )
    for own, route in NAMES.items():
        page = page.replace(own, route)
    return page


@pytest.fixture(scope="module")
async def values(admin: Api) -> dict[str, str]:
    """What the paths of the pages name."""

    async def first(object_name: str) -> str:
        return str(
            (
                await admin.query(f"SELECT id FROM {object_name} ORDER BY id MAXROWS 1")
            ).data[0]["id"]
        )

    return {
        "connection": await first("connection__sys"),
        "integration": await first("integration__sys"),
        "object_name": "connection__sys",
        "exception": await _exception(admin),
        "kind": "Integrationrule",
        "message_id": "nothing",
        "name": "medical_inquiries__v",
        "part_kind": "Fieldrule",
        "part": "nothing__c",
        "queue_name": "nothing__v",
        "day": "2026-01-02",
        "task_id": "1",
        "log": "successlog",
        "switch_id": "nothing",
        "job_id": "999999999",
        "action_name": "nothing",
        "workflow_id": "999999999",
        "view_id": "0b0f1d4c-3f2a-4a6e-9a55-7d1f5cf1c8a2",
        "token": "nothing",
        "position": "1",
        "request": "nothing",
        "user_id": "1",
        "document_id": "999999999",
        "major": "0",
        "minor": "1",
        "rendition": "nothing__v",
        "attachment_id": "1",
        "package_id": "nothing",
        "group_id": "999999999",
        "state": "nothing__c",
        "addition": "user-action",
        "member_kind": "Objectlifecyclestateuseraction",
        "member": "nothing__c",
    }


async def _exception(admin: Api) -> str:
    """A closed exception."""
    row = {
        "message_id__sys": key(),
        "error_type__sys": "message_processing_error__sys",
        "error_status__sys": "ignored__sys",
    }
    return (await admin.post("/vobjects/exception_message__sys", json=[row])).ids[0]


def test_every_page_has_an_entry(vault: Vault) -> None:
    served = set(served_routes(create_pages(vault).routes)) - {"GET /static"}
    assert served == {_route(page) for page in PAGES}


async def _token(visitor: Browser, role: str) -> str:
    """A form's token, of the session or of the sign-in."""
    page = await visitor.open("/ui/sign-in" if role == "nobody" else "/ui/")
    return next(form.fields["token"] for form in page.forms if "token" in form.fields)


@pytest.fixture(scope="module")
async def visitors(api: Api) -> AsyncIterator[dict[bool, Browser]]:
    """Browsers by whether they are signed in, as the System Admin."""
    async with browser(api.url) as stranger, browser(api.url, "admin") as signed_in:
        yield {False: stranger, True: signed_in}


@pytest.mark.parametrize("role", sorted(ANYONE))
async def test_who_sees_which_page(api: Api, values: dict[str, str], role: str) -> None:
    async with browser(api.url, None if role == "nobody" else role) as visitor:
        token = await _token(visitor, role)
        for page in sorted(PAGES, key=SIGN_OUT.__eq__):
            method, _, path = page.partition(" ")
            data = None
            if method == "POST" and page not in WITHOUT_SESSION:
                data = {"token": token, **FIELDS.get(page, {})}
            answer = await visitor.request(
                method, f"/ui{path.format(**values)}", data=data
            )
            assert_let_in(answer, page, role)


def assert_let_in(answer: Page, page: str, role: str) -> None:
    """Check that a role sees a page if it is allowed to, and is refused in the documented way otherwise."""
    if role in PAGES[page]:
        assert "sufficient privileges" not in answer.text, page
        assert answer.status < 500, (page, answer.text)
        assert answer.path != "/ui/sign-in" or page in {*WITHOUT_SESSION, SIGN_OUT}, (
            page
        )
    elif role == "nobody":
        assert answer.path == "/ui/sign-in", page
    else:
        assert answer.status == 403, page
        assert "INSUFFICIENT_ACCESS" in answer.text, page
        assert "sufficient privileges" in answer.text, page


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("POST")])
async def test_no_form_is_taken_that_another_site_had_sent(
    visitors: dict[bool, Browser], values: dict[str, str], page: str
) -> None:
    path = page.partition(" ")[2].format(**values)
    visitor = visitors[page not in WITHOUT_SESSION]
    for data in ({}, {"token": "0" * 64}, {"token": "\u00e9"}):
        answer = await visitor.request("POST", f"/ui{path}", data=data)
        assert answer.status == 400
        assert "The form does not come from a page of this session" in answer.text
        assert answer.text.count("OPERATION_NOT_ALLOWED") == 1


async def test_no_text_in_an_address_is_an_error_of_the_vault(api: Api) -> None:
    """PostgreSQL cannot store NUL: a page with such a name does not exist."""
    named = [page.removeprefix("GET ") for page in PAGES if page.startswith("GET ")]
    addresses = [re.sub(r"\{\w+\}", "a%00b", path) for path in named]
    addresses += ["/objects/thing__c?column=a%00b&sort=%00&view=%00&search=%00"]
    async with browser(api.url, "admin") as visitor:
        token = await _token(visitor, "admin")
        for path in addresses:
            answer = await visitor.request("GET", f"/ui{path}")
            assert "UNEXPECTED_ERROR" not in answer.text, path
        saved = await visitor.request(
            "POST",
            "/ui/objects/thing__c/views?column=a%00b",
            data={"token": token, "label": key()},
        )
        assert saved.status == 200, saved.text
        # Digits of other scripts, and more of them than a number may have, are no user either.
        for user in ("²", "٣", "9" * 30, "9" * 5000, ""):
            given = {"token": token, "user": user}
            answer = await visitor.request("POST", "/ui/tasks/1/reassign", data=given)
            assert "UNEXPECTED_ERROR" not in answer.text, user[:40]
        assert "UNEXPECTED_ERROR" not in saved.text


async def test_the_menu_shows_what_one_may_see(api: Api) -> None:
    shown = {}
    for role in sorted(SIGNED_IN):
        async with browser(api.url, role) as visitor:
            shown[role] = set((await visitor.open("/ui/")).links) & {
                "Records",
                "Jobs",
                "Connections",
                "Spark Queues",
                "User Exception Messages",
                "Queue Logs",
            }
    assert shown["user"] == {"Records", "Jobs"}
    assert shown["integration"] == shown["user"] | {
        "Connections",
        "Spark Queues",
        "User Exception Messages",
    }
    assert shown["admin"] == shown["integration"] | {"Queue Logs"}

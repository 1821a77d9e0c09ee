"""Lists the pages that browsers look at, and those that none looks at with the reason; no page is in neither list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi.routing import APIRoute
from starlette.routing import Match

from shared.vault.admin.admin_app import CHAPTERS

INQUIRIES = "/ui/objects/medical_inquiry__v"
REQUESTS = "/ui/objects/case_request__v"
LIFECYCLE = "/ui/lifecycles/case_request_lifecycle__v"
RULE = "/ui/rules/medical_inquiries__v"

ADDRESSES: Mapping[str, tuple[str, ...]] = {
    "crm_vault": (
        "/ui/",
        INQUIRIES,
        f"{INQUIRIES}/new",
        "/ui/objects",
        "/ui/jobs",
        "/ui/notifications",
        "/ui/patterns",
        "/ui/search",
        "/ui/lifecycles/medical_inquiry_lifecycle__v",
    ),
    "medical_vault": (
        "/ui/",
        "/ui/connections",
        "/ui/lookups",
        "/ui/lookups/upload",
        "/ui/lookups/missing",
        "/ui/rules",
        RULE,
        f"{RULE}/edit",
        f"{RULE}/Fieldrule",
        "/ui/queues",
        "/ui/processors",
        "/ui/exceptions",
        "/ui/queue-log",
        "/ui/queue-log/2026-01-02",
        "/ui/rehearsal",
        "/ui/live",
        "/ui/components",
        "/ui/components/Object",
        "/ui/components/Object/case_request__v",
        "/ui/components/mdl",
        "/ui/users",
        "/ui/users/new",
        "/ui/users/2",
        "/ui/users/2/edit",
        "/ui/profiles",
        "/ui/profiles/new",
        "/ui/profiles/integration_user__v",
        "/ui/permission-sets/new",
        "/ui/permission-sets/integration_user__v",
        "/ui/lifecycles",
        "/ui/lifecycles/new",
        LIFECYCLE,
        f"{LIFECYCLE}/new_state__v/user-action",
        f"{LIFECYCLE}/new_state__v/notification",
        f"{LIFECYCLE}/closed_state__v/entry-action?does=send_message",
        "/ui/packages",
        "/ui/packages/import",
        "/ui/packages/outbound/new",
        "/ui/documents",
        "/ui/documents/new",
        "/ui/tasks",
        "/ui/groups",
        "/ui/groups/new",
        "/ui/jobs",
    ),
}
"""By Vault, pages whose addresses are known."""

AT_ONCE = (
    12  # pages of one test, which a busy machine looks at well within its time limit
)
PARTS = [
    (vault, addresses[at : at + AT_ONCE])
    for vault, addresses in ADDRESSES.items()
    for at in range(0, len(addresses), AT_ONCE)
]


@dataclass(frozen=True, slots=True)
class Linked:
    """A page that another one leads to, by its route; the other one is an address, or the route of one found before."""

    route: str
    on: str


RECORD = "/objects/{object_name}/{record_id}"
LINKED: tuple[Linked, ...] = (
    Linked("/connections/{record_id}", "/ui/connections"),
    Linked("/connections/{record_id}/readiness", "/connections/{record_id}"),
    Linked("/connections/{record_id}/duplicate", "/connections/{record_id}"),
    Linked("/integrations/{record_id}", "/connections/{record_id}"),
    Linked("/integrations/{record_id}/dry-run", "/integrations/{record_id}"),
    Linked("/rules/{name}/preview", RULE),
    Linked("/rules/{name}/{kind}/{part}", RULE),
    Linked("/queues/{queue_name}", "/ui/queues"),
    Linked("/queues/{queue_name}/reset", "/queues/{queue_name}"),
    Linked("/groups/{group_id}", "/ui/groups"),
    Linked("/jobs/{job_id}", "/ui/jobs"),
    Linked(RECORD, REQUESTS),
    Linked(f"{RECORD}/edit", RECORD),
    Linked(f"{RECORD}/audit", RECORD),
    Linked(f"{RECORD}/delete", RECORD),
    Linked("/responses/{record_id}", RECORD),
)
"""Pages of the Medical Vault that are found by links, as people find them."""

MADE = (
    "/documents/{document_id}",
    "/documents/{document_id}/versions/{major}/{minor}",
    "/exceptions/{record_id}",
    "/groups/{group_id}/edit",
    "/packages/outbound/{package_id}",
    "/integrations/{record_id}/runs",
    "/integrations/{record_id}/runs/{job_id}",
)
"""Pages of the Medical Vault about what the test itself has made, by route."""

ELSEWHERE: Mapping[str, str] = {
    "/messages": "test_browser_connections.py, with a record",
    "/messages/{message_id}": "test_browser_connections.py, with a record",
    "/answers/{token}": "test_browser.py, with a package",
    "/responses/{record_id}/preview": "test_browser.py, with a package",
    "/sign-in": "test_browser_pages.py, by somebody without an account",
    "/password": "test_browser_pages.py, by somebody without an account",
    "/approved_viewer": "test_browser_pages.py, by somebody without an account",
}
"""Pages that a test of their own looks at, by route."""

LEFT_OUT: Mapping[str, str] = {
    "/permission-sets/{name}/edit": "the form of /permission-sets/new, filled in",
    "/profiles/{name}/edit": "the form of /profiles/new, filled in",
    "/packages/inbound/{package_id}": "needs a package of another Vault",
    "/packages/inbound/{package_id}/review": "needs a package of another Vault",
    "/connections/{record_id}/reconciliations/{job_id}": "needs a reconciliation, and there is one at a time",
    "/tasks/{task_id}": "needs a workflow, and no Vault is delivered with one",
    "/approved_viewer/file": "a file",
    "/lookups/download": "a file",
    "/lookups/template": "a file",
    "/connections/{record_id}/reconciliations/{job_id}/findings": "a file",
    "/documents/{document_id}/versions/{major}/{minor}/file": "a file",
    "/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition}": "a file",
    "/documents/{document_id}/attachments/{attachment_id}": "a file",
    "/packages/inbound/{package_id}/logs/{name}": "a file",
    "/packages/{package_id}/content": "a file",
    "/jobs/{job_id}/logs/{task_id}/{log}": "a file",
    "/answers/{token}/all": "a file",
    "/answers/{token}/{position}": "a file",
    "/responses/{record_id}/documents/{position}": "a file",
}
"""Routes that no browser looks at, by the reason."""


def routes() -> Iterator[APIRoute]:
    """The routes of pages that are opened by an address, in the order in which they are looked through."""
    for chapter in CHAPTERS:
        for route in chapter.router.routes:
            if isinstance(route, APIRoute) and "GET" in (route.methods or ()):
                yield route


def route_of(address: str) -> str:
    """The route that serves a page; empty for an address without one."""
    path = urlsplit(address).path.removeprefix("/ui")
    scope = {"type": "http", "path": path, "root_path": "", "method": "GET"}
    for route in routes():
        match, _ = route.matches(scope)
        if match is Match.FULL:
            return route.path
    return ""


def first_of(route: str, addresses: Iterable[str]) -> str:
    """The first of some addresses that a route serves; empty when there is none."""
    return next((each for each in addresses if route_of(each) == route), "")

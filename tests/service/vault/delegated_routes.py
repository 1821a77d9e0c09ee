"""Every route of a Vault, with what it does in a delegated session, and a delegate's calls of it."""

# ruff: noqa: E501  routes stand on one line each

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route

from shared.vault.admin import cookies
from tests.service.vault.served import Api

# What a delegate may not do whatever the delegator may: who has access, configuration, connections, what programs do.
REFUSED = """
POST /api/{version}/services/integrations/{integration}/runs
POST /ui/integrations/{record_id}/runs
GET /ui/integrations/{record_id}/runs
GET /ui/integrations/{record_id}/runs/{job_id}
POST /api/{version}/delegation/login
POST /api/{version}/services/delegations
DELETE /api/{version}/services/delegations/{delegation_id}
POST /api/{version}/metadata/vobjects/{object_name}/actions/canceldeployment
POST /api/{version}/objects/picklists/{picklist_name}
PUT /api/{version}/objects/picklists/{picklist_name}
PUT /api/{version}/objects/picklists/{picklist_name}/{value_name}
DELETE /api/{version}/objects/picklists/{picklist_name}/{value_name}
POST /api/{version}/objects/users
PUT /api/{version}/objects/users
POST /api/{version}/objects/users/me/password
PUT /api/{version}/objects/users/{user_id}
DELETE /api/{version}/objects/users/{user_id}
PUT /api/{version}/objects/users/{user_id}/vault_membership/{vault_id}
POST /api/{version}/objects/users/{user_id}/api_access_token__sys
DELETE /api/{version}/objects/users/{user_id}/api_access_token__sys/{token_id}
POST /api/{version}/objects/groups
PUT /api/{version}/objects/groups/{group_id}
DELETE /api/{version}/objects/groups/{group_id}
POST /api/{version}/api/mdl/execute
POST /api/mdl/execute
POST /api/mdl/execute_asyc
POST /api/{version}/api/mdl/execute_async
POST /api/mdl/execute_async
POST /api/api/mdl/files
POST /api/{version}/api/mdl/files
POST /api/mdl/files
GET /api/{version}/services/standard_configuration
GET /api/{version}/services/connections/{api_name}/file
POST /api/{version}/services/connections/{api_name}/actions/duplicate
POST /api/{version}/services/connections/actions/upload
POST /api/{version}/services/connections/{api_name}/session
POST /api/{version}/services/connections/{api_name}/signatures
PUT /api/{version}/services/queues/{queue_name}/actions/enable_delivery
PUT /api/{version}/services/queues/{queue_name}/actions/disable_delivery
PUT /api/{version}/services/queues/{queue_name}/actions/reset
POST /api/{version}/services/queues/{queue_name}/deliveries
PUT /api/{version}/services/queues/{queue_name}/actions/trace_delivery
POST /api/{version}/services/package
PUT /api/{version}/services/package
POST /api/{version}/services/package/actions/validate
POST /api/{version}/services/vobject/vault_package_v/{package_id}/actions/validate
POST /api/{version}/services/vobject/vault_package__v/{package_id}/actions/validate
PUT /api/{version}/vobject/vault_package__v/{package_id}/actions/deploy
POST /api/{version}/vobject/vault_package__v/{package_id}/actions/deploy
GET /api/{version}/vobject/vault_package__v/{package_id}/actions/deploy/results
GET /api/{version}/vobject/vault_package__v/{package_id}/actions/import/results
GET /api/{version}/vobject/outbound_package__v/{package_id}/dependencies
GET /api/{version}/vobjects/outbound_package__v/{package_id}/dependencies
GET /api/{version}/services/package/{package_id}/content
GET /api/{version}/services/package/{package_id}/logs/{name}
POST /api/{version}/services/configuration_mode/actions/enable
POST /api/{version}/services/configuration_mode/actions/disable
GET /api/{version}/services/clock
GET /api/{version}/services/integrations/{integration}/runs
GET /api/{version}/services/integrations/{integration}/runs/{job_id}
PUT /api/{version}/services/integrations/{integration}/runs/{job_id}
PUT /api/{version}/services/integrations/{integration}/runs/{job_id}/batches/{batch}
POST /ui/connections/{record_id}/file
POST /ui/connections/{record_id}/upload
GET /ui/connections/{record_id}/duplicate
POST /ui/connections/{record_id}/duplicate
POST /ui/integrations/{record_id}
GET /ui/lookups/upload
POST /ui/lookups/upload
GET /ui/rules/{name}/edit
POST /ui/rules/{name}/edit
GET /ui/rules/{name}/{kind}
POST /ui/rules/{name}/{kind}
GET /ui/rules/{name}/{kind}/{part}
POST /ui/rules/{name}/{kind}/{part}
POST /ui/rules/{name}/{kind}/{part}/delete
POST /ui/components
GET /ui/components/mdl
GET /ui/queues/{queue_name}/reset
POST /ui/queues/{queue_name}/reset
POST /ui/queues/{queue_name}/enable_delivery
POST /ui/queues/{queue_name}/disable_delivery
POST /ui/queues/{queue_name}/trace_delivery
"""

# What a delegate may do with business data as the delegator, and with no record of the platform's.
BUSINESS_DATA = """
POST /api/{version}/vobjects/{object_name}/roles
DELETE /api/{version}/vobjects/{object_name}/roles
POST /api/{version}/vobjects/{object_name}
PUT /api/{version}/vobjects/{object_name}
DELETE /api/{version}/vobjects/{object_name}
PUT /api/{version}/vobjects/{object_name}/{record_id}
DELETE /api/{version}/vobjects/{object_name}/{record_id}
POST /api/{version}/vobjects/{object_name}/actions/changetype
POST /api/{version}/vobjects/{object_name}/{record_id}/actions/cascadedelete
POST /api/{version}/vobjects/{object_name}/{record_id}/actions/deepcopy
POST /api/{version}/vobjects/{object_name}/actions/merge
POST /api/{version}/vobjects/{object_name}/actions/recalculaterollups
PUT /api/{version}/vobjects/{object_name}/actions/updatecorporatecurrency
POST /api/{version}/vobjects/{object_name}/{record_id}/attachment_fields/{field_name}/file
POST /api/{version}/vobjects/{object_name}/{record_id}/attachments
PUT /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}
DELETE /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}
POST /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions/{attachment_version}
DELETE /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions/{attachment_version}
POST /api/{version}/vobjects/{object_name}/attachments/batch
PUT /api/{version}/vobjects/{object_name}/attachments/batch
DELETE /api/{version}/vobjects/{object_name}/attachments/batch
POST /api/{version}/vobjects/{object_name}/{record_id}/actions/{action_name}
POST /api/{version}/vobjects/{object_name}/actions/{action_name}
GET /ui/objects/{object_name}/new
POST /ui/objects/{object_name}/new
GET /ui/objects/{object_name}/{record_id}/edit
POST /ui/objects/{object_name}/{record_id}/edit
GET /ui/objects/{object_name}/{record_id}/delete
POST /ui/objects/{object_name}/{record_id}/delete
POST /ui/objects/{object_name}/{record_id}/actions/{action_name}
"""

# What is the same as in a session of the delegator's own.
AS_THE_DELEGATOR = """
GET /openapi.json
POST /api/{version}/auth
POST /auth/discovery
POST /auth/oauth/session/{profile}
POST /api/{version}/keep-alive
DELETE /api/{version}/session
GET /api/
GET /api
GET /api/{version}
GET /api/{version}/
GET /api/{version}/delegation/vaults
GET /api/{version}/services/delegations
POST /api/{version}/query
POST /api/{version}/query/components
POST /api/{version}/query/{cursor}
GET /api/{version}/query/{cursor}
GET /api/{version}/vobjects/{object_name}/{record_id}/roles
GET /api/{version}/vobjects/{object_name}/{record_id}/roles/{role_name}
GET /api/{version}/vobjects/{object_name}
GET /api/{version}/vobjects/{object_name}/{record_id}
GET /api/{version}/vobjects/cascadedelete/results/{object_name}/{outcome}/{job_id}
GET /api/{version}/vobjects/deepcopy/results/{object_name}/{outcome}/{job_id}
GET /api/{version}/vobjects/{object_name}/actions/recalculaterollups
GET /api/{version}/vobjects/merges/{job_id}/status
GET /api/{version}/vobjects/merges/{job_id}/results
GET /api/{version}/vobjects/merges/{job_id}/log
GET /api/{version}/objects/deletions/vobjects/{object_name}
GET /api/{version}/objects/deletions/vobjects/{object_name}/attachments
GET /api/{version}/objects/deletions/documents
GET /api/{version}/vobjects/{object_name}/{record_id}/attachment_fields/file
GET /api/{version}/vobjects/{object_name}/{record_id}/attachment_fields/{field_name}/file
GET /api/{version}/vobjects/{object_name}/{record_id}/attachments
GET /api/{version}/vobjects/{object_name}/{record_id}/attachments/file
GET /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}
GET /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}/file
GET /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions
GET /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions/{attachment_version}
GET /api/{version}/vobjects/{object_name}/{record_id}/attachments/{attachment_id}/versions/{attachment_version}/file
GET /api/{version}/vobjects/{object_name}/{record_id}/actions
GET /api/{version}/vobjects/{object_name}/{record_id}/actions/{action_name}
GET /api/{version}/services/notifications
PUT /api/{version}/services/notifications
GET /api/{version}/metadata/vobjects
GET /api/{version}/metadata/vobjects/{object_name}
GET /api/{version}/metadata/vobjects/{object_name}/fields/{field_name}
GET /api/{version}/metadata/vobjects/{object_name}/page_layouts
GET /api/{version}/metadata/vobjects/{object_name}/page_layouts/{layout_name}
GET /api/{version}/limits
GET /api/{version}/metadata/components
GET /api/{version}/metadata/components/{type_name}
GET /api/{version}/objects/picklists
GET /api/{version}/objects/picklists/{picklist_name}
GET /api/{version}/objects/users
GET /api/{version}/objects/users/{user_id}
GET /api/{version}/objects/users/{user_id}/permissions
GET /api/{version}/objects/users/{user_id}/api_access_token__sys
GET /api/{version}/objects/groups
GET /api/{version}/objects/groups/auto
GET /api/{version}/objects/groups/{group_id}
GET /api/{version}/metadata/objects/users
GET /api/{version}/metadata/objects/groups
GET /api/{version}/objects/domain
GET /api/{version}/objects/domains
GET /api/{version}/objects/securitypolicies
GET /api/{version}/objects/securitypolicies/{security_policy_name}
GET /api/{version}/api/mdl/execute_async/{job_id}/results
GET /api/mdl/execute_async/{job_id}/results
GET /api/{version}/api/mdl/components/{component_name}
GET /api/mdl/components/{component_name}
GET /api/{version}/api/mdl/files/{file_name}
GET /api/mdl/files/{file_name}
GET /api/{version}/api/mdl/components/{component_name}/files
GET /api/mdl/components/{component_name}/files
GET /api/{version}/configuration/{component_name}
GET /api/{version}/services/certificate/{certificate_id}
GET /api/{version}/services/queues
GET /api/{version}/services/queues/{queue_name}
GET /api/{version}/services/queue_logs
GET /api/{version}/services/queue_logs/{log_date}
POST /api/{version}/services/exceptions/actions/retry
GET /api/{version}/services/jobs/histories
GET /api/{version}/services/jobs/monitors
POST /api/{version}/services/jobs/start_now/{job_id}
GET /api/{version}/services/jobs/{job_id}
GET /api/{version}/services/jobs/{job_id}/tasks
GET /api/{version}/services/file_staging/items/content/{item}
GET /api/{version}/services/file_staging/items/{item}
GET /api/{version}/services/file_staging/items
POST /api/{version}/services/file_staging/items
PUT /api/{version}/services/file_staging/items/{item}
DELETE /api/{version}/services/file_staging/items/{item}
POST /api/{version}/services/file_staging/upload
GET /api/{version}/services/file_staging/upload
GET /api/{version}/services/file_staging/upload/{upload_session_id}
GET /api/{version}/services/file_staging/upload/{upload_session_id}/parts
PUT /api/{version}/services/file_staging/upload/{upload_session_id}
POST /api/{version}/services/file_staging/upload/{upload_session_id}
DELETE /api/{version}/services/file_staging/upload/{upload_session_id}
POST /api/{version}/services/loader/load
POST /api/{version}/services/loader/extract
GET /api/{version}/services/loader/{job_id}/tasks/{task_id}/results
GET /api/{version}/services/loader/{job_id}/tasks/{task_id}/successlog
GET /api/{version}/services/loader/{job_id}/tasks/{task_id}/failurelog
GET /api/{version}/metadata/audittrail
GET /api/{version}/metadata/audittrail/{audit_trail_type}
GET /api/{version}/audittrail/{audit_trail_type}
GET /api/{version}/vobjects/{object_name}/{record_id}/audittrail
GET /api/{version}/objects/documents/{document_id}/audittrail
GET /api/{version}/services/lineage/vobjects/{object_name}/{record_id}
GET /api/{version}/services/lineage/messages/{message_id}
POST /api/{version}/objects/documents/batch
PUT /api/{version}/objects/documents/batch
DELETE /api/{version}/objects/documents/batch
GET /api/{version}/objects/documents
POST /api/{version}/objects/documents
GET /api/{version}/objects/documents/{document_id}
POST /api/{version}/objects/documents/{document_id}
PUT /api/{version}/objects/documents/{document_id}
DELETE /api/{version}/objects/documents/{document_id}
GET /api/{version}/objects/documents/{document_id}/versions
GET /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}
PUT /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}
DELETE /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}
GET /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/lifecycle_actions
GET /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/lifecycle_actions/{action_name}/entry_requirements
PUT /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/lifecycle_actions/{action_name}
GET /api/{version}/objects/documents/{document_id}/file
GET /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/file
GET /api/{version}/objects/documents/{document_id}/renditions
GET /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/renditions
GET /api/{version}/objects/documents/{document_id}/renditions/{rendition_type}
GET /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition_type}
POST /api/{version}/objects/documents/{document_id}/renditions/{rendition_type}
POST /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition_type}
PUT /api/{version}/objects/documents/{document_id}/renditions/{rendition_type}
PUT /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition_type}
DELETE /api/{version}/objects/documents/{document_id}/renditions/{rendition_type}
DELETE /api/{version}/objects/documents/{document_id}/versions/{major}/{minor}/renditions/{rendition_type}
GET /api/{version}/metadata/objects/documents/properties
GET /api/{version}/metadata/objects/documents/types
GET /api/{version}/metadata/objects/documents/types/{type_name}
GET /api/{version}/metadata/objects/documents/types/{type_name}/subtypes/{subtype_name}
GET /api/{version}/metadata/objects/documents/types/{type_name}/subtypes/{subtype_name}/classifications/{classification_name}
GET /docs
GET /healthz
GET /readyz
GET /metrics
GET /ui
GET /ui/sign-in
POST /ui/sign-in
GET /ui/password
POST /ui/password
POST /ui/sign-out
GET /ui/
GET /ui/connections
GET /ui/connections/{record_id}
GET /ui/integrations/{record_id}
GET /ui/lookups
GET /ui/rules
GET /ui/rules/{name}
GET /ui/components
GET /ui/components/{kind}
GET /ui/components/{kind}/{name}
GET /ui/queues
GET /ui/queues/{queue_name}
GET /ui/processors
GET /ui/queue-log
GET /ui/queue-log/{day}
GET /ui/exceptions
POST /ui/exceptions/actions
POST /ui/exceptions/retry
GET /ui/exceptions/{record_id}
GET /ui/jobs
GET /ui/jobs/{job_id}
GET /ui/jobs/{job_id}/logs/{task_id}/{log}
POST /ui/jobs/{job_id}/start
POST /ui/jobs/{job_id}/cancel
GET /ui/objects
GET /ui/objects/{object_name}
POST /ui/objects/{object_name}
GET /ui/objects/{object_name}/{record_id}
GET /ui/objects/{object_name}/{record_id}/audit
"""

VALUES = {
    "version": "v25.1",
    "record_id": "V00000000000001",
    "user_id": "me",
    "token_id": "V8T000000000001",
    "delegation_id": "987654",
    "group_id": "987654",
    "api_name": "medical_crm__v",
    "job_id": "987654",
    "batch": "1",
    "attachment_id": "1",
    "attachment_version": "1",
    "document_id": "1",
    "major": "0",
    "minor": "1",
}
"""What stands in a path; any other parameter is a name of nothing."""

# Calls whose body is looked at before what the caller may do.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/{version}/delegation/login": {
        "data": {"vault_id": "{vault_id}", "delegator_userid": "2"}
    },
    "POST /api/{version}/services/delegations": {"data": {"delegate_userid": "2"}},
    "POST /api/{version}/objects/picklists/{picklist_name}": {
        "data": {"value_1": "One"}
    },
    "POST /api/{version}/objects/users/me/password": {
        "data": {"password__v": "wrong", "new_password__v": "nineteen lemon ladders"}
    },
    "POST /api/{version}/services/connections/{api_name}/actions/duplicate": {
        "data": {"name": "Copy", "api_name": "copy__c", "queue_prefix": "copy__c"}
    },
    "POST /api/{version}/services/connections/actions/upload": {"data": {"file": "{}"}},
    "POST /api/{version}/services/connections/{api_name}/signatures": {
        "json": {"messages": ["a message"]}
    },
    "PUT /api/{version}/services/integrations/{integration}/runs/{job_id}": {
        "json": {"error": "The source is away"}
    },
    "PUT /api/{version}/services/integrations/{integration}/runs/{job_id}/batches/{batch}": {
        "json": {
            "integration_point": "point__c",
            **dict.fromkeys(("read", "mapped", "skipped", "written", "failed"), 0),
        }
    },
    "POST /api/{version}/vobjects/{object_name}/actions/{action_name}": {
        "data": {"ids": "V00000000000001"}
    },
}
# What a user in person would leave behind, and how it is undone.
UNDONE_BY = {
    "POST /api/{version}/services/configuration_mode/actions/enable": (
        "POST /api/{version}/services/configuration_mode/actions/disable"
    )
}
DENIED = re.compile("sufficient privileges to .* in a delegated session")


def entries(table: str) -> list[str]:
    """The routes of a table, each as ``METHOD path``."""
    return table.split("\n")[1:-1]


def routes(app: FastAPI) -> list[str]:
    """The routes that an application serves."""
    return list(dict.fromkeys(_routes(app.routes, "")))


def _routes(found: Iterable[BaseRoute], prefix: str) -> Iterator[str]:
    for route in found:
        if isinstance(route, Mount):
            yield from _routes(route.routes, prefix + route.path)
        elif isinstance(route, Route):
            path = re.sub(r":\w+}", "}", prefix + route.path)
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield f"{method} {path}"
        else:
            # What an application includes of a chapter.
            included = route.original_router.routes  # type: ignore[attr-defined]
            yield from _routes(included, prefix)


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls of routes in one session; ``values`` are the parameters of paths that only this Vault has."""

    api: Api
    values: dict[str, str]

    async def play(self, route: str, **values: str) -> str:
        """Call a route, and return all that is answered."""
        method, _, path = route.partition(" ")
        options = self._body(route) if method != "GET" else {}
        headers = {"Authorization": self.api.session_id or ""}
        if path.startswith("/ui"):
            headers = {"Cookie": f"{self._cookie}={self.api.session_id}"}
            token = cookies.form_token(self.api.session_id or "")
            options = {} if method == "GET" else {"data": {"token": token}}
        url = self.api.url + self._filled(path, values)
        async with self.api.http.request(
            method, url, headers=headers, allow_redirects=False, **options
        ) as answer:
            note = answer.headers.getall("Set-Cookie", [])
            return await answer.text() + "".join(note)

    @property
    def _cookie(self) -> str:
        return cookies.session_cookie(int(self.values["vault_id"]))

    def _body(self, route: str) -> dict[str, Any]:
        body = BODIES.get(route, {"data": {"x": "1"}})
        if "data" not in body:
            return body
        fields = {name: self._filled(text, {}) for name, text in body["data"].items()}
        return {"data": fields}

    def _filled(self, path: str, values: dict[str, str]) -> str:
        known = {**VALUES, **self.values, **values}
        return re.sub(r"{(\w+)}", lambda part: known.get(part[1], "nothing__c"), path)

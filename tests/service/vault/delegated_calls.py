"""Calls every route of a Vault in one session."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from starlette.routing import BaseRoute, Mount, Route

from shared.vault.admin import cookies
from tests.service.vault.served import Api

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
    "relationship_id": "1",
    "template_name": "nothing__c",
    "event_type": "distribution__v",
    "event_subtype": "approved_email__v",
    "document_id": "1",
    "major": "0",
    "minor": "1",
    "addition": "user-action",
    "member_kind": "Objectlifecyclestateuseraction",
}
"""What stands in a path; any other parameter is a name of nothing."""

# Calls whose body is looked at before what the caller may do.
BODIES: dict[str, dict[str, Any]] = {
    "POST /api/{version}/delegation/login": {
        "data": {"vault_id": "{vault_id}", "delegator_userid": "2"}
    },
    "POST /api/{version}/objects/documents/tokens": {"data": {"docIds": "1"}},
    "POST /api/{version}/services/delegations": {"data": {"delegate_userid": "2"}},
    "POST /api/{version}/objects/picklists/{picklist_name}": {
        "data": {"value_1": "One"}
    },
    "POST /api/{version}/objects/users/me/password": {
        "data": {"password__v": "wrong", "new_password__v": "nineteen lemon ladders"}
    },
    "POST /api/{version}/objects/users/{user_id}/password": {
        "data": {"password__v": "wrong", "new_password__v": "nineteen lemon ladders"}
    },
    "POST /api/{version}/services/connections/{api_name}/actions/duplicate": {
        "data": {"name": "Copy", "api_name": "copy__c", "queue_prefix": "copy__c"}
    },
    "POST /api/{version}/services/connections/actions/upload": {"data": {"file": "{}"}},
    "POST /api/{version}/services/connections/{api_name}/signatures": {
        "json": {"messages": ["a message"]}
    },
    "PUT /api/{version}/services/reconciliations/{job_id}": {
        "json": {"error": "The source is away"}
    },
    "PUT /api/{version}/services/reconciliations/{job_id}/slices/{slice_number}": {
        "json": {"equal": 0}
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
    """Calls routes in one session; ``values`` are this Vault's values of path parameters."""

    api: Api
    values: dict[str, str]

    async def play(self, route: str, **values: str) -> str:
        """Call a route, and return all texts of its answers."""
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


def entries(table: str) -> list[str]:
    """The routes of a table, each as ``METHOD path``."""
    return table.split("\n")[1:-1]

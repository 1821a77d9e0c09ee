"""The calls of the Vault REST API that a connected process makes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self
from urllib.parse import quote

from shared.client.errors import UnexpectedAnswer, VaultRefused
from shared.client.results import (
    Page,
    QueryResult,
    Row,
    RowResult,
    mapping,
    read_page,
    read_row_results,
    rows_of,
)
from shared.client.services import ServiceCalls
from shared.client.session import API, MAX_ROWS, Session, SignIn, path_part
from shared.client.transport import Request, Transport
from shared.protocol.error_types import ErrorType

MAX_PAGES = 100_000
DOCUMENTS = "documents"

_USERS_ME = Request("users_me", "GET", f"{API}/objects/users/me")


class VaultClient(ServiceCalls):
    """One user's access to one Vault, for many tasks at once.

    Every call signs in when needed, and once more when the Vault says that the session is over. Besides
    what it says itself, every call raises

    * :class:`~shared.client.errors.VaultUnavailable`: no answer, or none that could be read; it will pass;
    * :class:`~shared.client.errors.VaultRefused`: the Vault's own error; it will not pass by waiting.
    """

    def __init__(
        self,
        url: str,
        username: str,
        password: str,
        *,
        client_id: str = "medical-crm-connector",
        timeout: float = 30.0,
        concurrency: int = 8,
    ) -> None:
        """``timeout`` bounds one request in seconds, ``concurrency`` how many are under way."""
        self._transport = Transport(url, client_id, timeout, concurrency)
        form = {"username": username, "password": password}
        request = Request("sign_in", "POST", f"{API}/auth", form=form)
        self._sign_in = SignIn(lambda: self._transport.send(request, None))

    async def __aenter__(self) -> Self:
        """Nothing is sent yet."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the connections; the session stays valid at the Vault unless signed out."""
        await self.close()

    @property
    def vault_id(self) -> int:
        """The Vault's id; known after the first call.

        :raises RuntimeError: not signed in yet.
        """
        return self._session().vault_id

    @property
    def user_id(self) -> int:
        """The signed-in user's id; known after the first call.

        :raises RuntimeError: not signed in yet.
        """
        return self._session().user_id

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def sign_in(self) -> None:
        """Sign in now, unless that was done before."""
        await self._sign_in.session()

    async def sign_out(self) -> None:
        """End the session at the Vault, if there is one."""
        session = self._sign_in.current
        self._sign_in.forget()
        if session is not None:
            await self._transport.send(
                Request("sign_out", "DELETE", f"{API}/session"), session.id
            )

    async def users_me(self) -> Row:
        """Return the signed-in user."""
        return _user(await self._call(_USERS_ME))

    async def user_of(self, session_id: str) -> Row:
        """Return the user whose session of this Vault this is, which somebody else has given."""
        if not (session_id.isascii() and session_id.isprintable()):
            raise VaultRefused(
                ErrorType.INVALID_SESSION_ID, "Invalid or expired session ID"
            )
        return _user(await self._transport.send(_USERS_ME, session_id))

    # Queries

    async def query(self, vql: str, *, describe: bool = False) -> QueryResult:
        """Run a query and return the rows of all its pages."""
        rows: list[Row] = []
        description: Row | None = None
        async with aclosing(self.query_pages(vql, describe=describe)) as pages:
            async for page in pages:
                rows += page.rows
                description = description or page.describe
        return QueryResult(rows, description)

    async def query_pages(
        self, vql: str, *, describe: bool = False
    ) -> AsyncGenerator[Page, None]:
        """Run a query page by page; the next page is fetched while the caller works on the last.

        Wrap it in ``contextlib.aclosing`` when leaving early, so that the page under way is given up.
        """
        headers = {"X-VaultAPI-DescribeQuery": "true"} if describe else {}
        page = read_page(
            await self._call(
                Request(
                    "query", "POST", f"{API}/query", form={"q": vql}, headers=headers
                )
            )
        )
        for _ in range(MAX_PAGES):
            if page.next_page is None:
                yield page
                return
            following = asyncio.create_task(self._page(page.next_page))
            try:
                yield page
                page = await following
            finally:
                following.cancel()
                # Fetched or not, its outcome is taken note of here.
                await asyncio.gather(following, return_exceptions=True)
        raise UnexpectedAnswer("a query without an end")

    async def _page(self, address: str) -> Page:
        return read_page(
            await self._call(
                Request("query_page", "GET", self._transport.local(address))
            )
        )

    # Records

    async def record(self, object: str, id: str) -> Row:
        """Return one record by its id."""
        answer = await self._call(
            Request("record", "GET", f"{_records(object)}/{path_part(id)}")
        )
        return mapping(answer.get("data"), "data")

    async def create(
        self, object: str, rows: Sequence[Mapping[str, object]]
    ) -> list[RowResult]:
        """Create records, 500 a call, one result a row in order.

        When a later call fails, the rows of the calls before it are already written.
        """
        return await self._write("create", "POST", object, rows, {})

    async def update(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None = None,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Update records found by ``id``, or by the unique field ``id_param``; as :meth:`create`.

        ``lineage`` is JSON: what the rows with :data:`~shared.client.results.LINEAGE` have in common.
        """
        params = {} if id_param is None else {"idParam": id_param}
        return await self._write("update", "PUT", object, rows, params, lineage)

    async def upsert(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Create or update records by the unique field ``id_param``; as :meth:`update`."""
        return await self._write(
            "upsert", "POST", object, rows, {"idParam": id_param}, lineage
        )

    async def delete(self, object: str, ids: Sequence[str]) -> list[RowResult]:
        """Delete records by id; as :meth:`create`."""
        return await self._write(
            "delete", "DELETE", object, [{"id": record} for record in ids], {}
        )

    async def create_documents(
        self, rows: Sequence[Mapping[str, object]], id_param: str | None = None
    ) -> list[RowResult]:
        """Create documents without files, each row with its ``type__v``; as :meth:`create`.

        With ``id_param`` a row fails with ITEM_NAME_EXISTS when a document has its value of that field already.
        """
        params = {} if id_param is None else {"idParam": id_param}
        return await self._write("create_documents", "POST", None, rows, params)

    async def update_documents(
        self, rows: Sequence[Mapping[str, object]]
    ) -> list[RowResult]:
        """Change the latest versions of documents found by ``id``; as :meth:`create`."""
        return await self._write("update_documents", "PUT", None, rows, {})

    async def deletions(
        self, object: str, start: str, end: str, *, limit: int, offset: int
    ) -> list[Row]:
        """Return a page of an object's deletions between two moments, the earliest first: ``id``, ``date_deleted``.

        Those of documents, too, which are called ``documents``.
        """
        params = {
            "start_date": start,
            "end_date": end,
            "limit": str(limit),
            "offset": str(offset),
        }
        kind = object if object == DOCUMENTS else f"vobjects/{quote(object, safe='')}"
        path = f"{API}/objects/deletions/{kind}"
        answer = await self._call(Request("deletions", "GET", path, params=params))
        return rows_of(answer.get("data"), "data")

    async def _write(
        self,
        call: str,
        method: str,
        object: str | None,
        rows: Sequence[Mapping[str, object]],
        params: Mapping[str, str],
        lineage: str | None = None,
    ) -> list[RowResult]:
        headers = {} if lineage is None else {"X-VaultAPI-Lineage": lineage}
        results: list[RowResult] = []
        for start in range(0, len(rows), MAX_ROWS):
            part = [dict(row) for row in rows[start : start + MAX_ROWS]]
            path = (
                f"{API}/objects/documents/batch" if object is None else _records(object)
            )
            request = Request(
                call, method, path, json=part, headers=headers, params=params
            )
            results += read_row_results(await self._call(request), len(part))
        return results

    # User actions

    async def actions(self, object: str, id: str) -> list[Row]:
        """Return the user actions available on a record: ``name``, ``label``, ``type``."""
        answer = await self._call(
            Request("actions", "GET", f"{_records(object)}/{path_part(id)}/actions")
        )
        return rows_of(answer.get("data"), "data")

    async def run_action(
        self, object: str, id: str, action: str, fields: Mapping[str, str] | None = None
    ) -> None:
        """Run a user action on a record, with ``fields`` for its prompts."""
        path = f"{_records(object)}/{path_part(id)}/actions/{path_part(action)}"
        await self._call(Request("run_action", "POST", path, form=dict(fields or {})))

    async def run_bulk_action(
        self, object: str, ids: Sequence[str], action: str
    ) -> list[RowResult]:
        """Run a user action on records, 500 a call, one result an id in order."""
        results: list[RowResult] = []
        for start in range(0, len(ids), MAX_ROWS):
            part = ids[start : start + MAX_ROWS]
            path = f"{_records(object)}/actions/{path_part(action)}"
            answer = await self._call(
                Request("run_bulk_action", "POST", path, form={"ids": ",".join(part)})
            )
            results += read_row_results(answer, len(part))
        return results

    # Components

    async def object_metadata(self, object: str) -> Row:
        """Return an object's definition with its fields and relationships."""
        answer = await self._call(
            Request(
                "object_metadata", "GET", f"{API}/metadata/vobjects/{path_part(object)}"
            )
        )
        return mapping(answer.get("object"), "object")

    async def document_metadata(self) -> Row:
        """Return what documents are like: the fields that they have as ``properties``."""
        path = f"{API}/metadata/objects/documents/properties"
        answer = await self._call(Request("document_metadata", "GET", path))
        return {"properties": rows_of(answer.get("properties"), "properties")}

    async def configuration(self, component_type: str) -> list[Row]:
        """Return all components of a type, for example ``Integrationrule``, with their sub-components."""
        answer = await self._call(
            Request(
                "configuration",
                "GET",
                f"{API}/configuration/{path_part(component_type)}",
            )
        )
        return rows_of(answer.get("data"), "data")

    async def component_types(self) -> list[Row]:
        """Return the component types that the Vault knows: ``name``, ``class``, ``label``."""
        answer = await self._call(
            Request("component_types", "GET", f"{API}/metadata/components")
        )
        return rows_of(answer.get("data"), "data")

    async def component_mdl(self, name: str) -> str:
        """Return the component ``Type.name`` as MDL text."""
        request = Request(
            "component_mdl", "GET", f"/api/mdl/components/{path_part(name)}"
        )
        return await self._replayed(
            lambda session: self._transport.send_for_text(request, session.id)
        )

    async def execute_mdl(self, text: str) -> Row:
        """Run an MDL script and return the whole answer, with a result a statement."""
        return await self._call(
            Request("execute_mdl", "POST", "/api/mdl/execute", text=text)
        )

    def _session(self) -> Session:
        if self._sign_in.current is None:
            raise RuntimeError("not signed in yet")
        return self._sign_in.current


def _user(answer: Row) -> Row:
    users = rows_of(answer.get("users"), "users")
    if not users:
        raise UnexpectedAnswer("users is empty")
    return mapping(users[0].get("user"), "user")


def _records(object: str) -> str:
    return f"{API}/vobjects/{path_part(object)}"

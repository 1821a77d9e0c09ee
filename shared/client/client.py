"""Makes the calls of the Vault REST API that a connected process needs: sign-in, records, user actions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import quote

from shared.client.component_calls import ComponentCalls
from shared.client.errors import UnexpectedAnswer, VaultRefused
from shared.client.query_calls import QueryCalls
from shared.client.results import (
    LatestRevision,
    Row,
    RowResult,
    mapping,
    read_row_results,
    rows_of,
)
from shared.client.services import ServiceCalls
from shared.client.transport import (
    API,
    MAX_ROWS,
    MAX_SESSION_ID_LENGTH,
    Request,
    Session,
    SignIn,
    Transport,
    path_part,
)
from shared.protocol.error_types import ErrorType

# The deletions of documents have an address of their own, as if they were an object of this name.
DOCUMENTS = "documents"
UNCHANGED_HEADER = "X-VaultAPI-UnchangedFieldBehavior"

_USERS_ME = Request("users_me", "GET", f"{API}/objects/users/me")


class VaultClient(QueryCalls, ServiceCalls, ComponentCalls):
    """One user's access to one Vault, for many tasks at once.

    Every call signs in when needed, and once more when the Vault says that the session is over. Besides
    what its own docstring says, every call raises

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
        """Take address and user; ``timeout`` bounds one request in seconds, ``concurrency`` how many are under way."""
        self._transport = Transport(
            url, client_id, timeout, concurrency, LatestRevision()
        )
        form = {"username": username, "password": password}
        request = Request("sign_in", "POST", f"{API}/auth", form=form, repeatable=True)
        self._sign_in = SignIn(lambda: self._transport.send(request, None))

    async def __aenter__(self) -> Self:
        """Return this client; nothing is sent yet."""
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
        """Return the Vault's id, known after the first call.

        :raises RuntimeError: not signed in yet.
        """
        return self._session().vault_id

    @property
    def user_id(self) -> int:
        """Return the signed-in user's id, known after the first call.

        :raises RuntimeError: not signed in yet.
        """
        return self._session().user_id

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def sign_in(self) -> None:
        """Sign in now, unless that was done before."""
        await self._sign_in.session()

    async def session_id(self) -> str:
        """Return the id of the session, to pass to another process that calls this Vault with the user's rights."""
        session = await self._sign_in.session()
        return session.id

    async def sign_out(self) -> None:
        """End the session at the Vault, if there is one."""
        session = self._sign_in.current
        # Forgotten first, so that no call begins with a session that is about to end.
        self._sign_in.forget()
        if session is not None:
            request = Request("sign_out", "DELETE", f"{API}/session")
            await self._transport.send(request, session.id)

    async def users_me(self) -> Row:
        """Return the signed-in user."""
        answer = await self._call(_USERS_ME)
        return _user(answer)

    async def user_of(self, session_id: str) -> Row:
        """Return the user of a session of this Vault that another process has passed on.

        :raises VaultRefused: INVALID_SESSION_ID when it is no session of this Vault.
        """
        # It goes into a header, and comes from a stranger: what cannot be one costs the Vault no call.
        if not _may_be_session(session_id):
            raise VaultRefused(
                ErrorType.INVALID_SESSION_ID, "Invalid or expired session ID"
            )
        answer = await self._transport.send(_USERS_ME, session_id)
        return _user(answer)

    def for_session(self, session_id: str) -> Self:
        """Return a client of this Vault that uses a session passed on by another process.

        It shares this client's network connections, and is closed with it. When the session has expired, or is none of
        this Vault, calls raise VaultRefused: INVALID_SESSION_ID.
        """

        async def ask() -> Row:
            user = await self.user_of(session_id)
            return {
                "sessionId": session_id,
                "userId": user.get("id"),
                "vaultId": self.vault_id,
            }

        # A copy shares the transport, and with it the bound on requests that are under way.
        client = copy(self)
        client._sign_in = SignIn(ask)  # noqa: SLF001  of this class
        return client

    # Records

    async def record(self, object: str, id: str) -> Row:
        """Return one record by its id."""
        path = f"{_records(object)}/{path_part(id)}"
        request = Request("record", "GET", path)
        answer = await self._call(request)
        return mapping(answer.get("data"), "data")

    async def create(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Create records, 500 a call; return one result for each row, in order.

        When a later call fails, the rows of the calls before it are already written. ``lineage`` is that of ``update``.
        """
        return await self._write("create", "POST", object, rows, {}, lineage)

    async def update(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None = None,
        *,
        lineage: str | None = None,
        unchanged: bool = False,
    ) -> list[RowResult]:
        """Update records found by ``id``, or by the unique field ``id_param``; as :meth:`create`.

        ``lineage`` is the common lineage, as JSON, of the rows with :data:`~shared.client.results.LINEAGE`. With
        ``unchanged``, rows may also name fields that only the Vault sets, with the values that were read; a row is
        refused if its record has other values now.
        """
        params = {} if id_param is None else {"idParam": id_param}
        more = {UNCHANGED_HEADER: "AlwaysIgnore"} if unchanged else {}
        return await self._write("update", "PUT", object, rows, params, lineage, more)

    async def upsert(
        self,
        object: str,
        rows: Sequence[Mapping[str, object]],
        id_param: str,
        *,
        lineage: str | None = None,
    ) -> list[RowResult]:
        """Create or update records by the unique field ``id_param``; as :meth:`update`."""
        params = {"idParam": id_param}
        return await self._write("upsert", "POST", object, rows, params, lineage)

    async def delete(self, object: str, ids: Sequence[str]) -> list[RowResult]:
        """Delete records by id; as :meth:`create`."""
        rows = [{"id": record} for record in ids]
        return await self._write("delete", "DELETE", object, rows, {})

    async def create_documents(
        self,
        rows: Sequence[Mapping[str, object]],
        id_param: str | None = None,
    ) -> list[RowResult]:
        """Create documents without files, each row with its ``type__v``; as :meth:`create`.

        With ``id_param`` a row fails with ITEM_NAME_EXISTS when a document has its value of that field already.
        """
        params = {} if id_param is None else {"idParam": id_param}
        return await self._write("create_documents", "POST", None, rows, params)

    async def update_documents(
        self,
        rows: Sequence[Mapping[str, object]],
    ) -> list[RowResult]:
        """Change the latest versions of documents found by ``id``; as :meth:`create`."""
        return await self._write("update_documents", "PUT", None, rows, {})

    async def deletions(
        self,
        object: str,
        start: str,
        end: str,
        *,
        limit: int,
        offset: int,
    ) -> list[Row]:
        """Return a page of an object's deletions between two moments, the earliest first: ``id``, ``date_deleted``.

        The object ``documents`` stands for documents.
        """
        params = {
            "start_date": start,
            "end_date": end,
            "limit": str(limit),
            "offset": str(offset),
        }
        kind = object if object == DOCUMENTS else f"vobjects/{quote(object, safe='')}"
        path = f"{API}/objects/deletions/{kind}"
        request = Request("deletions", "GET", path, params=params)
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def _write(
        self,
        call: str,
        method: str,
        object: str | None,
        rows: Sequence[Mapping[str, object]],
        params: Mapping[str, str],
        lineage: str | None = None,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> list[RowResult]:
        """Write rows, those of documents when ``object`` is None, and return one result for each row, in order."""
        path = f"{API}/objects/documents/batch" if object is None else _records(object)
        traced = {} if lineage is None else {"X-VaultAPI-Lineage": lineage}
        # A Vault that does not know the parameter answers with an entry for each row.
        headers = {"Accept": "application/json; results=brief", **traced, **more}
        results: list[RowResult] = []
        # One call after the other, so that rows are written in their order.
        for start in range(0, len(rows), MAX_ROWS):
            part = [
                row if isinstance(row, dict) else dict(row)
                for row in rows[start : start + MAX_ROWS]
            ]
            request = Request(
                call,
                method,
                path,
                json=part,
                headers=headers,
                params=params,
                # Found by its key, a record that was created is updated the second time.
                repeatable=call == "upsert",
            )
            answer = await self._call(request)
            results += read_row_results(answer, len(part))
        return results

    # User actions

    async def actions(self, object: str, id: str) -> list[Row]:
        """Return the user actions available on a record: ``name``, ``label``, ``type``."""
        path = f"{_records(object)}/{path_part(id)}/actions"
        request = Request("actions", "GET", path)
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def run_action(
        self,
        object: str,
        id: str,
        action: str,
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Run a user action on a record, with ``fields`` for its prompts."""
        path = f"{_records(object)}/{path_part(id)}/actions/{path_part(action)}"
        form = dict(fields or {})
        request = Request("run_action", "POST", path, form=form)
        await self._call(request)

    async def run_bulk_action(
        self,
        object: str,
        ids: Sequence[str],
        action: str,
    ) -> list[RowResult]:
        """Run a user action on records, 500 a call; return one result for each id, in order."""
        path = f"{_records(object)}/actions/{path_part(action)}"
        results: list[RowResult] = []
        for start in range(0, len(ids), MAX_ROWS):
            part = ids[start : start + MAX_ROWS]
            form = {"ids": ",".join(part)}
            request = Request("run_bulk_action", "POST", path, form=form)
            answer = await self._call(request)
            results += read_row_results(answer, len(part))
        return results

    def _session(self) -> Session:
        if self._sign_in.current is None:
            raise RuntimeError("not signed in yet")
        return self._sign_in.current


def _may_be_session(text: str) -> bool:
    """Return whether a text may be a session id, alone or after ``Bearer``: one word of visible ASCII."""
    scheme, _, rest = text.partition(" ")
    word = rest.strip() if scheme.lower() == "bearer" else text
    is_visible = word.isascii() and word.isprintable() and " " not in word
    return is_visible and 0 < len(word) <= MAX_SESSION_ID_LENGTH


def _user(answer: Row) -> Row:
    users = rows_of(answer.get("users"), "users")
    if not users:
        raise UnexpectedAnswer("users is empty")
    return mapping(users[0].get("user"), "user")


def _records(object: str) -> str:
    return f"{API}/vobjects/{path_part(object)}"

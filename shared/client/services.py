"""The calls about what moves between Vaults: queues, runs of integrations, connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Self

import orjson

from shared.client.errors import UnexpectedAnswer
from shared.client.results import Row, mapping, rows_of, text_of, whole
from shared.client.session import API, MAX_ROWS, SignedInCalls, SignIn, path_part
from shared.client.transport import Request


class ServiceCalls(SignedInCalls):
    """Queues, runs and connections of one Vault."""

    # Queues

    async def queues(self) -> list[Row]:
        """Return the Spark queues: ``name``, ``status``, ``type``."""
        answer = await self._call(Request("queues", "GET", f"{API}/services/queues"))
        return rows_of(answer.get("data"), "data")

    async def queue(self, name: str) -> Row:
        """Return a queue with ``delivery``, ``messages_in_queue`` and ``connections``."""
        answer = await self._call(
            Request("queue", "GET", f"{API}/services/queues/{path_part(name)}")
        )
        found = rows_of(answer.get("data"), "data")
        if not found:
            raise UnexpectedAnswer("data is empty")
        return found[0]

    async def set_delivery(self, name: str, enabled: bool) -> None:
        """Let the messages of an outbound queue leave, or hold them."""
        action = "enable_delivery" if enabled else "disable_delivery"
        await self._call(
            Request(
                action,
                "PUT",
                f"{API}/services/queues/{path_part(name)}/actions/{action}",
            )
        )

    async def report_deliveries(
        self, name: str, rows: Sequence[Mapping[str, object]]
    ) -> None:
        """Tell an outbound queue's Vault what became of its messages, 500 rows a call.

        A row has ``message_id``, ``connection_name``, ``queue_time``, ``send_time`` and ``attempts``; that of a
        message which is given up has ``error`` and ``message``, its body.
        """
        path = f"{API}/services/queues/{path_part(name)}/deliveries"
        for start in range(0, len(rows), MAX_ROWS):
            part = [dict(row) for row in rows[start : start + MAX_ROWS]]
            await self._call(Request("report_deliveries", "POST", path, json=part))

    async def reset_queue(self, name: str) -> None:
        """Delete the messages of a queue."""
        await self._call(
            Request(
                "reset_queue",
                "PUT",
                f"{API}/services/queues/{path_part(name)}/actions/reset",
            )
        )

    # Runs of integrations

    async def clock(self) -> str:
        """Return a moment before which the Vault will date no change that is made from now on."""
        answer = await self._call(Request("clock", "GET", f"{API}/services/clock"))
        return text_of(
            mapping(answer.get("data"), "data").get("date_time"), "date_time"
        )

    async def run(self, integration: str, job: int) -> Row:
        """Return a run of an integration: status, counts, and how far the reading has come."""
        return await self._run_call("run", "GET", f"{_runs(integration)}/{job}", None)

    async def request_run(self, integration: str) -> int:
        """Have an integration run now, and return the job's id."""
        answer = await self._call(Request("request_run", "POST", _runs(integration)))
        return whole(answer.get("job_id"), "job_id")

    async def tell_run(
        self, integration: str, job: int, told: Mapping[str, object]
    ) -> Row:
        """Tell how far the reading of a run has come, and return the run as it is then."""
        return await self._run_call(
            "tell_run", "PUT", f"{_runs(integration)}/{job}", told
        )

    async def report_batch(
        self,
        integration: str,
        job: int,
        batch: int,
        integration_point: str,
        counts: Mapping[str, int],
    ) -> Row:
        """Report what a batch of a run came to, and return the run as it is then."""
        report = {"integration_point": integration_point, **counts}
        return await self._run_call(
            "report_batch", "PUT", f"{_runs(integration)}/{job}/batches/{batch}", report
        )

    async def _run_call(
        self, call: str, method: str, path: str, told: Mapping[str, object] | None
    ) -> Row:
        answer = await self._call(Request(call, method, path, json=told))
        return mapping(answer.get("data"), "data")

    # Connections

    def for_connection(self, api_name: str) -> Self:
        """The same Vault as the Vault at the other end of this connection may use it.

        It shares this client's connections, and ends with it.
        """
        path = f"{API}/services/connections/{path_part(api_name)}/session"
        request = Request("connection_session", "POST", path)
        client = copy(self)
        client._sign_in = SignIn(lambda: self._call(request))  # noqa: SLF001  of this class
        return client

    async def connection_file(self, api_name: str) -> Row:
        """Return a new, signed connection file of a Pending connection."""
        path = f"{API}/services/connections/{path_part(api_name)}/file"
        return mapping(
            (await self._call(Request("connection_file", "GET", path))).get("data"),
            "data",
        )

    async def certificate(self, certificate_id: str) -> str:
        """Return, as PEM, a certificate of what the Vault signs."""
        request = Request(
            "certificate",
            "GET",
            f"{API}/services/certificate/{path_part(certificate_id)}",
        )
        return await self._replayed(
            lambda session: self._transport.send_for_text(request, session.id)
        )

    async def duplicate_connection(
        self, connection: str, name: str, api_name: str, remote_vault_id: int
    ) -> str:
        """Copy a connection for one more remote Vault; return the copy's record id."""
        path = f"{API}/services/connections/{path_part(connection)}/actions/duplicate"
        form = {
            "name": name,
            "api_name": api_name,
            "remote_vault_id": str(remote_vault_id),
        }
        answer = await self._call(
            Request("duplicate_connection", "POST", path, form=form)
        )
        return text_of(mapping(answer.get("data"), "data").get("id"), "id")

    async def sign_messages(
        self, connection: str, messages: Sequence[str]
    ) -> tuple[str, list[Row]]:
        """Return the address of an External connection, and the headers of each message, at most 500, in order."""
        path = f"{API}/services/connections/{path_part(connection)}/signatures"
        answer = await self._call(
            Request("sign_messages", "POST", path, json={"messages": list(messages)})
        )
        data = mapping(answer.get("data"), "data")
        headers = rows_of(data.get("headers"), "headers")
        if len(headers) != len(messages):
            raise UnexpectedAnswer("headers are not one a message")
        return text_of(data.get("url"), "url"), headers

    async def upload_connection_file(
        self, file: Mapping[str, object], connection: str = ""
    ) -> Row:
        """Upload a connection file or an acceptance; return ``connection``, ``state`` and perhaps ``acceptance``."""
        form = {"file": orjson.dumps(file).decode(), "connection": connection}
        request = Request(
            "upload_connection_file",
            "POST",
            f"{API}/services/connections/actions/upload",
            form=form,
        )
        return mapping((await self._call(request)).get("data"), "data")


def _runs(integration: str) -> str:
    return f"{API}/services/integrations/{path_part(integration)}/runs"

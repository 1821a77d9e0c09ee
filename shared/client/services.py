"""Makes the calls about traffic between Vaults: lineage, queues, runs of integrations, connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from typing import Self

import orjson

from shared.client.errors import UnexpectedAnswer
from shared.client.results import (
    Clock,
    Row,
    RowResult,
    mapping,
    read_row_results,
    rows_of,
    text_of,
    whole,
)
from shared.client.transport import (
    API,
    MAX_ROWS,
    Request,
    SignedInCalls,
    SignIn,
    path_part,
)


class ServiceCalls(SignedInCalls):
    """Calls about the queues, runs and connections of one Vault."""

    async def origins(self, object: str, record: str) -> list[Row]:
        """Return fields of a record that transfers have set; ``changed_since`` is set in those that changed since."""
        place = f"{path_part(object)}/{path_part(record)}"
        path = f"{API}/services/lineage/vobjects/{place}"
        answer = await self._call(Request("origins", "GET", path))
        data = mapping(answer.get("data"), "data")
        return rows_of(data.get("fields"), "fields")

    async def written_by(self, message_id: str) -> list[Row]:
        """Return the records and fields that a message has written, the earliest write first."""
        path = f"{API}/services/lineage/messages/{path_part(message_id)}"
        answer = await self._call(Request("written_by", "GET", path))
        return rows_of(answer.get("data"), "data")

    # Queues

    async def queues(self) -> list[Row]:
        """Return the Spark queues: ``name``, ``status``, ``type``."""
        path = f"{API}/services/queues"
        request = Request("queues", "GET", path)
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def queue(self, name: str) -> Row:
        """Return a queue with ``delivery``, ``messages_in_queue`` and ``connections``."""
        path = f"{API}/services/queues/{path_part(name)}"
        request = Request("queue", "GET", path)
        answer = await self._call(request)
        # One queue is answered as a list of one.
        found = rows_of(answer.get("data"), "data")
        if not found:
            raise UnexpectedAnswer("data is empty")
        return found[0]

    async def message_steps(self, message_id: str) -> list[Row]:
        """Return the steps of a message that this Vault has sent: ``step``, ``date``, ``queue`` and more."""
        path = f"{API}/services/messages/{path_part(message_id)}"
        answer = await self._call(Request("message_steps", "GET", path))
        return rows_of(answer.get("data"), "data")

    async def message_writes(self, message_id: str) -> list[Row]:
        """Return the first writes of a message in this Vault, from its lineage."""
        path = f"{API}/services/lineage/messages/{path_part(message_id)}"
        answer = await self._call(Request("message_writes", "GET", path))
        return rows_of(answer.get("data"), "data")

    async def set_delivery(self, name: str, enabled: bool) -> None:
        """Enable or disable the delivery of an outbound queue's messages; while disabled they stay in the queue."""
        action = "enable_delivery" if enabled else "disable_delivery"
        path = f"{API}/services/queues/{path_part(name)}/actions/{action}"
        request = Request(action, "PUT", path)
        await self._call(request)

    async def report_deliveries(
        self,
        name: str,
        rows: Sequence[Mapping[str, object]],
    ) -> None:
        """Report the deliveries of messages to their outbound queue's Vault, 500 rows a call.

        A row has ``message_id``, ``connection_name``, ``queue_time``, ``send_time`` and ``attempts``; that of a
        message after its last attempt has ``error`` and ``message``, its body, as well.
        """
        path = f"{API}/services/queues/{path_part(name)}/deliveries"
        for start in range(0, len(rows), MAX_ROWS):
            part = [dict(row) for row in rows[start : start + MAX_ROWS]]
            request = Request(
                "report_deliveries", "POST", path, json=part, repeatable=True
            )
            await self._call(request)

    async def reset_queue(self, name: str) -> None:
        """Delete the messages of a queue."""
        path = f"{API}/services/queues/{path_part(name)}/actions/reset"
        request = Request("reset_queue", "PUT", path)
        await self._call(request)

    # Runs of integrations

    async def clock(self) -> Clock:
        """Return the Vault's time, and the moment until which its changes are complete, if it can determine that."""
        request = Request("clock", "GET", f"{API}/services/clock")
        answer = await self._call(request)
        data = mapping(answer.get("data"), "data")
        date_time = text_of(data.get("date_time"), "date_time")
        complete_until = data.get("complete_until")
        if complete_until is None:
            return Clock(date_time)
        return Clock(date_time, text_of(complete_until, "complete_until"))

    async def run(self, integration: str, job: int) -> Row:
        """Return a run of an integration: status, counts, and the position of the reading."""
        path = f"{_runs(integration)}/{job}"
        return await self._run_call("run", "GET", path, None)

    async def runs(self, integration: str, limit: int) -> list[Row]:
        """Return the latest runs of an integration, the latest first."""
        path = _runs(integration)
        request = Request("runs", "GET", path, params={"limit": str(limit)})
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def request_run(self, integration: str) -> int:
        """Have an integration run now, and return the job's id."""
        request = Request("request_run", "POST", _runs(integration))
        answer = await self._call(request)
        return whole(answer.get("job_id"), "job_id")

    async def report_run(
        self,
        integration: str,
        job: int,
        progress: Mapping[str, object],
    ) -> Row:
        """Report the progress of a run's reading, and return the updated run."""
        path = f"{_runs(integration)}/{job}"
        return await self._run_call("report_run", "PUT", path, progress)

    async def report_batch(
        self,
        integration: str,
        job: int,
        batch: int,
        integration_point: str,
        counts: Mapping[str, int],
    ) -> Row:
        """Report the counts of a batch of a run, and return the updated run."""
        # Addressed by its number, so that a report that is repeated is counted once.
        path = f"{_runs(integration)}/{job}/batches/{batch}"
        report = {"integration_point": integration_point, **counts}
        return await self._run_call("report_batch", "PUT", path, report)

    # Reconciliations

    async def request_reconciliation(self, scope: Mapping[str, str]) -> int:
        """Request a reconciliation of ``scope`` (``connection``, ``integration`` …), and return its job's id."""
        request = Request(
            "request_reconciliation", "POST", RECONCILIATIONS, form=dict(scope)
        )
        answer = await self._call(request)
        return whole(answer.get("job_id"), "job_id")

    async def reconciliation(self, job: int) -> Row:
        """Return a reconciliation: status, progress and counts."""
        path = f"{RECONCILIATIONS}/{job}"
        return await self._run_call("reconciliation", "GET", path, None)

    async def reconciliations(self, connection: str = "") -> list[Row]:
        """Return the latest reconciliations of a connection, or of all, the latest first."""
        request = Request(
            "reconciliations",
            "GET",
            RECONCILIATIONS,
            params={"connection": connection},
        )
        answer = await self._call(request)
        return rows_of(answer.get("data"), "data")

    async def report_reconciliation(
        self, job: int, progress: Mapping[str, object]
    ) -> Row:
        """Report the beginning of a reconciliation or the reason of its end, and return the updated reconciliation."""
        path = f"{RECONCILIATIONS}/{job}"
        return await self._run_call("report_reconciliation", "PUT", path, progress)

    async def report_slice(
        self, job: int, number: int, report: Mapping[str, object]
    ) -> Row:
        """Report the result of a slice of a reconciliation, and return the updated reconciliation."""
        # Addressed by its number, so that a report that is repeated is counted once.
        path = f"{RECONCILIATIONS}/{job}/slices/{number}"
        return await self._run_call("report_slice", "PUT", path, report)

    async def findings(self, job: int) -> str:
        """Return the findings of a reconciliation as CSV."""
        path = f"{RECONCILIATIONS}/{job}/findings"
        request = Request("findings", "GET", path)
        return await self._call_for_text(request)

    async def transfer_again(self, job: int, ids: Sequence[str] = ()) -> int:
        """Request the transfer of a reconciliation's findings (record ids, or all), and return their number."""
        path = f"{RECONCILIATIONS}/{job}/actions/transfer_again"
        form = {"ids": ",".join(ids)} if ids else {}
        request = Request("transfer_again", "POST", path, form=form)
        answer = await self._call(request)
        data = mapping(answer.get("data"), "data")
        return whole(data.get("transferred_again"), "transferred_again")

    # Reference lookups

    async def lookups(self, connection: str = "") -> str:
        """Return the lookups of a connection, or of all, as CSV."""
        path = f"{API}/services/reference_lookups"
        params = {"connection": connection} if connection else {}
        return await self._call_for_text(Request("lookups", "GET", path, params=params))

    async def upload_lookups(self, rows: Sequence[Row]) -> list[RowResult]:
        """Create or update up to 500 lookups; return one result for each row, in order."""
        path = f"{API}/services/reference_lookups"
        request = Request("upload_lookups", "POST", path, json=rows)
        return read_row_results(await self._call(request), len(rows))

    # Queue log

    async def queue_log_days(self) -> list[str]:
        """Return the days that have entries in the queue log, the latest first."""
        request = Request("queue_log_days", "GET", f"{API}/services/queue_logs")
        found = rows_of((await self._call(request)).get("data"), "data")
        return [text_of(day.get("log_date"), "log_date") for day in found]

    async def queue_log(self, day: str) -> list[Row]:
        """Return the entries of the queue log of a day, in order."""
        entries: list[Row] = []
        path = f"{API}/services/queue_logs/{path_part(day)}"
        while True:
            answer = await self._call(Request("queue_log", "GET", path))
            entries += rows_of(answer.get("data"), "data")
            details = mapping(answer.get("responseDetails", {}), "responseDetails")
            following = details.get("next_page")
            if following is None:
                return entries
            path = self._transport.local(text_of(following, "next_page"))

    async def _run_call(
        self,
        call: str,
        method: str,
        path: str,
        report: Mapping[str, object] | None,
    ) -> Row:
        request = Request(call, method, path, json=report)
        answer = await self._call(request)
        return mapping(answer.get("data"), "data")

    # Connections

    def for_connection(self, api_name: str) -> Self:
        """Return a client of this Vault with the rights of the remote Vault of this connection.

        It shares this client's network connections, and is closed with it.
        """
        path = f"{API}/services/connections/{path_part(api_name)}/session"
        request = Request("connection_session", "POST", path, repeatable=True)
        # A copy shares the transport, and with it the bound on requests that are under way.
        client = copy(self)
        client._sign_in = SignIn(lambda: self._call(request))  # noqa: SLF001  of this class
        return client

    async def connection_file(self, api_name: str) -> Row:
        """Return a new, signed connection file of a Pending connection."""
        path = f"{API}/services/connections/{path_part(api_name)}/file"
        request = Request("connection_file", "GET", path)
        answer = await self._call(request)
        return mapping(answer.get("data"), "data")

    async def certificate(self, certificate_id: str) -> str:
        """Return, as PEM, the certificate with which the Vault's signatures are verified."""
        path = f"{API}/services/certificate/{path_part(certificate_id)}"
        request = Request("certificate", "GET", path)
        return await self._call_for_text(request)

    async def duplicate_connection(
        self,
        connection: str,
        name: str,
        api_name: str,
        remote_vault_id: int,
    ) -> str:
        """Copy a connection for one more remote Vault; return the copy's record id."""
        path = f"{API}/services/connections/{path_part(connection)}/actions/duplicate"
        form = {
            "name": name,
            "api_name": api_name,
            "remote_vault_id": str(remote_vault_id),
        }
        request = Request("duplicate_connection", "POST", path, form=form)
        answer = await self._call(request)
        data = mapping(answer.get("data"), "data")
        return text_of(data.get("id"), "id")

    async def sign_messages(
        self,
        connection: str,
        messages: Sequence[str],
    ) -> tuple[str, list[Row]]:
        """Return the address of an External connection, and the headers of each message, at most 500, in order."""
        path = f"{API}/services/connections/{path_part(connection)}/signatures"
        body = {"messages": list(messages)}
        request = Request("sign_messages", "POST", path, json=body, repeatable=True)
        answer = await self._call(request)
        data = mapping(answer.get("data"), "data")
        headers = rows_of(data.get("headers"), "headers")
        # Paired by position: one header too few would sign each later message with another's signature.
        if len(headers) != len(messages):
            raise UnexpectedAnswer("headers are not one a message")
        return text_of(data.get("url"), "url"), headers

    async def upload_connection_file(
        self,
        file: Mapping[str, object],
        connection: str = "",
    ) -> Row:
        """Upload a connection file or an acceptance; return ``connection``, ``state`` and perhaps ``acceptance``."""
        path = f"{API}/services/connections/actions/upload"
        text = orjson.dumps(file).decode()
        form = {"file": text, "connection": connection}
        request = Request("upload_connection_file", "POST", path, form=form)
        answer = await self._call(request)
        return mapping(answer.get("data"), "data")


RECONCILIATIONS = f"{API}/services/reconciliations"


def _runs(integration: str) -> str:
    return f"{API}/services/integrations/{path_part(integration)}/runs"
